/** Every conformance case sees the same on the live mount as on a plain directory of the same file system. */
import fs from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { mountTree, type MountedTree } from '../helpers/mount.js';
import { Scope } from '../helpers/scope.js';
import { attributeCases } from './cases/attributes.js';
import { runCase, type Case } from './cases/case.js';
import { dataCases } from './cases/data.js';
import { deviations } from './cases/deviations.js';
import { kernelCases } from './cases/kernel.js';
import { matrixCases } from './cases/matrix.js';
import { nameCases } from './cases/names.js';
import { permissionCases } from './cases/permissions.js';
import { processCases } from './cases/processes.js';
import { programCases } from './cases/programs.js';
import { raceCases } from './cases/races.js';
import { viewCases } from './cases/views.js';

const scope = new Scope();
let plain: string;
let mounted: MountedTree;

test.before(async () => {
  plain = scope.temporary('disk');
  // REWIND_PLAIN=1 proves the cases themselves: both sides are plain directories.
  if (process.env['REWIND_PLAIN']) mounted = { tree: scope.temporary('disk') } as MountedTree;
  else mounted = await mountTree(scope);
});
test.after.always(() => scope.close());

/** As deepEqual, but of long transcripts only what differs is shown. */
function same(t: ExecutionContext, seen: string[], expected: string[]): void {
  const different = expected.flatMap((line, i) => (line === seen[i] ? [] : [`${line}\n  but here: ${seen[i]}`]));
  t.deepEqual(different, []);
  t.is(seen.length, expected.length);
}

const all: Case[] = [...nameCases, ...dataCases, ...attributeCases, ...permissionCases, ...processCases, ...programCases, ...kernelCases, ...raceCases, ...viewCases, ...matrixCases];

all.forEach((one, i) => {
  test.serial(one.name, async (t) => {
    t.timeout(600_000);
    const directories = [plain, mounted.tree].map((base) => path.join(base, `case-${i}`));
    for (const directory of directories) fs.mkdirSync(directory);
    const expected = await runCase(one, directories[0]!);
    const seen = await runCase(one, directories[1]!);
    t.true(expected.length > 0);
    same(t, seen, expected);
    if (!one.look) return;
    const view = process.env['REWIND_PLAIN'] ? mounted.tree : path.join(mounted.tree, '.snapshots/@now');
    const shown = await runCase(one, directories[0]!, 'look');
    same(t, await runCase(one, directories[1]!, 'look'), shown);
    same(t, await runCase(one, path.join(view, `case-${i}`), 'look'), shown);
  });
});

deviations.forEach((one, i) => {
  test.serial(`known deviation: ${one.name}`, async (t) => {
    const answers: string[] = [];
    for (const base of [plain, mounted.tree]) {
      const directory = path.join(base, `deviation-${i}`);
      fs.mkdirSync(directory);
      await runCase({ name: one.name, run: async (calls) => void answers.push(await one.see(calls)) }, directory);
    }
    const [onPlain, onMount] = answers;
    // A kernel may have less of them: the mount then answers as the directory does.
    t.true(onMount === onPlain || (onMount === one.mount && onPlain === one.plain), `directory: ${onPlain}; mount: ${onMount}`);
    t.log(`directory: ${onPlain}; mount: ${onMount}`);
  });
});
