/** What a user gets: the package, packed and installed as the README says it, and the demo. */
import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { must, projectRoot } from '../helpers/run.js';
import { mountsUnder, scoped } from '../helpers/scope.js';

test.serial('the packed package installs without a question, by itself, and protects a directory', async (t) => {
  t.timeout(300_000);
  await scoped(async (scope) => {
    const place = scope.temporary();
    const at = (name: string): string => path.join(place, name);
    // Built already; what packing does beside that would build it anew under the feet of the other tests.
    const [packed] = JSON.parse(await must('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', place], { cwd: projectRoot, timeoutMs: 120_000 })) as { filename: string }[];
    await must('npm', ['install', '--global', '--prefix', at('prefix'), '--prefer-offline', '--no-audit', '--no-fund', at(packed!.filename)], { cwd: place, timeoutMs: 240_000 });
    const rewind = at('prefix/bin/rewind');
    const env = { ...process.env, XDG_STATE_HOME: at('state') };
    const { version } = JSON.parse(fs.readFileSync(path.join(projectRoot, 'package.json'), 'utf8')) as { version: string };
    t.is((await must(rewind, ['--version'], { env })).trim(), version);
    fs.mkdirSync(at('tree'));
    await must(rewind, ['mount', at('tree')], { env });
    scope.defer(async () => { if (mountsUnder(at('tree')).length > 0) await must('umount', ['-l', at('tree')]); });
    fs.writeFileSync(at('tree/file'), 'kept\n');
    t.is(await must(rewind, ['cat', at('tree/file')], { env }), 'kept\n');
    t.is(fs.readFileSync(at('tree/.snapshots/@now/file'), 'utf8'), 'kept\n');
    await must(rewind, ['unmount', at('tree')], { env });
  });
});

test.serial('every claim of the demo holds', async (t) => {
  t.timeout(300_000);
  const shown = await must(process.execPath, [path.join(projectRoot, 'scripts/demo.mjs')], { env: { ...process.env, REWIND_DEMO_PAUSE_MS: '0' }, timeoutMs: 240_000 });
  t.true(shown.split('[checked]').length > 5, shown);
});
