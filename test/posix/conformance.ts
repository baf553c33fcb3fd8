/** Every conformance case sees the same on the live mount as on a plain directory of the same file system. */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { mountTree, type MountedTree } from '../helpers/mount.js';
import { Scope } from '../helpers/scope.js';
import { attributeCases } from './cases/attributes.js';
import { runCase, type Case } from './cases/case.js';
import { dataCases } from './cases/data.js';
import { nameCases } from './cases/names.js';
import { permissionCases } from './cases/permissions.js';
import { processCases } from './cases/processes.js';

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

const all: Case[] = [...nameCases, ...dataCases, ...attributeCases, ...permissionCases, ...processCases];

all.forEach((one, i) => {
  test.serial(one.name, async (t) => {
    t.timeout(300_000);
    const directories = [plain, mounted.tree].map((base) => path.join(base, `case-${i}`));
    for (const directory of directories) fs.mkdirSync(directory);
    const expected = await runCase(one, directories[0]!);
    const seen = await runCase(one, directories[1]!);
    t.true(expected.length > 0);
    t.deepEqual(seen, expected);
  });
});
