/**
 * The disk of the store fails in every way, and integrity comes first: changes are refused, nothing unrecorded happens, people are
 * told what to do, and all goes on by itself, or by an unmount and a mount.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { unmount } from '../helpers/disk.js';
import { baselineDone, mountSettled, mountTree, rewind, type MountedTree } from '../helpers/mount.js';
import { must, until } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { liveAgainstNewest } from './support/newest.js';
import { MortalDisk } from './support/mortal-disk.js';

const MiB = 1 << 20;

/** Changes of a tree, and what each of them was answered. */
class Changes {
  readonly made = new Map<string, Buffer>();

  constructor(private readonly tree: string) {}

  /** One more; the errno's name when it is refused. */
  one(size = 10): string | null {
    const name = `change-${this.made.size}`;
    const content = randomBytes(size);
    try {
      fs.writeFileSync(path.join(this.tree, name), content);
      this.made.set(name, content);
      return null;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code!;
    }
  }

  async untilRefused(code: string, size = 10): Promise<void> {
    let last: string | null = null;
    await until(`changes are refused with ${code}`, () => (last = this.one(size)) === code, 60_000).catch((error: Error) => { throw new Error(`${error.message}; the last answer was ${last}`); });
  }

  async untilTaken(): Promise<void> {
    await until('changes are taken again', () => this.one() === null);
  }
}

/** Everything that was acknowledged is in history, and so is all else that the tree holds. */
async function checkWhole(t: ExecutionContext, mounted: MountedTree, { made }: Changes): Promise<void> {
  await mounted.settled();
  t.is((await mounted.status())['failed'], null);
  t.deepEqual(await liveAgainstNewest(mounted), []);
  const newest = path.join(mounted.tree, '.snapshots/@now');
  for (const [name, content] of made) t.true(fs.readFileSync(path.join(newest, name)).equals(content), name);
}

/** A new daemon takes over what was on stable storage. */
async function checkAfterMount(t: ExecutionContext, mounted: MountedTree, changes: Changes, seq: number): Promise<void> {
  await mounted.mount();
  await baselineDone(mounted);
  const begun = await mounted.control('resolve', { time: 'last-mount', time_zone: 'UTC' });
  t.is(changes.one(), null);
  await checkWhole(t, mounted, changes);
  // Where the disk had all of it nothing is missing.
  if (Number(begun['seq']) <= seq) t.regex(await mounted.rewind('gaps'), /while the tree was not mounted/, 'what the disk had not is named');
}

function sync(file: string): void {
  const fd = fs.openSync(file, 'r+');
  fs.fsyncSync(fd);
  fs.closeSync(fd);
}

const log = (mounted: MountedTree): string => fs.readFileSync(path.join(mounted.store, 'daemon.log'), 'utf8');

/** A mounted tree whose database alone is on this disk. */
async function treeWithDatabaseOn(scope: Scope, disk: string, args: string[] = []): Promise<MountedTree> {
  const store = path.join(scope.temporary('memory'), 'store');
  const tree = path.join(scope.temporary('memory'), 'tree');
  fs.mkdirSync(tree);
  const mounted = await mountTree(scope, { tree, store, args });
  await mounted.unmount();
  await must('mv', [path.join(store, 'history'), disk]);
  fs.symlinkSync(path.join(disk, 'history'), path.join(store, 'history'));
  await mounted.mount();
  await baselineDone(mounted);
  return mounted;
}

test.serial('the store\'s disk is gone: changes are refused; the tree can be unmounted, and once the disk is back a mount goes on', async (t) => {
  t.timeout(240_000);
  await scoped(async (scope) => {
    const disk = await MortalDisk.make(scope, 700);
    const mounted = await mountSettled(scope, { where: 'memory', store: path.join(disk.at, 'store') });
    const changes = new Changes(mounted.tree);
    for (let i = 0; i < 20; i++) t.is(changes.one(), null);
    sync(path.join(mounted.tree, 'change-0'));
    for (let i = 0; i < 20; i++) t.is(changes.one(), null);
    await disk.die();
    await changes.untilRefused('EIO');
    t.true(fs.readFileSync(path.join(mounted.tree, 'change-0')).equals(changes.made.get('change-0')!), 'reading goes on');
    const { failed, failed_hint, seq } = await mounted.status();
    t.regex(String(failed), /The journal cannot be written \(EIO\): every change of the tree fails with EIO/);
    t.regex(String(failed_hint), /unmount and mount again/);
    t.regex((await rewind(['status', mounted.tree])).stderr, /store\.json.*\n.*`rewind unmount` the tree, bring the disk back, and `rewind mount`/, 'and the command line, which finds no store');
    await mounted.unmount();
    await disk.comeBack();
    await checkAfterMount(t, mounted, changes, seq);
  });
});

test.serial('the store\'s disk turns read-only: the same, also when it is mounted anew under a daemon that still serves the tree', async (t) => {
  t.timeout(240_000);
  await scoped(async (scope) => {
    const disk = await MortalDisk.make(scope, 700);
    const mounted = await mountSettled(scope, { where: 'memory', store: path.join(disk.at, 'store') });
    const changes = new Changes(mounted.tree);
    for (let i = 0; i < 20; i++) t.is(changes.one(), null);
    sync(path.join(mounted.tree, 'change-0'));
    await disk.turnReadOnly();
    await changes.untilRefused('EIO');
    const { seq } = await mounted.status();
    t.regex(await mounted.rewind('status'), /^FAILED +The journal cannot be written \(EROFS\).*\n +Look at the disk of the store, then unmount and mount again/m);
    await disk.comeBack();
    await mounted.unmount();
    await checkAfterMount(t, mounted, changes, seq);
  });
});

test.serial('the database\'s disk is full: writers are refused at the backlog\'s limit instead of waiting for ever', async (t) => {
  t.timeout(240_000);
  await scoped(async (scope) => {
    const small = path.join(scope.temporary('memory'), 'small');
    fs.mkdirSync(small);
    await must('mount', ['-t', 'tmpfs', '-o', 'size=400M', 'rewindfs-test', small]);
    scope.defer(() => unmount(small));
    const mounted = await treeWithDatabaseOn(scope, small, ['--backlog-limit', '64']);
    const changes = new Changes(mounted.tree);
    t.is(changes.one(), null);
    await mounted.settled();
    const ballast = path.join(small, 'ballast');
    try {
      fs.writeFileSync(ballast, Buffer.alloc(500 * MiB));
    } catch { /* full */ }
    await changes.untilRefused('ENOSPC', 4 * MiB);
    const { failed, failed_hint } = await mounted.status();
    t.regex(`${failed}: ${failed_hint}`, /no room left for history.*Make room on that disk/);
    fs.rmSync(ballast);
    await changes.untilTaken();
    await checkWhole(t, mounted, changes);
    await until('the log says all of it', () => /History waits for the disk of the store.*(no room left|No space left)[^]*Changes are refused[^]*Make room on that disk[^]*(Changes are taken again[^]*History goes on|History goes on[^]*Changes are taken again)/.test(log(mounted)));
  });
});

test.serial('the database\'s disk dies, in the middle of compactions too, and comes back: history goes on by itself', async (t) => {
  t.timeout(240_000);
  await scoped(async (scope) => {
    const disk = await MortalDisk.make(scope, 300);
    const mounted = await treeWithDatabaseOn(scope, disk.at);
    const changes = new Changes(mounted.tree);
    for (let i = 0; i < 20; i++) t.is(changes.one(), null);
    await mounted.settled();
    await disk.die();
    for (let i = 0; i < 20; i++) t.is(changes.one(), null, 'the journal takes it');
    await until('history stands still', async () => (await mounted.status()).failed !== null);
    t.regex(log(mounted), /History waits for the disk of the store: .*Input\/output error[^]*Check the disk that holds the store/);
    t.is((await rewind(['pack', '--tree', mounted.tree])).code, 1, 'which compacts');
    t.is((await mounted.status()).pid, mounted.daemon, 'nothing of this ends the daemon');
    await disk.comeBack();
    await until('history goes on', async () => (await mounted.status()).failed === null);
    await checkWhole(t, mounted, changes);
    t.regex(log(mounted), /History goes on/);
    await mounted.rewind('pack');
    await checkWhole(t, mounted, changes);
    await mounted.unmount();
    await mounted.mount();
    await checkWhole(t, mounted, changes);
  });
});
