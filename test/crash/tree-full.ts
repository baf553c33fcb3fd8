/** The tree's own disk is full: programs meet what they would without us, and history has what was made, and what a refused call left. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { smallDisk } from '../helpers/disk.js';
import { mountSettled, type MountedTree } from '../helpers/mount.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { liveAgainstNewest } from './support/newest.js';

const MiB = 1 << 20;

async function treeOn(scope: Scope, disk: string): Promise<MountedTree> {
  const tree = path.join(disk, 'tree');
  fs.mkdirSync(tree);
  return mountSettled(scope, { tree, storeWhere: 'memory' });
}

async function checkWhole(t: ExecutionContext, mounted: MountedTree): Promise<void> {
  await mounted.settled();
  t.is((await mounted.status())['failed'], null);
  t.deepEqual(await liveAgainstNewest(mounted), []);
}

test.serial('the tree\'s disk is full: ENOSPC as without us, what was taken of a write is in history, and removing makes room', async (t) => {
  t.timeout(120_000);
  await scoped(async (scope) => {
    const mounted = await treeOn(scope, await smallDisk(scope, 24, ['-O', '^has_journal']));
    const large = path.join(mounted.tree, 'large');
    const fd = fs.openSync(large, 'w');
    t.throws(() => { for (;;) fs.writeSync(fd, randomBytes(MiB)); }, { code: 'ENOSPC' });
    fs.closeSync(fd);
    t.throws(() => fs.writeFileSync(path.join(mounted.tree, 'next'), randomBytes(MiB)), { code: 'ENOSPC' });
    await checkWhole(t, mounted);
    fs.rmSync(large);
    fs.writeFileSync(path.join(mounted.tree, 'next'), 'there is room');
    await checkWhole(t, mounted);
  });
});
