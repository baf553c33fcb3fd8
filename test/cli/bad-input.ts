import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { baselineDone, cli, MountedTree, rewind } from '../helpers/mount.js';
import { hasEnded, run, until, type RunResult } from '../helpers/run.js';
import { asUser, userDirectory } from '../helpers/user.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { storeLayout } from '../../lib/store/layout.js';
import { DEAD_SERVER } from '../../lib/store/checks.js';

/** A tree with one file, and a place for its store; nothing is mounted yet. */
function fresh(scope: Scope, where: 'disk' | 'memory' = 'memory'): { place: string; tree: string; store: string } {
  const place = scope.temporary(where);
  const tree = path.join(place, 'tree');
  fs.mkdirSync(tree);
  fs.writeFileSync(path.join(tree, 'kept'), 'kept');
  return { place, tree, store: path.join(place, 'store') };
}

interface Failure { message_type: string; code: number; error: string; message: string; hint: string }

function failure(result: RunResult): Failure {
  const line = result.stderr.trim().split('\n').at(-1) ?? '';
  return JSON.parse(line) as Failure;
}

/** The command fails so, says so in JSON, and prints no data (but the instants that times were resolved to). */
async function refused(args: string[], code: number, error: string, message: RegExp, options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Promise<Failure> {
  const result = await rewind([...args, '--json'], options);
  const found = failure(result);
  if (result.code !== code || found.error !== error || !message.test(found.message) || found.message_type !== 'exit_error' || found.code !== code || /^(?!\{"type":"(instant|part)")./m.test(result.stdout)) {
    throw new Error(`rewind ${args.join(' ')}: exit ${result.code}, expected ${code} ${error} ${message}\n${result.stdout}\n${result.stderr}`);
  }
  return found;
}

test.serial('a command line that cannot be understood', async (t) => {
  await refused([], 2, 'ERR_USAGE', /Name a command/);
  await refused(['mnt'], 2, 'ERR_USAGE', /mount|mnt/);
  await refused(['mount'], 2, 'ERR_USAGE', /DIR|argument/i);
  await refused(['ls', '.', '--frobnicate'], 2, 'ERR_USAGE', /frobnicate/);
  await refused(['diff', '.'], 2, 'ERR_USAGE', /from/);
  const plain = await rewind(['mnt']);
  t.is(plain.code, 2);
  t.regex(plain.stderr, /^rewind: .*\(ERR_USAGE\)\n {2}See rewind --help/);
});

test.serial('an error that cannot be told, since stderr is a full disk, has its exit code all the same', async (t) => {
  t.is((await run('sh', ['-c', `"$0" "$1" ls --store /nowhere 2> /dev/full`, process.execPath, cli])).code, 10);
});

test.serial('a directory that is missing, is none, or cannot be protected', (t) => scoped(async (scope) => {
  const { tree, store } = fresh(scope);
  await refused(['mount', path.join(tree, 'none'), '--store', store], 1, 'ERR_NOT_FOUND', /none/);
  await refused(['mount', path.join(tree, 'kept'), '--store', store], 1, 'ERR_NOT_A_DIRECTORY', /kept/);
  await refused(['mount', '/proc/sys', '--store', store], 1, 'ERR_UNSUPPORTED_FILE_SYSTEM', /proc/);
  t.false(fs.existsSync(store));
}));

test.serial('a tree with a .snapshots of its own, until another name is given', (t) => scoped(async (scope) => {
  const { tree, store } = fresh(scope);
  fs.mkdirSync(path.join(tree, '.snapshots'));
  const found = await refused(['mount', tree, '--store', store], 1, 'ERR_SNAPSHOTS_NAME_TAKEN', /\.snapshots/);
  t.regex(found.hint, /--snapshots NAME/);
  t.false(fs.existsSync(store));
  const mounted = new MountedTree(scope, tree, store, ['--snapshots', '.past']);
  scope.defer(() => mounted.dispose());
  await mounted.mount();
  await baselineDone(mounted);
  t.deepEqual(fs.readdirSync(path.join(tree, '.past', '@now')), ['.snapshots', 'kept']);
}));

test.serial('a store inside the tree, a tree inside the store, a mountpoint inside the tree', (t) => scoped(async (scope) => {
  const { place, tree, store } = fresh(scope);
  await refused(['mount', tree, '--store', path.join(tree, 'store')], 1, 'ERR_STORE_INSIDE_TREE', /store/);
  await refused(['mount', tree, '--store', place], 1, 'ERR_TREE_INSIDE_STORE', /tree/);
  fs.mkdirSync(path.join(tree, 'mnt'));
  await refused(['mount', tree, '--store', store, '--at', path.join(tree, 'mnt')], 2, 'ERR_USAGE', /mnt/);
  await refused(['mount', tree, '--store', store, '--at', path.join(place, 'nowhere')], 1, 'ERR_NOT_FOUND', /nowhere/);
  t.deepEqual(fs.readdirSync(place), ['tree']);
}));

test.serial('something mounted inside the tree', (t) => scoped(async (scope) => {
  const { tree, store } = fresh(scope);
  fs.mkdirSync(path.join(tree, 'cache'));
  await run('mount', ['-t', 'tmpfs', 'none', path.join(tree, 'cache')]);
  scope.defer(async () => { await run('umount', [path.join(tree, 'cache')]); });
  await refused(['mount', tree, '--store', store], 1, 'ERR_MOUNT_INSIDE', /cache/);
  t.false(fs.existsSync(store));
}));

test.serial('a store of another tree, of a newer format, or that is garbled, stays as it is', (t) => scoped(async (scope) => {
  const { place, tree, store } = fresh(scope);
  const other = path.join(place, 'other');
  fs.mkdirSync(other);
  const mounted = new MountedTree(scope, tree, store);
  await mounted.mount();
  await mounted.unmount();
  const { description } = storeLayout(store);
  const good = fs.readFileSync(description, 'utf8');
  await refused(['mount', other, '--store', store], 1, 'ERR_STORE_OF_OTHER_TREE', /other/);
  for (const [text, code, error] of [[good.replace('"format": 1', '"format": 99'), 1, 'ERR_STORE_FORMAT'], ['{ half', 14, 'ERR_STORE_CORRUPT']] as const) {
    fs.writeFileSync(description, text);
    await refused(['mount', tree, '--store', store], code, error, /store\.json/);
    await refused(['log', '--store', store], code, error, /store\.json/);
    t.is(fs.readFileSync(description, 'utf8'), text);
  }
  fs.writeFileSync(description, good);
  await mounted.mount();
  await mounted.dispose();
}));

test.serial('a directory that is no store', (t) => scoped(async (scope) => {
  const { place, tree } = fresh(scope);
  await refused(['log', '--store', tree], 10, 'ERR_NO_STORE', /store\.json/);
  await refused(['log', tree], 10, 'ERR_NO_STORE', /no protected tree/);
  await refused(['mount', tree, '--store', '/etc'], 1, 'ERR_EXISTS', /not empty/);
  t.deepEqual(fs.readdirSync(place), ['tree']);
}));

test.serial('a tree that is mounted already, a busy one, and one that is not mounted', (t) => scoped(async (scope) => {
  const { place, tree, store } = fresh(scope);
  const mounted = new MountedTree(scope, tree, store);
  scope.defer(() => mounted.dispose());
  await mounted.mount();
  await baselineDone(mounted);
  await refused(['mount', tree, '--store', path.join(place, 'second')], 1, 'ERR_ALREADY_MOUNTED', /mounted already/);
  t.false(fs.existsSync(path.join(place, 'second')));
  const user = await openFile(path.join(tree, 'kept'), scope);
  const busy = await refused(['unmount', tree], 1, 'ERR_BUSY', /in use/);
  t.regex(busy.hint, new RegExp(`sleep \\(${user}\\)`));
  t.is(fs.readFileSync(path.join(tree, '.snapshots', '@now', 'kept'), 'utf8'), 'kept');
  process.kill(user);
  await until('who was in the tree has ended', () => hasEnded(user));
  await mounted.unmount();
  await refused(['rollback', '--to', 'now', '--yes', '--store', store], 1, 'ERR_NOT_MOUNTED', /not mounted/);
  await refused(['mark', 'x', '--store', store], 1, 'ERR_NOT_MOUNTED', /not mounted/);
  await refused(['unmount', '--store', store], 1, 'ERR_NOT_MOUNTED', /not mounted/);
}));

/** A process that holds a file open; resolves to its pid. */
async function openFile(file: string, scope: Scope): Promise<number> {
  const { stdout } = await run('bash', ['-c', `sleep 600 < "$1" > /dev/null 2>&1 & echo $!`, 'bash', file]);
  const pid = Number(stdout);
  scope.defer(() => { try { process.kill(pid); } catch { /* it has ended */ } });
  return pid;
}

test.serial('times that cannot be read or lie outside history, and points that are none', (t) => scoped(async (scope) => {
  const { tree, store } = fresh(scope);
  const mounted = new MountedTree(scope, tree, store);
  scope.defer(() => mounted.dispose());
  await mounted.mount();
  await refused(['ls', tree, '--at', '25:99'], 2, 'ERR_TIME_SYNTAX', /25:99/);
  const early = await refused(['ls', tree, '--at', '1999-01-01'], 1, 'ERR_TIME_RANGE', /1999/);
  t.regex(early.hint, /#\d+.*to.*#\d+/);
  await refused(['cat', path.join(tree, 'kept'), '--at', '#999999'], 1, 'ERR_TIME_RANGE', /outside/);
  await refused(['diff', tree, '--from', 'no-such-point'], 1, 'ERR_POINT_UNKNOWN', /no-such-point/);
  await refused(['mark', '10m', '--tree', tree], 2, 'ERR_POINT_NAME', /10m/);
  await refused(['mark', 'a b', '--tree', tree], 2, 'ERR_POINT_NAME', /a b/);
  t.throws(() => fs.readdirSync(path.join(tree, '.snapshots', '@25:99')), { code: 'ENOENT' });
}));

test.serial('a path that never existed, that did not exist then, that lies elsewhere', (t) => scoped(async (scope) => {
  const { place, tree, store } = fresh(scope);
  const mounted = new MountedTree(scope, tree, store);
  scope.defer(() => mounted.dispose());
  await mounted.mount();
  fs.writeFileSync(path.join(tree, 'report.txt'), 'x');
  const { seq } = await mounted.settled();
  fs.rmSync(path.join(tree, 'report.txt'));
  const never = await refused(['cat', path.join(tree, 'raport.txt')], 1, 'ERR_NEVER_EXISTED', /raport\.txt/);
  t.regex(never.hint, /report\.txt/);
  await refused(['log', path.join(tree, 'raport.txt')], 1, 'ERR_NEVER_EXISTED', /raport\.txt/);
  await refused(['cat', path.join(tree, 'report.txt'), '--at', 'now'], 1, 'ERR_NOT_THEN', /report\.txt/);
  t.is((await rewind(['cat', path.join(tree, 'report.txt'), '--at', `#${seq}`])).stdout, 'x');
  await refused(['cat', path.join(place, 'elsewhere'), '--tree', tree], 2, 'ERR_USAGE', /elsewhere/);
  await refused(['restore', path.join(tree, 'kept'), '--at', 'now', '--into', tree], 1, 'ERR_EXISTS', /kept/);
  await refused(['rollback', '--to', 'now', '--tree', tree, path.join(tree, 'nothing-like-it')], 1, 'ERR_NEVER_EXISTED', /nothing-like-it/);
}));

test.serial('a question with nobody to answer it changes nothing', (t) => scoped(async (scope) => {
  const { tree, store } = fresh(scope);
  const mounted = new MountedTree(scope, tree, store);
  scope.defer(() => mounted.dispose());
  await mounted.mount();
  const { seq } = await mounted.settled();
  fs.writeFileSync(path.join(tree, 'kept'), 'changed');
  const result = await rewind(['rollback', '--to', `#${seq}`, '--tree', tree]);
  t.is(result.code, 1);
  t.regex(result.stderr, /ERR_REFUSED/);
  t.is(fs.readFileSync(path.join(tree, 'kept'), 'utf8'), 'changed');
}));

test.serial('a machine without /dev/fuse', (t) => scoped(async (scope) => {
  const { tree, store } = fresh(scope, 'disk');
  const result = await run('unshare', ['--mount', 'sh', '-c', 'mount -t tmpfs none /dev && exec "$@"', 'sh', process.execPath, cli, 'mount', tree, '--store', store, '--json']);
  t.is(failure(result).error, 'ERR_NO_FUSE');
  t.is(result.code, 1);
  t.false(fs.existsSync(store));
}));

test.serial('a user who may not, and one without fusermount3', (t) => scoped(async (scope) => {
  const { place, tree, store } = fresh(scope);
  const mine = userDirectory(place);
  const others = await asUser(place, ['mount', tree, '--json']);
  t.is(failure(others).error, 'ERR_NO_PERMISSION', others.stderr);
  const helperless = await asUser(place, ['mount', mine, '--json'], { PATH: '/nowhere' });
  t.is(failure(helperless).error, 'ERR_NO_FUSERMOUNT', helperless.stderr);
  const mounted = new MountedTree(scope, tree, store);
  scope.defer(() => mounted.dispose());
  await mounted.mount();
  const stranger = await asUser(place, ['log', '--store', store, '--json']);
  t.is(failure(stranger).error, 'ERR_NO_PERMISSION', stranger.stderr);
}));

test.serial('a store that another process uses', (t) => scoped(async (scope) => {
  const { place, tree, store } = fresh(scope);
  const mounted = new MountedTree(scope, tree, store);
  await mounted.mount();
  await mounted.unmount();
  const holder = await run('bash', ['-c', 'flock "$1" sh -c "echo > $2; exec sleep 600" > /dev/null 2>&1 & echo $!', 'bash', storeLayout(store).lock, path.join(place, 'held')]);
  scope.defer(async () => { await run('bash', ['-c', `pkill -P ${holder.stdout.trim()}; kill ${holder.stdout.trim()}; true`]); });
  await until('it is held', () => fs.existsSync(path.join(place, 'held')));
  await refused(['mount', tree, '--store', store], 11, 'ERR_STORE_LOCKED', /in use/);
  await run('bash', ['-c', `pkill -P ${holder.stdout.trim()}; true`]);
  t.is((await rewind(['log', '--store', store])).code, 0);
}));

test.serial('a journal that is damaged in its middle, and a damaged RocksDB', (t) => scoped(async (scope) => {
  const { tree, store } = fresh(scope);
  const mounted = new MountedTree(scope, tree, store);
  await mounted.mount();
  await mounted.unmount();
  const layout = storeLayout(store);
  const current = path.join(layout.history, 'CURRENT');
  const good = fs.readFileSync(current);
  fs.writeFileSync(current, 'MANIFEST-999999\n');
  await refused(['mount', tree, '--store', store], 14, 'ERR_HISTORY_CORRUPT', /history/);
  await refused(['log', '--store', store], 14, 'ERR_HISTORY_CORRUPT', /history/);
  t.is(fs.readFileSync(current, 'utf8'), 'MANIFEST-999999\n');
  t.is(fs.readFileSync(path.join(tree, 'kept'), 'utf8'), 'kept');
  fs.writeFileSync(current, good);
  const segment = path.join(layout.journal, fs.readdirSync(layout.journal).filter((name) => name.endsWith('.seg')).sort()[0]!);
  const head = fs.readFileSync(segment).subarray(0, 64);
  const file = fs.openSync(segment, 'r+');
  fs.writeSync(file, Buffer.from([head[20]! ^ 0xff]), 0, 1, 20);
  fs.closeSync(file);
  await refused(['mount', tree, '--store', store], 14, 'ERR_JOURNAL_CORRUPT', /journal/);
  const again = fs.openSync(segment, 'r+');
  fs.writeSync(again, head, 0, 64, 0);
  fs.closeSync(again);
  await mounted.mount();
  await mounted.dispose();
}));

test.serial('a daemon that was killed: reading goes on, and mount cleans up', (t) => scoped(async (scope) => {
  const { tree, store } = fresh(scope);
  const mounted = new MountedTree(scope, tree, store);
  scope.defer(() => mounted.dispose());
  await mounted.mount();
  await baselineDone(mounted);
  fs.writeFileSync(path.join(tree, 'kept'), 'written before the kill');
  await mounted.kill();
  const dead = t.throws(() => fs.statSync(tree)) as NodeJS.ErrnoException;
  t.true(DEAD_SERVER.includes(dead.code ?? ''), dead.code);
  const read = await rewind(['cat', path.join(tree, 'kept')]);
  t.is(read.code, 0, read.stderr);
  t.is(read.stdout, 'written before the kill');
  t.regex(read.stderr, /daemon .* has died/);
  await mounted.mount();
  t.is(fs.readFileSync(path.join(tree, 'kept'), 'utf8'), 'written before the kill');
}));
