/**
 * Work first (policy on_full): whatever the store's disk does, the tree goes on, everyone can see that it is not recorded, and
 * recording resumes by itself with what has changed, or with the next mount.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { unmount } from '../helpers/disk.js';
import { baselineDone, cli, mountTree, rewind, type MountedTree } from '../helpers/mount.js';
import { must, sleep, until } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { onTerminal } from '../helpers/terminal.js';
import { liveAgainstNewest } from './support/newest.js';
import { changeAll, Holder, makeAll } from './support/gap-changes.js';
import { MortalDisk } from './support/mortal-disk.js';
import { fill, thinDisk } from './support/thin-disk.js';

const MiB = 1 << 20;
const TOLD = /changes were not recorded from .* to .*on_full = "work"/;

/** A memory disk that is full when it is told to be. */
class SmallDisk {
  private constructor(readonly at: string) {}

  static async make(scope: Scope): Promise<SmallDisk> {
    const at = path.join(scope.temporary('memory'), 'small');
    fs.mkdirSync(at);
    await must('mount', ['-t', 'tmpfs', '-o', 'size=2G', 'rewindfs-test', at]);
    scope.defer(() => unmount(at));
    return new SmallDisk(at);
  }

  /** Less room than the journal leaves free. */
  async full(): Promise<void> {
    const { blocks, bfree, bsize } = fs.statfsSync(this.at);
    await must('mount', ['-o', `remount,size=${(blocks - bfree) * bsize + 150 * MiB}`, this.at]);
  }

  async roomy(): Promise<void> { await must('mount', ['-o', 'remount,size=2G', this.at]); }
}

/** Under `oc` files are captured when they are closed. */
async function workFirst(mounted: MountedTree): Promise<void> {
  fs.writeFileSync(path.join(mounted.store, 'policy.toml'), 'on_full = "work"\ninterval = 1\n[[rule]]\nmatch = "oc/"\ncapture = "on-close"\n');
  await until('the policy is in force', async () => (await mounted.control('policy'))['on_full'] === 'work');
  await baselineDone(mounted);
}

const unrecorded = async (mounted: MountedTree): Promise<boolean> => (await mounted.status())['unrecorded'] !== null;

/** Changes until they are made unrecorded. */
async function untilUnrecorded(mounted: MountedTree, bytes = 10): Promise<void> {
  let i = 0;
  await until('changes are made unrecorded', async () => {
    fs.writeFileSync(path.join(mounted.tree, `until-${i++}`), Buffer.alloc(bytes, String(i)));
    return unrecorded(mounted);
  }, 60_000);
}

const untilRecorded = (mounted: MountedTree): Promise<void> => until('recording goes on', async () => !await unrecorded(mounted), 60_000);

/** All that the tree holds is in history; what is captured at intervals soon. */
async function checkWhole(t: ExecutionContext, mounted: MountedTree): Promise<void> {
  await baselineDone(mounted);
  let differ: string[] = [];
  await until('history has all of it', async () => (differ = await liveAgainstNewest(mounted)).length === 0, 60_000).catch(() => undefined);
  t.deepEqual(differ, []);
  t.is((await mounted.status())['failed'], null);
}

async function checkResumed(t: ExecutionContext, mounted: MountedTree): Promise<void> {
  await untilRecorded(mounted);
  await checkWhole(t, mounted);
  t.regex(await mounted.rewind('gaps'), TOLD);
  fs.writeFileSync(path.join(mounted.tree, 'afterwards'), 'recorded');
  await mounted.settled();
  t.is(await mounted.rewind('cat', path.join(mounted.tree, 'afterwards')), 'recorded');
}

/** Random changes by a program of its own, without a pause, until it is ended. */
function churn(scope: Scope, tree: string): () => Promise<void> {
  const script = `cd "$1"; mkdir -p c oc; i=0; while :; do i=$((i+1)); n=$((RANDOM % 20)); for c in c oc; do case $((RANDOM % 6)) in
0) echo $i > $c/$n;; 1) echo $i >> $c/$n;; 2) rm -f $c/$n;; 3) mv -f $c/$n $c/$((RANDOM % 20)) 2>/dev/null;; 4) mkdir -p $c/d$n; echo $i > $c/d$n/f;; 5) rm -rf $c/d$n;; esac; done; done`;
  const child = spawn('bash', ['-c', script, 'bash', tree], { stdio: 'ignore' });
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  scope.defer(end);
  return end;
}

test.serial('the store\'s disk is full: every kind of change is made, also by who has files open and mapped, and history goes on with what has changed', async (t) => {
  t.timeout(240_000);
  await scoped(async (scope) => {
    const disk = await SmallDisk.make(scope);
    const mounted = await mountTree(scope, { where: 'disk', store: path.join(disk.at, 'store') });
    await workFirst(mounted);
    makeAll(mounted.tree);
    const holder = new Holder(scope, mounted.tree);
    await holder.do('before');
    const { seq: before } = await mounted.settled();
    await disk.full();
    await untilUnrecorded(mounted);
    t.regex((await onTerminal([process.execPath, cli, 'status', mounted.tree])).stdout, /\x1b\[31mUNRECORDED +Changes are NOT RECORDED since/, 'in red');
    changeAll(mounted.tree);
    await holder.do('meanwhile');
    t.regex((await rewind(['rollback', '--to', `#${before}`, '--yes', '--tree', mounted.tree])).stderr, /What is now is not in history: Changes are NOT RECORDED/, 'history does not know what it would overwrite');
    t.is(await mounted.rewind('cat', path.join(mounted.tree, 'removed'), '--at', `#${before}`), 'removed', 'the past can be asked for');
    t.is((await rewind(['prune', '--dry-run', '--tree', mounted.tree])).code, 0, 'room can be made');
    await disk.roomy();
    await untilRecorded(mounted);
    await holder.do('after');
    await checkResumed(t, mounted);
    await holder.end();
    await checkWhole(t, mounted);
    const gap = /--from '(#\d+)' --to '(#\d+)'/.exec(await mounted.rewind('gaps'))!;
    const touched = await mounted.rewind('diff', '--from', gap[1]!, '--to', gap[2]!);
    for (const name of ['changed', 'removed', 'moved', 'moved-away', 'gone', 'made', 'mode', 'xattr', 'link', 'kept-too', 'oc/changed']) t.true(touched.includes(name), `${name} is named: ${touched}`);
    t.false(touched.includes('untouched'), touched);
    t.is(await mounted.rewind('cat', path.join(mounted.tree, 'changed'), '--at', gap[1]!), 'changed');
    t.is(await mounted.rewind('cat', path.join(mounted.tree, 'changed'), '--at', gap[2]!), 'changed in the gap');
  });
});

test.serial('full again and again beneath a program that never pauses: nothing is refused; a daemon that is killed in the gap leaves what the next mount tells', async (t) => {
  t.timeout(240_000);
  await scoped(async (scope) => {
    const disk = await SmallDisk.make(scope);
    const mounted = await mountTree(scope, { where: 'memory', store: path.join(disk.at, 'store') });
    await workFirst(mounted);
    const end = churn(scope, mounted.tree);
    for (let i = 0; i < 2; i++) {
      await disk.full();
      await until('a gap begins', () => unrecorded(mounted));
      await disk.roomy();
      await untilRecorded(mounted);
      await sleep(200);
    }
    await disk.full();
    await until('a gap begins', () => unrecorded(mounted));
    const note = path.join(mounted.store, 'gap.json');
    await until('it is kept', () => fs.existsSync(note));
    await end();
    await mounted.kill();
    await disk.roomy();
    await mounted.mount();
    await until('it is told, and kept no more', () => !fs.existsSync(note));
    await checkWhole(t, mounted);
    t.is((await mounted.rewind('gaps')).match(new RegExp(TOLD, 'g'))?.length, 3);
  });
});

test.serial('a sync of the journal fails: recording begins anew in another segment once the disk works, and a kill loses none of it', async (t) => {
  t.timeout(240_000);
  await scoped(async (scope) => {
    const { disk, holder } = await thinDisk(scope);
    const mounted = await mountTree(scope, { where: 'memory', store: path.join(disk, 'store') });
    await workFirst(mounted);
    fs.writeFileSync(path.join(mounted.tree, 'before'), 'x');
    await mounted.settled();
    const ballast = path.join(holder, 'ballast');
    fill(ballast);
    await untilUnrecorded(mounted, 4 * MiB);
    fs.rmSync(path.join(mounted.tree, 'before'));
    fs.rmSync(ballast);
    await checkResumed(t, mounted);
    t.notRegex(fs.readFileSync(path.join(mounted.store, 'daemon.log'), 'utf8'), /Changes are refused/);
    await mounted.kill();
    await mounted.mount();
    await checkWhole(t, mounted);
  });
});

test.serial('the database\'s disk dies and comes back: at the backlog\'s limit the tree goes on', async (t) => {
  t.timeout(240_000);
  await scoped(async (scope) => {
    const disk = await MortalDisk.make(scope, 400);
    const mounted = await mountTree(scope, { where: 'memory', args: ['--backlog-limit', '64'] });
    await mounted.unmount();
    await must('mv', [path.join(mounted.store, 'history'), disk.at]);
    fs.symlinkSync(path.join(disk.at, 'history'), path.join(mounted.store, 'history'));
    await mounted.mount();
    await workFirst(mounted);
    await disk.die();
    await untilUnrecorded(mounted, 4 * MiB);
    await disk.comeBack();
    await checkResumed(t, mounted);
  });
});

for (const [fault, begin] of [['turns read-only', (disk: MortalDisk) => disk.turnReadOnly()], ['is gone', (disk: MortalDisk) => disk.die()]] as const) test.serial(`the store's disk ${fault}: the tree goes on, and once the disk is back a mount finds what has changed`, async (t) => {
  t.timeout(240_000);
  await scoped(async (scope) => {
    const disk = await MortalDisk.make(scope, 700);
    const mounted = await mountTree(scope, { where: 'memory', store: path.join(disk.at, 'store') });
    await workFirst(mounted);
    makeAll(mounted.tree);
    await mounted.settled();
    await begin(disk);
    await untilUnrecorded(mounted);
    changeAll(mounted.tree);
    await sleep(1500);
    t.true(await unrecorded(mounted), 'a disk that takes nothing ends no gap');
    await mounted.unmount();
    await disk.comeBack();
    await mounted.mount();
    await checkWhole(t, mounted);
    t.regex(await mounted.rewind('gaps'), /changes were made while the tree was not mounted/);
  });
});
