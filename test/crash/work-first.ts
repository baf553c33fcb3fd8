/** Work first (policy on_full): whatever the store's disk does, the tree goes on, the gap is told, and recording resumes by itself. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { baselineDone, mountTree, type MountedTree } from '../helpers/mount.js';
import { must, sleep, until } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { liveAgainstNewest } from './support/newest.js';
import { MortalDisk } from './support/mortal-disk.js';
import { fill, thinDisk } from './support/thin-disk.js';

const MiB = 1 << 20;

async function workFirst(mounted: MountedTree, rules = ''): Promise<void> {
  fs.writeFileSync(path.join(mounted.store, 'policy.toml'), `on_full = "work"\n${rules}`);
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

async function checkResumed(t: ExecutionContext, mounted: MountedTree): Promise<void> {
  await until('recording goes on', async () => !await unrecorded(mounted), 60_000);
  await baselineDone(mounted);
  await mounted.settled();
  t.is((await mounted.status())['failed'], null);
  t.deepEqual(await liveAgainstNewest(mounted), []);
  t.regex(await mounted.rewind('gaps'), /changes were not recorded since/);
  fs.writeFileSync(path.join(mounted.tree, 'afterwards'), 'recorded');
  await mounted.settled();
  t.is(await mounted.rewind('cat', path.join(mounted.tree, 'afterwards')), 'recorded');
}

/** Random changes by a program of its own, without a pause, until it is ended. */
function churn(scope: Scope, tree: string): () => Promise<void> {
  const script = `cd "$1"; mkdir -p c; i=0; while :; do i=$((i+1)); n=$((RANDOM % 20)); case $((RANDOM % 6)) in
0) echo $i > c/$n;; 1) echo $i >> c/$n;; 2) rm -f c/$n;; 3) mv -f c/$n c/$((RANDOM % 20)) 2>/dev/null;; 4) mkdir -p d$n; echo $i > d$n/f;; 5) rm -rf d$n;; esac; done`;
  const child = spawn('bash', ['-c', script, 'bash', tree], { stdio: 'ignore' });
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  scope.defer(end);
  return end;
}

for (const capture of ['each-write', 'on-close']) test(`the store's disk is full again and again while programs work (${capture}): nothing is refused, and the newest state is the tree's`, async (t) => {
  t.timeout(120_000);
  await scoped(async (scope) => {
    const disk = path.join(scope.temporary('memory'), 'small');
    fs.mkdirSync(disk);
    await must('mount', ['-t', 'tmpfs', '-o', 'size=700M', 'rewindfs-test', disk]);
    scope.defer(async () => void (await must('umount', [disk])));
    const mounted = await mountTree(scope, { where: 'memory', store: path.join(disk, 'store') });
    await workFirst(mounted, `[[rule]]\nmatch = "*"\ncapture = "${capture}"\n`);
    const end = churn(scope, mounted.tree);
    for (let i = 0; i < 3; i++) {
      fs.writeFileSync(path.join(disk, 'ballast'), Buffer.alloc(450 * MiB));
      await until('a gap begins', () => unrecorded(mounted));
      await sleep(300);
      fs.rmSync(path.join(disk, 'ballast'));
      await until('recording goes on', async () => !await unrecorded(mounted));
      await sleep(200);
    }
    await end();
    await checkResumed(t, mounted);
  });
});

test('a sync of the journal fails: the tree goes on, and recording begins anew in another segment once the disk works', async (t) => {
  t.timeout(120_000);
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
    await mounted.kill();
    await mounted.mount();
    await baselineDone(mounted);
    t.deepEqual(await liveAgainstNewest(mounted), []);
  });
});

test('the database\'s disk dies and comes back: at the backlog\'s limit the tree goes on', async (t) => {
  t.timeout(120_000);
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
    await t.throwsAsync(mounted.rewind('cat', path.join(mounted.tree, 'until-0'), '--at', 'now'), { message: /What is now is not in history: Changes are NOT RECORDED/ });
    await disk.comeBack();
    await checkResumed(t, mounted);
  });
});

test('the store\'s disk turns read-only, or is gone: the tree goes on, and after an unmount and a mount history has the whole tree', async (t) => {
  t.timeout(120_000);
  await scoped(async (scope) => {
    const disk = await MortalDisk.make(scope, 700);
    const mounted = await mountTree(scope, { where: 'memory', store: path.join(disk.at, 'store') });
    await workFirst(mounted);
    fs.writeFileSync(path.join(mounted.tree, 'before'), 'x');
    await disk.die();
    await untilUnrecorded(mounted);
    fs.writeFileSync(path.join(mounted.tree, 'meanwhile'), 'x');
    await mounted.unmount();
    await disk.comeBack();
    await mounted.mount();
    await baselineDone(mounted);
    t.deepEqual(await liveAgainstNewest(mounted), []);
  });
});
