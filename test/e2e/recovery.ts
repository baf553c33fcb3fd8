/** Damaged files on a real disk that fails: an ext4 in a loop device whose image has lost its end. */
import test, { type ExecutionContext } from 'ava';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { openTree, type LogRow, type PointRow, type RecoveryRow, type StatusRow } from '../../lib/index.js';
import { unmount } from '../helpers/disk.js';
import { baselineDone, mountTree, rewind, type MountedTree } from '../helpers/mount.js';
import { must, run, shell, until } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';

const SIZE = 2 << 20;
const CONTENT = Buffer.from(Array.from({ length: SIZE / 4 }, (_, i) => Math.imul(i, 2654435761) >>> 0).flatMap((n) => [n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24]));
const hashOf = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

const RULES = `[[rule]]
match = "*.db"
recover = "automatic"
retries = 2
timeout = "5s"
check = "never"
`;

/** A disk: the tree on it is mounted, and its files can be reached behind the mount's back. */
interface Disk {
  image: string;
  tree: MountedTree;
  /** The directory below the mount. */
  below: string;
}

interface DiskOptions {
  /** Bytes of the file system that holds the image. */
  room?: number;
  /** Before the tree is mounted for the first time. */
  prepare?: (disk: Omit<Disk, 'tree'>) => Promise<void>;
}

async function disk(scope: Scope, rules: string, { room = 200 << 20, prepare }: DiskOptions = {}): Promise<Disk> {
  const top = scope.temporary('memory');
  const at = (name: string): string => path.join(top, name);
  for (const name of ['holder', 'disk', 'again']) fs.mkdirSync(at(name));
  await must('mount', ['-t', 'tmpfs', '-o', `size=${room}`, 'tmpfs', at('holder')]);
  scope.defer(() => unmount(at('holder')));
  const image = path.join(at('holder'), 'image');
  fs.closeSync(fs.openSync(image, 'w'));
  fs.truncateSync(image, 64 << 20);
  // One group of blocks and no journal: what is not a file's lies in front.
  await must('mkfs.ext4', ['-q', '-F', '-b', '4096', '-O', '^has_journal,^resize_inode', '-E', 'nodiscard', image]);
  const device = (await must('losetup', ['--find', '--show', image])).trim();
  scope.defer(async () => { await run('losetup', ['-d', device]); });
  for (const name of ['disk', 'again']) {
    await must('mount', [device, at(name)]);
    scope.defer(() => unmount(at(name)));
  }
  fs.mkdirSync(path.join(at('disk'), 'tree'));
  fs.writeFileSync(path.join(at('disk'), 'filler'), Buffer.alloc(16 << 20, 'x'));
  const below = path.join(at('again'), 'tree');
  await prepare?.({ image, below });
  const tree = await mountTree(scope, { tree: path.join(at('disk'), 'tree'), where: 'memory' });
  await setRules(tree, rules);
  await baselineDone(tree);
  return { image, tree, below };
}

async function setRules(tree: MountedTree, rules: string): Promise<void> {
  fs.writeFileSync(path.join(tree.store, 'policy.toml'), rules);
  const good = path.join(tree.store, 'policy.good.toml');
  await until('the policy is in force', () => fs.existsSync(good) && fs.readFileSync(good, 'utf8') === rules);
}

/** The kernel forgets what it has of a file: the next read comes from the disk. */
async function forget(...files: string[]): Promise<void> {
  for (const file of files) await run('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
}

/** From the middle of its content on, the file lies where the disk ends. */
async function breakDisk({ image, below }: Omit<Disk, 'tree'>, name: string): Promise<void> {
  const file = path.join(below, name);
  await must('sync', ['-f', file]);
  const extents = [...(await must('filefrag', ['-v', file])).matchAll(/^\s*\d+:\s*(\d+)\.\.\s*(\d+):\s*(\d+)\.\./gm)].map((match) => match.slice(1).map(Number) as [number, number, number]);
  const half = SIZE / 2 / 4096;
  const extent = extents.find(([first, last]) => first <= half && half <= last)!;
  fs.truncateSync(image, (extent[2] + half - extent[0]) * 4096);
  await forget(file);
  const read = await run('cat', [file]);
  if (read.code === 0 || !/Input\/output error/.test(read.stderr)) throw new Error(`the disk did not break: ${read.code} ${read.stderr}`);
}

const jobs = async (tree: MountedTree): Promise<RecoveryRow[]> => await tree.items('recoveries') as unknown as RecoveryRow[];

const points = (tree: MountedTree): Promise<PointRow[]> => tree.points({ kinds: ['recover'] });

async function jobEnded(tree: MountedTree, name: string): Promise<RecoveryRow> {
  let found: RecoveryRow | undefined;
  await until(`a job for ${name} has ended`, async () => {
    found = (await jobs(tree)).find((job) => job.path === name);
    return found !== undefined && found.result !== 'running';
  }, 60_000);
  return found!;
}

/** What lies behind the image's end has no room left. */
async function fill(image: string): Promise<void> {
  await run('dd', ['if=/dev/zero', `of=${image}.full`, 'bs=1M', 'status=none']);
}

/** What the disk itself has. */
async function onDisk({ below }: Disk, name: string): Promise<string> {
  await forget(path.join(below, name));
  return hashOf(fs.readFileSync(path.join(below, name)));
}

/** As a program reads it, from the disk. */
async function programReads(tree: MountedTree, name: string): Promise<{ code: number | null; hash: string }> {
  const file = path.join(tree.tree, name);
  await forget(file);
  const { code, stdout } = await run('sha256sum', [file], { timeoutMs: 60_000 });
  return { code, hash: stdout.split(' ')[0]! };
}

/** What `watch` says from now on. */
async function watch(scope: Scope, tree: MountedTree): Promise<(LogRow | RecoveryRow)[]> {
  const open = await openTree({ path: tree.tree });
  const stop = new AbortController();
  const seen: (LogRow | RecoveryRow)[] = [];
  const watching = (async () => { for await (const row of open.call('watch', {}, stop.signal)) if (!('type' in row) || row.type !== 'alarm') seen.push(row); })();
  scope.defer(async () => {
    stop.abort();
    await watching;
    await open.close();
  });
  await until('it watches', () => {
    fs.writeFileSync(path.join(tree.tree, 'ping'), '');
    return seen.length > 0;
  });
  return seen;
}

function write(t: ExecutionContext, tree: MountedTree, name: string): void {
  const fd = fs.openSync(path.join(tree.tree, name), 'w', 0o640);
  t.is(fs.writeSync(fd, CONTENT), SIZE);
  fs.fsyncSync(fd);
  fs.closeSync(fd);
}

test.serial('a read of a file that the disk has lost succeeds, and the file is put back', (t) => scoped(async (scope) => {
  const broken = await disk(scope, RULES);
  const { tree, below } = broken;
  write(t, tree, 'app.db');
  const before = fs.statSync(path.join(tree.tree, 'app.db'));
  await breakDisk(broken, 'app.db');
  t.deepEqual(await programReads(tree, 'app.db'), { code: 0, hash: hashOf(CONTENT) });
  const job = await jobEnded(tree, 'app.db');
  t.like(job, { cause: 'read', result: 'recovered', tries_left: 1 });
  t.regex(job.note, /1048576 bytes cannot be read/);
  t.is(job.writer!.exe.split('/').at(-1), 'sha256sum');
  t.is(await onDisk(broken, 'app.db'), hashOf(CONTENT), 'the disk has it again');
  const after = fs.statSync(path.join(below, 'app.db'));
  t.like(after, { ino: before.ino, size: SIZE, mode: before.mode, mtimeMs: before.mtimeMs });
  t.is(await tree.rewind('cat', path.join(tree.tree, 'app.db')), CONTENT.toString(), 'and so has history');
  await until('its points are made', async () => (await points(tree)).length === 2);
  t.deepEqual((await points(tree)).map(({ phase }) => phase), ['before', 'after']);
  t.deepEqual((await tree.status())['recovery'], { running: 0, failed: [] } satisfies StatusRow['recovery']);
}));

test.serial('a file under no such rule, or under a paused one, fails as it does on the disk itself', (t) => scoped(async (scope) => {
  const broken = await disk(scope, RULES);
  const { tree } = broken;
  write(t, tree, 'app.dat');
  await breakDisk(broken, 'app.dat');
  t.is((await programReads(tree, 'app.dat')).code, 1);
  const fd = fs.openSync(path.join(tree.tree, 'app.dat'), 'r');
  await forget(path.join(tree.tree, 'app.dat'));
  t.is(fs.readSync(fd, Buffer.alloc(4096), 0, 4096, 4096), 4096, 'what is not lost can be read');
  t.is(fs.readSync(fd, Buffer.alloc(SIZE), 0, SIZE, 0), SIZE / 2);
  t.throws(() => fs.readSync(fd, Buffer.alloc(SIZE), 0, SIZE / 2, SIZE / 2), { code: 'EIO' }, 'it does not seem to end there');
  t.is(fs.fstatSync(fd).size, SIZE);
  fs.closeSync(fd);
  t.deepEqual(await jobs(tree), []);
  await tree.rewind('policy', 'set', '*.dat', 'recover=automatic', 'check=never');
  await until('it is under a rule', async () => (await tree.control('policy', { paths: [{ path: 'app.dat', directory: false }] }) as { recovery: { recover: string } }).recovery.recover === 'automatic');
  await tree.rewind('policy', 'pause', '*.dat');
  await until('it is not', async () => (await tree.control('policy', { paths: [{ path: 'app.dat', directory: false }] }) as { recovery: { recover: string } }).recovery.recover === 'notified');
  t.is((await programReads(tree, 'app.dat')).code, 1);
  // A program that notices may ask.
  await tree.rewind('notify', '--recover', path.join(tree.tree, 'app.dat'));
  t.deepEqual(await programReads(tree, 'app.dat'), { code: 0, hash: hashOf(CONTENT) });
  t.is(await onDisk(broken, 'app.dat'), hashOf(CONTENT));
}));

test.serial('where the disk takes no writes any more reads still succeed; the tries run out, which is said and kept over a restart', (t) => scoped(async (scope) => {
  const broken = await disk(scope, RULES, { room: 40 << 20 });
  const { tree, image } = broken;
  write(t, tree, 'app.db');
  await breakDisk(broken, 'app.db');
  await fill(image);
  const seen = await watch(scope, tree);
  t.deepEqual(await programReads(tree, 'app.db'), { code: 0, hash: hashOf(CONTENT) });
  const job = await jobEnded(tree, 'app.db');
  t.like(job, { result: 'failed', tries_left: 0 });
  await until('the watcher is told', () => seen.some((row) => 'result' in row));
  t.like(seen.find((row) => 'result' in row), { path: 'app.db', result: 'failed' });
  t.deepEqual(await programReads(tree, 'app.db'), { code: 0, hash: hashOf(CONTENT) }, 'history answers still');
  await until('the log says it', () => /app\.db could not be recovered/.test(fs.readFileSync(path.join(tree.store, 'daemon.log'), 'utf8')));
  for (let round = 0; round < 2; round++) {
    t.regex(await tree.rewind('status'), /DAMAGED +app\.db: .*could not be put back/);
    if (round === 0) {
      await tree.unmount();
      await tree.mount();
    }
  }
  fs.rmSync(`${image}.full`);
  await tree.rewind('notify', '--recover', path.join(tree.tree, 'app.db'));
  t.notRegex(await tree.rewind('status'), /DAMAGED/);
  t.is(await onDisk(broken, 'app.db'), hashOf(CONTENT));
}));

test.serial('a write that the disk fails is told to the program, and the file is put back', (t) => scoped(async (scope) => {
  const broken = await disk(scope, RULES);
  const { tree } = broken;
  write(t, tree, 'app.db');
  await breakDisk(broken, 'app.db');
  const fd = fs.openSync(path.join(tree.tree, 'app.db'), 'r+');
  t.throws(() => fs.writeSync(fd, 'broken', 3 * SIZE / 4 + 5), { code: 'EIO' }, 'of a block that cannot be read a part cannot be written');
  fs.closeSync(fd);
  t.like(await jobEnded(tree, 'app.db'), { cause: 'write', result: 'recovered' });
  t.is(await onDisk(broken, 'app.db'), hashOf(CONTENT));
}));

test.serial('content that is no longer what was written is found on schedule, kept in history and put back', (t) => scoped(async (scope) => {
  const whole = await disk(scope, RULES.replace('never', '1s'));
  const { tree, below } = whole;
  for (const name of ['app.db', 'short.db', 'long.db', 'free.dat']) write(t, tree, name);
  await until('a first comparison was made', () => fs.existsSync(path.join(tree.store, 'recoveries.json')));
  for (const name of ['app.db', 'free.dat']) await shell(`printf rotten | dd of=${below}/${name} bs=1 seek=700000 conv=notrunc status=none`);
  fs.truncateSync(path.join(below, 'short.db'), 5000);
  fs.appendFileSync(path.join(below, 'long.db'), 'more');
  for (const name of ['app.db', 'short.db', 'long.db']) {
    t.like(await jobEnded(tree, name), { cause: 'check', result: 'recovered', writer: null }, name);
    t.is(await onDisk(whole, name), hashOf(CONTENT), name);
    t.is((await programReads(tree, name)).hash, hashOf(CONTENT), name);
  }
  t.not(await onDisk(whole, 'free.dat'), hashOf(CONTENT), 'not under the rule');
  const rotten = Buffer.from(CONTENT);
  rotten.write('rotten', 700_000);
  const then = (await points(tree)).find(({ phase, note }) => phase === 'before' && note.startsWith('app.db:'))!;
  t.is((await tree.rewind('cat', path.join(tree.tree, 'app.db'), '--at', `#${then.seq}`)), rotten.toString(), 'what was found is in history');
  t.is((await jobs(tree)).length, 3);
}));

test.serial('a job that a dead daemon left goes on at the next mount, with the tries that are left', (t) => scoped(async (scope) => {
  const broken = await disk(scope, RULES.replace('retries = 2', 'retries = 50'), { room: 40 << 20 });
  const { tree, image } = broken;
  write(t, tree, 'app.db');
  await breakDisk(broken, 'app.db');
  await fill(image);
  t.deepEqual(await programReads(tree, 'app.db'), { code: 0, hash: hashOf(CONTENT) });
  await until('a try has failed', async () => (await jobs(tree))[0]?.note !== '' && (await jobs(tree))[0]!.tries_left < 50);
  await tree.kill();
  fs.rmSync(`${image}.full`);
  await tree.mount();
  const job = await jobEnded(tree, 'app.db');
  t.like(job, { id: 1, cause: 'read', result: 'recovered' });
  t.true(job.tries_left < 49 && job.tries_left > 0);
  t.is(await onDisk(broken, 'app.db'), hashOf(CONTENT));
}));

test.serial('what a mount could not read is not made up: neither a program nor the disk gets anything else in its place', (t) => scoped(async (scope) => {
  const { tree, image } = await disk(scope, RULES.replace('never', '1s'), {
    async prepare(early) {
      fs.writeFileSync(path.join(early.below, 'old.db'), CONTENT);
      await breakDisk(early, 'old.db');
    },
  });
  const left = fs.statSync(image).size;
  t.is((await programReads(tree, 'old.db')).code, 1);
  t.like(await jobEnded(tree, 'old.db'), { result: 'failed', note: 'old.db is no file whose whole content is in history' });
  const asked = await rewind(['notify', '--recover', path.join(tree.tree, 'old.db')], { timeoutMs: 60_000 });
  t.is(asked.code, 1);
  t.regex(asked.stderr, /content is not in history.*ERR_NOT_RECOVERED/);
  t.is(fs.statSync(image).size, left, 'nothing was written there');
  // Nor does anybody who looks back, or goes back.
  const { seq } = await tree.status();
  t.regex((await rewind(['cat', path.join(tree.tree, 'old.db'), '--at', `#${seq}`])).stderr, /ERR_NOT_CAPTURED/);
  t.regex((await run('cat', [path.join(tree.tree, '.snapshots', `@#${seq}`, 'old.db')])).stderr, /No data available/);
  t.regex(await tree.rewind('gaps'), /old\.db: content could not be read \(EIO\)/);
  fs.rmSync(path.join(tree.tree, 'old.db'));
  const rolled = (await tree.rewind('rollback', '--to', `#${seq}`, '--yes', '--json')).split('\n').filter(Boolean).map((line) => JSON.parse(line) as { type: string; action?: string; path?: string });
  t.deepEqual(rolled.filter(({ type }) => type === 'entry').map(({ action, path: where }) => [action, where]), [['skip', 'old.db']]);
  t.false(fs.existsSync(path.join(tree.tree, 'old.db')));
  // Once it is written anew, all of it is known.
  write(t, tree, 'old.db');
  t.is((await programReads(tree, 'old.db')).hash, hashOf(CONTENT));
}));

test.serial('a program that asks gets the last version that was said to be good, then older ones; manual refuses', (t) => scoped(async (scope) => {
  const { tree } = await disk(scope, '[[rule]]\nmatch = "mine"\nrecover = "manual"\n');
  const file = path.join(tree.tree, 'f');
  fs.writeFileSync(file, 'one');
  fs.writeFileSync(file, 'two');
  await tree.rewind('notify', file);
  fs.writeFileSync(file, 'three');
  fs.writeFileSync(file, 'four');
  const recover = async (...args: string[]) => rewind(['notify', '--recover', file, ...args], { timeoutMs: 60_000 });
  for (const wanted of ['two', 'one']) {
    const done = await recover();
    t.is(done.code, 0, done.stderr);
    t.is(fs.readFileSync(file, 'utf8'), wanted);
  }
  const none = await recover();
  t.is(none.code, 1);
  t.regex(none.stderr, /no other version.*ERR_NOT_RECOVERED/);
  t.is(fs.readFileSync(file, 'utf8'), 'one');
  await tree.rewind('undo', '--yes');
  t.is(fs.readFileSync(file, 'utf8'), 'two');
  t.is((await recover('--to', 'last-notify')).code, 0);
  t.is(fs.readFileSync(file, 'utf8'), 'two');
  fs.writeFileSync(path.join(tree.tree, 'mine'), 'x');
  const refused = await rewind(['notify', '--recover', path.join(tree.tree, 'mine')]);
  t.regex(refused.stderr, /recover = "manual".*ERR_REFUSED/);
  t.regex((await rewind(['notify', '--recover', tree.tree])).stderr, /not a regular file/);
  const well = await tree.rewind('policy', 'status');
  t.regex(well, /asked +node\[\d+\] .* recovered +f /);
}));
