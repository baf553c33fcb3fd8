/**
 * What becomes of the tree when the store's disk takes nothing more (policy `on_full`): under "work" it goes on, everyone can
 * see that it is not recorded, and recording resumes by itself with what has changed; under "integrity" nothing unrecorded
 * happens. The disk runs full, fails, and comes back.
 */
import fs from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { baselineDone, mountSettled, rewind, type MountedTree } from '../helpers/mount.js';
import { must, until } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { liveAgainstNewest } from './support/newest.js';

const MiB = 1 << 20;

/** A tree with something in it, whose store lies at `store`; `onFull` is in force. */
async function treeOn(scope: Scope, store: string, onFull: 'work' | 'integrity'): Promise<MountedTree> {
  const mounted = await mountSettled(scope, { where: 'memory', store });
  fs.writeFileSync(path.join(mounted.store, 'policy.toml'), `on_full = "${onFull}"\n`);
  for (const name of ['kept', 'changed', 'removed', 'moved']) fs.writeFileSync(path.join(mounted.tree, name), `${name}, before`);
  fs.mkdirSync(path.join(mounted.tree, 'gone/deep'), { recursive: true });
  fs.writeFileSync(path.join(mounted.tree, 'gone/deep/file'), 'in a directory that goes');
  await mounted.settled();
  await until('the policy is in force', async () => (await mounted.control('policy'))['on_full'] === onFull);
  return mounted;
}

/** Every kind of change, none of which the store can take. */
function changeAll(tree: string): void {
  const at = (name: string): string => path.join(tree, name);
  fs.appendFileSync(at('changed'), ', and in the gap');
  fs.rmSync(at('removed'));
  fs.renameSync(at('moved'), at('moved-away'));
  fs.rmSync(at('gone'), { recursive: true });
  fs.mkdirSync(at('made/deep'), { recursive: true });
  fs.writeFileSync(at('made/deep/file'), 'new');
  fs.chmodSync(at('made/deep/file'), 0o600);
  fs.symlinkSync('kept', at('link'));
  fs.linkSync(at('kept'), at('kept-too'));
  fs.writeFileSync(at('short-lived'), 'x');
  fs.rmSync(at('short-lived'));
}

/** Recording has gone on by itself: the newest state is the tree's, the past is as it was, the gap is told. */
async function checkResumed(t: ExecutionContext, mounted: MountedTree, before: number): Promise<void> {
  await until('recording goes on', async () => (await mounted.status())['unrecorded'] === null, 60_000);
  await baselineDone(mounted);
  t.is((await mounted.status())['failed'], null);
  t.deepEqual(await liveAgainstNewest(mounted), []);
  t.is(await mounted.rewind('cat', path.join(mounted.tree, 'changed'), '--at', `#${before}`), 'changed, before');
  t.is(await mounted.rewind('cat', path.join(mounted.tree, 'removed'), '--at', `#${before}`), 'removed, before');
  t.regex(await mounted.rewind('gaps'), /changes were not recorded since .*on_full = "work"/);
  fs.appendFileSync(path.join(mounted.tree, 'changed'), ', and after');
  await mounted.settled();
  t.is(await mounted.rewind('cat', path.join(mounted.tree, 'changed'), '--at', 'now'), 'changed, before, and in the gap, and after');
  await mounted.unmount();
  await mounted.mount();
  await baselineDone(mounted);
  t.deepEqual(await liveAgainstNewest(mounted), []);
}

async function smallMemory(scope: Scope): Promise<string> {
  const disk = path.join(scope.temporary('memory'), 'small');
  fs.mkdirSync(disk);
  await must('mount', ['-t', 'tmpfs', '-o', 'size=700M', 'rewindfs-test', disk]);
  scope.defer(async () => void (await must('umount', [disk])));
  return disk;
}

test('work first: with a full store the tree goes on unrecorded, and history resumes by itself with what has changed', async (t) => {
  t.timeout(300_000);
  await scoped(async (scope) => {
    const disk = await smallMemory(scope);
    const mounted = await treeOn(scope, path.join(disk, 'store'), 'work');
    const { seq: before } = await mounted.settled();
    const held = fs.openSync(path.join(mounted.tree, 'held'), 'w');
    fs.writeSync(held, 'before ');
    await mounted.settled();
    const ballast = path.join(disk, 'ballast');
    fs.writeFileSync(ballast, Buffer.alloc(420 * MiB));
    await until('the tree goes on unrecorded', async () => {
      fs.writeFileSync(path.join(mounted.tree, 'probe'), 'x');
      return (await mounted.status())['unrecorded'] !== null;
    });
    t.regex(await mounted.rewind('status'), /^UNRECORDED +Changes are NOT RECORDED since/m);
    changeAll(mounted.tree);
    const rolledBack = await rewind(['rollback', '--to', `#${before}`, '--yes', '--tree', mounted.tree]);
    t.regex(rolledBack.stderr, /What is now is not in history: Changes are NOT RECORDED/, 'history does not know what it would overwrite');
    t.true(fs.existsSync(path.join(mounted.tree, 'made/deep/file')));
    fs.writeSync(held, 'meanwhile ');
    fs.fsyncSync(held);
    fs.rmSync(ballast);
    await until('recording goes on', async () => (await mounted.status())['unrecorded'] === null, 60_000);
    fs.writeSync(held, 'after');
    fs.closeSync(held);
    await checkResumed(t, mounted, before);
    t.is(await mounted.rewind('cat', path.join(mounted.tree, 'held'), '--at', 'now'), 'before meanwhile after');
  });
});

test('integrity first: with a full store nothing unrecorded happens', async (t) => {
  t.timeout(300_000);
  await scoped(async (scope) => {
    const disk = await smallMemory(scope);
    const mounted = await treeOn(scope, path.join(disk, 'store'), 'integrity');
    const ballast = path.join(disk, 'ballast');
    fs.writeFileSync(ballast, Buffer.alloc(420 * MiB));
    await until('changes are refused', () => {
      try {
        fs.writeFileSync(path.join(mounted.tree, 'probe'), 'x');
        return false;
      } catch (error) {
        return (error as NodeJS.ErrnoException).code === 'ENOSPC';
      }
    });
    t.throws(() => changeAll(mounted.tree), { code: 'ENOSPC' });
    t.is(fs.readFileSync(path.join(mounted.tree, 'changed'), 'utf8'), 'changed, before');
    t.is((await mounted.status())['unrecorded'], null);
    fs.rmSync(ballast);
    await until('changes are taken again', () => {
      try {
        fs.writeFileSync(path.join(mounted.tree, 'probe'), 'x');
        return true;
      } catch {
        return false;
      }
    });
    changeAll(mounted.tree);
    await mounted.settled();
    t.deepEqual(await liveAgainstNewest(mounted), []);
    t.false((await mounted.rewind('gaps')).includes('on_full'));
  });
});
