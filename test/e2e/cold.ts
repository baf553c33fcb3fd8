/** Cold content as a user has it: by the policy, on a disk that comes and goes, through views and commands, to a purge. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { away, filesOf } from '../helpers/cold.js';
import { mountSettled, rewind } from '../helpers/mount.js';
import { shell, sleep, until } from '../helpers/run.js';
import { scoped } from '../helpers/scope.js';

const TIMEOUT = { timeoutMs: 120_000 };

test.serial('what was old is on another disk, reads through views and commands, and needs that disk alone', async (t) => {
  await scoped(async (scope) => {
    const mounted = await mountSettled(scope, { where: 'memory' });
    const cold = scope.temporary('memory');
    fs.writeFileSync(path.join(mounted.store, 'policy.toml'), `[cold]\ndirectory = "${cold}"\nafter = "1s"\n`);
    await until('the daemon takes the policy', async () => (await mounted.control('policy'))['cold'] !== null);
    t.regex(await mounted.rewind('policy', 'show'), new RegExp(`cold +${cold} .*1s`));
    const secret = Buffer.concat([Buffer.from('top-secret-4711'), randomBytes(200_000)]);
    const [old, kept] = [randomBytes(300_000), randomBytes(50_000)];
    const at = (name: string): string => path.join(mounted.tree, name);
    fs.writeFileSync(at('secret'), secret);
    fs.writeFileSync(at('notes'), old);
    fs.writeFileSync(at('stays'), kept);
    const { seq } = await mounted.settled();
    fs.rmSync(at('secret'));
    fs.writeFileSync(at('notes'), 'new');
    await sleep(1100);
    fs.writeFileSync(at('other'), 'x');
    await mounted.rewind('pack');
    t.true(filesOf(cold).some((file) => fs.readFileSync(file).includes('top-secret-4711')));
    const then = (name: string): string => path.join(mounted.tree, '.snapshots', `@#${seq}`, name);
    t.true(fs.readFileSync(then('secret')).equals(secret));
    const [{ bytes, there }] = ((await mounted.status())['space'] as { cold: { bytes: number; there: boolean }[] }).cold as [{ bytes: number; there: boolean }];
    t.true(there && bytes > 400_000);
    // What was packed just now is remembered.
    await mounted.unmount();
    await mounted.mount();
    await away(cold, async () => {
      t.throws(() => fs.readFileSync(then('notes')), { code: 'EIO' });
      t.true(fs.readFileSync(then('stays')).equals(kept), 'what is still there needs nothing');
      t.deepEqual(fs.readdirSync(then('.')).sort(), ['notes', 'secret', 'stays']);
      t.is(fs.readFileSync(at('notes'), 'utf8'), 'new');
      t.regex((await rewind(['cat', 'notes', '--at', `#${seq}`, '--tree', mounted.tree], TIMEOUT)).stderr, /cannot be opened: ENOENT/);
      t.regex(await mounted.rewind('status'), new RegExp(`AWAY .* in ${cold}, which is not there`));
      await mounted.unmount();
      const verified = await rewind(['verify', '--deep', '--store', mounted.store], TIMEOUT);
      t.is(verified.code, 14);
      t.regex(verified.stdout, /cold-away/);
      const repaired = await rewind(['repair', '--store', mounted.store], TIMEOUT);
      t.is(repaired.code, 0);
      t.regex(repaired.stdout, /cold-away[^]*nothing to repair/);
      const purged = await rewind(['purge', 'secret', '--yes', '--json', '--store', mounted.store], TIMEOUT);
      t.regex(purged.stderr, /ERR_COLD_AWAY/);
    });
    await shell(`'${process.execPath}' dist/bin/main.js verify --deep --store '${mounted.store}'`, TIMEOUT);
    t.is((await rewind(['purge', 'secret', '--yes', '--store', mounted.store], TIMEOUT)).code, 0);
    for (const file of [...filesOf(cold), ...filesOf(mounted.store)]) t.false(fs.readFileSync(file).includes('top-secret-4711'), file);
    await mounted.mount();
    t.true(fs.readFileSync(then('notes')).equals(old));
  });
});
