/**
 * A rollback that ends anywhere (its daemon is killed or told to stop, the disk is full) is gone on with, or taken back:
 * the tree is then exactly what it was to be, or what it was.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { unmount } from '../helpers/disk.js';
import { Driver } from '../helpers/driver.js';
import { baselineDone, cli, mountSettled, rewind, type MountedTree } from '../helpers/mount.js';
import { freshSeed, Random } from '../helpers/random.js';
import { must, shell, sleep, until, type RunResult } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { contentFields, differences, snapshot, type Field, type Snapshot } from '../helpers/snapshot.js';
import { begun, cutOff, interrupted } from './support/operations.js';

const EXACT: readonly Field[] = [...contentFields, 'mtime'];

/** What the tree was good with, and what became of it: contents, names, types, links, modes that lock a directory. */
const GOOD = `
  for d in a b c/x c/y; do mkdir -p $d; for i in $(seq 40); do seq $((i * 40)) > $d/f$i; done; done
  head -c 3000000 /dev/urandom > large; ln c/x/f1 hard; ln -s large soft; setfattr -n user.k -v good a/f1; chmod 500 c/y; mkdir locked; echo in > locked/in; chmod 555 locked
`;
const BAD = `
  rm -r a; for i in $(seq 40); do echo bad >> b/f$i; done; mv c/x moved; chmod 700 c/y; rm c/y/f1*; mkdir new; for i in $(seq 60); do seq 300 > new/n$i; done
  head -c 3000000 /dev/urandom > large; ln -sf nowhere soft; for i in $(seq 2 20); do mv moved/f$i b/g$i; done; chmod 755 locked; echo worse > locked/in; rm locked/in; echo else > locked/in; chmod 555 locked
`;

interface Case {
  tree: MountedTree;
  good: Snapshot;
  bad: Snapshot;
  state: () => Promise<Snapshot>;
}

async function ruined(scope: Scope, tree?: string): Promise<Case> {
  const mounted = await mountSettled(scope, { where: 'memory', tree });
  const state = async (): Promise<Snapshot> => {
    const driver = new Driver();
    try {
      return await snapshot(driver, mounted.tree);
    } finally {
      await driver.close();
    }
  };
  await shell(GOOD, { cwd: mounted.tree });
  await mounted.rewind('mark', 'good');
  const good = await state();
  await shell(BAD, { cwd: mounted.tree });
  await mounted.rewind('mark', 'bad');
  return { tree: mounted, good, bad: await state(), state };
}

/** Only what lies at or under some paths. */
function part(all: Snapshot, paths: string[]): Snapshot {
  return new Map([...all].filter(([name]) => paths.some((one) => name === one || name === `./${one}` || name.startsWith(`${one}/`) || name.startsWith(`./${one}/`))));
}

/** A directory outside of the paths, in which something came or went: when, no rollback of them changes back. */
const besides = (line: string, paths: string[]): boolean => paths.length > 0 && /^(\.|\.\/locked): mtime is/.test(line);

async function killedAnywhere(t: ExecutionContext, paths: string[], kills: number): Promise<void> {
  t.timeout(600_000);
  const random = new Random(freshSeed());
  await scoped(async (scope) => {
    const { tree, good, bad, state } = await ruined(scope);
    const { ended } = await begun(tree, ['rollback', ...paths, '--to', 'good']);
    const whole = Date.now();
    await until('it is done', async () => (await tree.control('operations'))['after'] !== null);
    const full = Date.now() - whole;
    await ended;
    const target = await state();
    // A link to what lies outside of the paths is not brought back.
    if (paths.length > 0) t.deepEqual(differences(part(good, paths), part(target, paths), EXACT.filter((field) => field !== 'nlink')), []);
    else t.deepEqual(differences(good, target, EXACT), []);
    await tree.rewind('undo', '--yes');
    t.deepEqual(differences(bad, await state(), EXACT), [], 'undone at once');
    let cut = 0;
    for (let i = 0; i < kills; i++) {
      const wait = i === 0 ? 0 : random.between(0, Math.ceil(full / 3));
      const going = await begun(tree, ['rollback', ...paths, '--to', 'good']);
      await sleep(wait);
      await tree.kill();
      await going.ended;
      await tree.mount();
      await baselineDone(tree);
      const label = `kill ${i} after ${wait} ms`;
      const open = await interrupted(tree);
      if (open) {
        cut++;
        const log = await tree.rewind('op', 'log');
        t.regex(log, /rollback .*INTERRUPTED/, label);
        if (random.chance(0.5)) {
          await tree.rewind('rollback', '--resume', '--yes');
          t.deepEqual(differences(target, await state(), EXACT).filter((line) => !besides(line, paths)), [], `${label}: gone on with`);
          t.is(await interrupted(tree), null);
        }
      }
      if (open || differences(bad, await state(), EXACT).length > 0) await tree.rewind('undo', '--yes');
      t.deepEqual(differences(bad, await state(), EXACT), [], `${label}: taken back`);
      t.is(await interrupted(tree), null, label);
    }
    t.log(`${cut} of ${kills} kills met the rollback (${full} ms)`);
    t.true(cut > 0);
  });
}

test.serial('a daemon killed anywhere in a rollback: --resume ends it exactly, undo takes it back exactly', (t) => killedAnywhere(t, [], 7));

test.serial('the same for a rollback of some paths, which leaves nothing beside them', (t) => killedAnywhere(t, ['c', 'locked/in', 'large', 'a/f1'], 4));

test.serial('a daemon that is told to stop in the middle of a rollback', (t) => scoped(async (scope) => {
  t.timeout(300_000);
  const { tree, good, state } = await ruined(scope);
  const { ended } = await begun(tree, ['rollback', '--to', 'good']);
  process.kill(tree.daemon, 'SIGTERM');
  await ended;
  await tree.daemonEnded();
  await tree.mount();
  await baselineDone(tree);
  if (await interrupted(tree)) await tree.rewind('rollback', '--resume', '--yes');
  t.deepEqual(differences(good, await state(), EXACT), []);
}));

test.serial('a command that is interrupted does not interrupt the rollback', (t) => scoped(async (scope) => {
  t.timeout(300_000);
  const { tree, good, state } = await ruined(scope);
  const child = spawn(process.execPath, [cli, 'rollback', '--to', 'good', '--yes', '--tree', tree.tree], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await until('it began', async () => (await tree.control('operations').catch(() => null)) !== null);
  child.kill('SIGINT');
  await ended;
  await until('it ended', async () => (await tree.control('operations'))['after'] !== null);
  t.is(await interrupted(tree), null);
  t.deepEqual(differences(good, await state(), EXACT), []);
}));

/** Bytes of a file system that are not free. */
function used(directory: string): number {
  const { blocks, bfree, bsize } = fs.statfsSync(directory);
  return (blocks - bfree) * bsize;
}

/** Room for a tree, and a way to take what is left of it. */
async function smallDisk(scope: Scope): Promise<{ directory: string; fill: () => Promise<unknown>; free: () => void }> {
  const disk = path.join(scope.temporary('disk'), 'small');
  fs.mkdirSync(disk);
  await must('mount', ['-t', 'tmpfs', '-o', 'size=24M', 'rewindfs-test', disk]);
  scope.defer(() => unmount(disk));
  const ballast = path.join(disk, 'ballast');
  const fill = async (): Promise<unknown> => {
    await until('what was removed is free', async () => used(disk) - Number(await shell(`du -sB1 ${disk} | cut -f1`)) < 1_000_000);
    return shell(`head -c 24000000 /dev/zero > ${ballast} || true`);
  };
  return { directory: path.join(disk, 'tree'), fill, free: () => fs.rmSync(ballast) };
}

test.serial('what a rollback of one path leaves beside it when it is cut off, goes when it is gone on with', (t) => scoped(async (scope) => {
  t.timeout(300_000);
  const { directory, fill, free } = await smallDisk(scope);
  const tree = await mountSettled(scope, { where: 'memory', tree: directory });
  await shell('mkdir shut; head -c 6000000 /dev/urandom > shut/big; chmod 555 shut', { cwd: tree.tree });
  await tree.rewind('mark', 'good');
  await shell('chmod 755 shut; rm shut/big; ln -s nowhere shut/big; chmod 555 shut', { cwd: tree.tree });
  await fill();
  t.is((await rewind(['rollback', 'shut/big', '--to', 'good', '--yes', '--tree', tree.tree], { timeoutMs: 120_000 })).code, 3);
  const shut = path.join(tree.tree, 'shut');
  t.deepEqual([fs.readdirSync(shut).length, fs.statSync(shut).mode & 0o777], [2, 0o755], 'a file that was not complete, in a directory that was opened for it');
  free();
  await tree.rewind('rollback', '--resume', '--yes');
  t.deepEqual([fs.readdirSync(shut), fs.statSync(shut).mode & 0o777, fs.statSync(path.join(shut, 'big')).size], [['big'], 0o555, 6_000_000]);
}));

test.serial('a disk that is full: what is missing is named, --resume goes on once there is room', (t) => scoped(async (scope) => {
  t.timeout(300_000);
  const { directory, fill, free } = await smallDisk(scope);
  const { tree, good, state } = await ruined(scope, directory);
  await fill();
  const failed: RunResult = await rewind(['rollback', '--to', 'good', '--yes', '--tree', tree.tree], { timeoutMs: 120_000 });
  t.is(failed.code, 3, failed.stderr);
  t.regex(failed.stderr, /ENOSPC[^]*--resume/);
  t.truthy(await interrupted(tree));
  free();
  await tree.rewind('rollback', '--resume', '--yes');
  t.deepEqual(differences(good, await state(), EXACT), []);
  t.is(await interrupted(tree), null);
  const again = await rewind(['rollback', '--resume', '--yes', '--tree', tree.tree]);
  t.is(again.code, 1);
  t.regex(again.stderr, /ERR_NOT_INTERRUPTED/);
}));

test.serial('what others changed since the crash stops --resume, unless --force', (t) => scoped(async (scope) => {
  t.timeout(300_000);
  const { tree, good, state } = await ruined(scope);
  await cutOff(tree, ['rollback', '--to', 'good']);
  fs.writeFileSync(path.join(tree.tree, 'work-of-today'), 'after the crash');
  const refused = await rewind(['rollback', '--resume', '--yes', '--tree', tree.tree], { timeoutMs: 120_000 });
  t.is(refused.code, 13, refused.stderr);
  t.regex(refused.stderr, /work-of-today/);
  t.true(fs.existsSync(path.join(tree.tree, 'work-of-today')));
  await tree.rewind('rollback', '--resume', '--force', '--yes');
  t.deepEqual(differences(good, await state(), EXACT), []);
}));
