import test from 'ava';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { cli, mountSettled, rewind, rewindMust, type MountedTree } from '../helpers/mount.js';
import { run, shell, sleep, until } from '../helpers/run.js';
import { mountsUnder, scoped, type Scope } from '../helpers/scope.js';

/** JSON Lines. */
function lines(text: string): Record<string, unknown>[] {
  return text.trim() === '' ? [] : text.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function json(args: string[], options = {}): Promise<Record<string, unknown>[]> {
  return lines(await rewindMust([...args, '--json'], options));
}

function mounted(scope: Scope): Promise<MountedTree> {
  return mountSettled(scope, { where: 'memory' });
}

test.serial('status says who serves what, where, and how far', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  fs.writeFileSync(path.join(tree.tree, 'f'), 'x');
  const [status] = await json(['status', tree.tree]);
  t.like(status, { mounted: true, mountpoint: tree.tree, tree: tree.tree, store: tree.store, gaps: 0, failed: null });
  t.is(status!['transport_reason'] === null, status!['transport'] === 'io_uring');
  t.is(fs.readlinkSync(`/proc/${String(status!['pid'])}/cwd`), '/');
  t.like(status, { baseline: { state: 'done' } });
  t.true((status!['seq'] as number) > 0);
  await tree.unmount();
  const [after] = await json(['status', '--store', tree.store]);
  t.like(after, { mounted: false, pid: null, mountpoint: null });
  t.is(after!['seq'], after!['extracted_seq']);
}));

test.serial('doctor tells what a mounted tree uses, and why; of a tree that is not mounted it tells of the machine only', (t) => scoped(async (scope) => {
  const tree = await mountSettled(scope, { where: 'memory', transport: 'dev' });
  const ofTree = async () => (await json(['doctor', '--store', tree.store])).filter(({ name }) => name === 'this tree');
  t.deepEqual((await ofTree()).map(({ state, found }) => [state, found]), [['slower', `${tree.tree}, over /dev/fuse: asked for`]]);
  t.regex(await rewindMust(['doctor', tree.tree]), /slower +this tree .*asked for\n +-> rewind unmount/);
  await tree.unmount();
  t.deepEqual(await ofTree(), []);
}));

test.serial('log tells saves by writer, also of deleted paths, each once; --all-writes every record', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const file = path.join(tree.tree, 'notes.txt');
  await shell(`printf one > ${file}; printf two >> ${file}; printf three >> ${file}; rm ${file}`);
  const saves = await json(['log', file]);
  t.deepEqual(saves.map((row) => [row['marker'], row['ver'], row['size']]), [['delete', null, null], ['modify', 3, 11], ['modify', 2, 6], ['create', 1, 3]]);
  t.true(saves.every((row) => row['path'] === 'notes.txt' && typeof row['time'] === 'string' && /Z$/.test(row['time'] as string)));
  const writer = saves[1]!['writer'] as { pid: number; uid: number };
  t.true(writer.pid > 0);
  t.is(writer.uid, 0);
  t.is((await json(['log', file, '-n', '2'])).length, 2);
  t.is((await json(['log', tree.tree])).length, 4);
  const since = String(saves[2]!['seq']);
  t.deepEqual((await json(['log', file, '--since', `#${since}`])).map((row) => row['marker']), ['delete', 'modify']);
  t.deepEqual((await json(['log', file, '--until', `#${since}`])).map((row) => row['ver']), [2, 1]);
  const writes = await json(['log', file, '--all-writes']);
  t.true(writes.length > 4);
  t.true(writes.some((row) => row['kind'] === 'write' && row['offset'] === 3 && row['length'] === 3));
  const shown = await rewindMust(['log', file]);
  t.regex(shown, /^TIME +SEQ +MARKER +VER +SIZE +WRITER +PATH\n/);
}));

test.serial('ls and cat show the past exactly, by seq, by time and by name', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) >>> 3));
  fs.mkdirSync(path.join(tree.tree, 'd'), { mode: 0o750 });
  fs.writeFileSync(path.join(tree.tree, 'd', 'bin'), content);
  fs.symlinkSync('bin', path.join(tree.tree, 'd', 'link'));
  await tree.rewind('mark', 'full');
  const then = new Date().toISOString();
  await sleep(20);
  fs.rmSync(path.join(tree.tree, 'd'), { recursive: true });
  for (const at of ['full', then]) {
    const [echo, ...rows] = await json(['ls', path.join(tree.tree, 'd'), '--at', at]);
    t.like(echo, { at: { expression: at } });
    t.deepEqual(rows.map(({ path: name, type, size, target }) => [name, type, size, target]), [['d/bin', 'file', 300_000, undefined], ['d/link', 'symlink', 3, 'bin']]);
    const [whole] = await json(['cat', path.join(tree.tree, 'd/bin'), '--at', at]);
    t.true(Buffer.from(whole!['content_base64'] as string, 'base64').equals(content));
  }
  const human = await rewind(['ls', tree.tree, '--at', 'full']);
  t.regex(human.stdout, /^drwxr-x--- +\d+ +0 +0 +\d+ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} d$/m);
  t.regex(human.stderr, /^At .* \(#\d+\)$/m);
  await shell(`${process.execPath} ${cli} cat ${tree.tree}/d/bin --at full > ${tree.store}/../out`);
  t.true(fs.readFileSync(path.join(tree.store, '..', 'out')).equals(content));
}));

test.serial('diff names what differs, line by line when asked', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const at = (name: string) => path.join(tree.tree, name);
  for (const name of ['text', 'mode', 'gone', 'old-name']) fs.writeFileSync(at(name), `${name}\nsecond\n`);
  await tree.rewind('mark', 'before');
  fs.writeFileSync(at('text'), 'text\nchanged\n');
  fs.chmodSync(at('mode'), 0o600);
  fs.rmSync(at('gone'));
  fs.renameSync(at('old-name'), at('new-name'));
  fs.writeFileSync(at('fresh'), Buffer.from([0, 1, 2]));
  const [echo, ...rows] = await json(['diff', tree.tree, '--from', 'before', '-p']);
  t.like(echo, { from: { expression: 'before' }, to: { expression: 'now' } });
  const by = Object.fromEntries(rows.map((row) => [row['path'] as string, row]));
  t.is(by['text']!['patch'], '--- a/text\n+++ b/text\n@@ -1,2 +1,2 @@\n text\n-second\n+changed\n');
  t.like(by['mode'], { status: 'modified', what: { mode: true, content: false }, patch: null });
  t.like(by['gone'], { status: 'deleted' });
  t.like(by['new-name'], { status: 'renamed', from: 'old-name' });
  t.like(by['fresh'], { status: 'created', omitted: 'binary' });
  const human = await tree.rewind('diff', '--from', 'before');
  for (const line of ['c..... text', '.p.... mode', '-..... gone', 'R..... old-name -> new-name', '+..... fresh']) t.true(human.includes(line), `${line}\n${human}`);
}));

test.serial('a rollback shows its plan, does it, and is undone by another', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const at = (name: string) => path.join(tree.tree, name);
  fs.mkdirSync(at('src'));
  fs.writeFileSync(at('src/a'), 'a');
  fs.writeFileSync(at('other'), 'other');
  await tree.rewind('mark', 'good');
  fs.rmSync(at('src'), { recursive: true });
  fs.writeFileSync(at('other'), 'changed');
  fs.writeFileSync(at('extra'), 'extra');
  const plan = lines(await tree.rewind('rollback', '--to', 'good', '--dry-run', '--json'));
  t.deepEqual(plan.filter(({ type }) => type === 'entry').map(({ action, path: name }) => `${String(action)} ${String(name)}`).sort(),
    ['delete extra', 'restore src', 'restore src/a', 'update other']);
  t.false(fs.existsSync(at('src')));
  await tree.rewind('rollback', '--to', 'good', '--yes', at('src'));
  t.is(fs.readFileSync(at('src/a'), 'utf8'), 'a');
  t.is(fs.readFileSync(at('other'), 'utf8'), 'changed');
  const done = lines(await tree.rewind('rollback', '--to', 'good', '--yes', '--json')).at(-1)!;
  t.like(done, { type: 'done', counts: { restored: 0, updated: 1, deleted: 1 } });
  t.is(fs.readFileSync(at('other'), 'utf8'), 'other');
  t.false(fs.existsSync(at('extra')));
  await tree.rewind('rollback', '--to', `#${String(done['before'])}`, '--yes');
  t.is(fs.readFileSync(at('other'), 'utf8'), 'changed');
  t.is(fs.readFileSync(at('extra'), 'utf8'), 'extra');
  const points = lines(await tree.rewind('points', '--json'));
  t.deepEqual(points.map(({ kind }) => kind), ['mount', 'mark', ...Array<string>(6).fill('rollback')]);
}));

test.serial('a rollback to where the tree is changes nothing', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  fs.writeFileSync(path.join(tree.tree, 'f'), 'f');
  const { seq } = await tree.settled();
  const rows = lines(await tree.rewind('rollback', '--to', `#${seq}`, '--yes', '--json'));
  t.deepEqual(rows.map(({ type }) => type), ['instant', 'part', 'plan', 'done']);
  t.is((await tree.status()).seq, seq);
}));

test.serial('restore copies elsewhere and never overwrites', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const dest = path.join(scope.temporary('memory'), 'dest');
  fs.mkdirSync(path.join(tree.tree, 'd'));
  fs.writeFileSync(path.join(tree.tree, 'd/f'), 'then', { mode: 0o640 });
  await tree.rewind('mark', 'then');
  fs.rmSync(path.join(tree.tree, 'd'), { recursive: true });
  await tree.rewind('restore', 'd', '--at', 'then', '--into', dest);
  t.is(fs.readFileSync(path.join(dest, 'd/f'), 'utf8'), 'then');
  t.is(fs.statSync(path.join(dest, 'd/f')).mode & 0o777, 0o640);
  t.false(fs.existsSync(path.join(tree.tree, 'd')));
  fs.writeFileSync(path.join(dest, 'd/f'), 'mine');
  t.is((await rewind(['restore', 'd', '--at', 'then', '--into', dest, '--tree', tree.tree])).code, 1);
  t.is(fs.readFileSync(path.join(dest, 'd/f'), 'utf8'), 'mine');
}));

test.serial('watch prints each change as it happens, in order, until the tree is unmounted', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const child = spawn(process.execPath, [cli, 'watch', '--tree', tree.tree], { stdio: ['ignore', 'pipe', 'inherit'] });
  scope.defer(() => { child.kill('SIGKILL'); });
  const seen: Record<string, unknown>[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => seen.push(JSON.parse(line) as Record<string, unknown>));
  await until('the watcher listens', async () => {
    fs.writeFileSync(path.join(tree.tree, 'probe'), String(Date.now()));
    await sleep(100);
    return seen.length > 0;
  });
  seen.length = 0;
  fs.writeFileSync(path.join(tree.tree, 'first'), '1');
  fs.renameSync(path.join(tree.tree, 'first'), path.join(tree.tree, 'second'));
  fs.rmSync(path.join(tree.tree, 'second'));
  await until('the changes are seen', () => seen.some(({ marker }) => marker === 'delete'));
  const ours = seen.filter(({ path: name }) => name === 'first' || name === 'second');
  t.deepEqual(ours.map(({ kind }) => kind).filter((kind) => ['create', 'write', 'rename', 'unlink'].includes(String(kind))), ['create', 'write', 'rename', 'unlink']);
  const seqs = seen.map(({ seq }) => seq as number);
  t.deepEqual(seqs, [...seqs].sort((a, b) => a - b));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await tree.unmount();
  t.is(await ended, 0);
}));

test.serial('a store that is not mounted is read and viewed, with no engine', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  fs.writeFileSync(path.join(tree.tree, 'f'), 'before');
  await tree.rewind('mark', 'm');
  fs.writeFileSync(path.join(tree.tree, 'f'), 'after');
  await tree.unmount();
  t.is(await rewindMust(['cat', 'f', '--at', 'm', '--store', tree.store]), 'before');
  t.is(await rewindMust(['cat', path.join(tree.tree, 'f'), '--at', 'm']), 'before');
  const mountpoint = path.join(scope.temporary(), 'past');
  fs.mkdirSync(mountpoint);
  scope.defer(async () => { if (mountsUnder(mountpoint).length > 0) await run('umount', ['-l', mountpoint]); });
  await rewindMust(['view', tree.store, mountpoint]);
  t.is(fs.readFileSync(path.join(mountpoint, '@m/f'), 'utf8'), 'before');
  t.is(fs.readFileSync(path.join(mountpoint, '@now/f'), 'utf8'), 'after');
  t.throws(() => fs.writeFileSync(path.join(mountpoint, '@m/f'), 'x'), { code: 'EROFS' });
  t.is(await rewindMust(['cat', 'f', '--at', 'm', '--store', tree.store]), 'before');
  await rewindMust(['unmount', mountpoint]);
  t.deepEqual(mountsUnder(mountpoint), []);
  await tree.mount();
  t.is(fs.readFileSync(path.join(tree.tree, 'f'), 'utf8'), 'after');
}));

test.serial('a mount elsewhere leaves the tree itself as it is', (t) => scoped(async (scope) => {
  const at = path.join(scope.temporary('memory'), 'at');
  fs.mkdirSync(at);
  const base = scope.temporary('memory');
  const tree = path.join(base, 'tree');
  fs.mkdirSync(tree);
  await rewindMust(['mount', tree, '--at', at, '--store', path.join(base, 'store')]);
  scope.defer(async () => { if (mountsUnder(at).length > 0) await rewindMust(['unmount', at, '--lazy']); });
  fs.writeFileSync(path.join(at, 'f'), 'through');
  t.is(fs.readFileSync(path.join(tree, 'f'), 'utf8'), 'through');
  t.is((await json(['log', path.join(at, 'f')])).length, 1);
  t.is((await json(['log', 'f', '--tree', tree])).length, 1);
  await rewindMust(['unmount', at]);
  t.deepEqual(mountsUnder(at), []);
}));

test.serial('--foreground serves until ^C, and ends clean', (t) => scoped(async (scope) => {
  const base = scope.temporary('memory');
  const tree = path.join(base, 'tree');
  fs.mkdirSync(tree);
  const child = spawn(process.execPath, [cli, 'mount', tree, '--store', path.join(base, 'store'), '--foreground'], { stdio: ['ignore', 'pipe', 'inherit'] });
  scope.defer(() => { child.kill('SIGKILL'); });
  await until('it is mounted', () => mountsUnder(tree).length === 2);
  fs.writeFileSync(path.join(tree, 'f'), 'x');
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  t.is(await ended, 0);
  t.deepEqual(mountsUnder(tree), []);
  const points = await json(['points', '--store', path.join(base, 'store')]);
  t.deepEqual(points.map(({ kind }) => kind), ['mount', 'unmount']);
}));

test.serial('names that could steer a terminal, or are no text, are shown harmless and can be typed back', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const evil = 'a\u001b[2Jb\nc';
  fs.writeFileSync(path.join(tree.tree, evil), 'evil');
  fs.writeFileSync(Buffer.concat([Buffer.from(`${tree.tree}/`), Buffer.from([0xff, 0xfe])]), 'bytes');
  await tree.rewind('mark', 'then');
  const shown = await tree.rewind('ls', '--at', 'then');
  t.notRegex(shown, /\x1b/);
  t.true(shown.includes('a\\x1b[2Jb\\x0ac') && shown.includes('\\xff\\xfe'), shown);
  t.is(await tree.rewind('cat', '\\xff\\xfe', '--at', 'then'), 'bytes');
  t.is(await tree.rewind('cat', 'a\\x1b[2Jb\\x0ac', '--at', 'then'), 'evil');
}));

test.serial('a shell gives names that are no text as they are, and may stand in a directory that has one', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const command = `'${process.execPath}' '${cli}'`;
  const said = await shell(`d=$(printf 'd\\377'); f=$(printf 'f\\376 \\\\x'); mkdir "$d"; cd "$d"; echo bytes > "$f"
    ${command} cat "$f" --at now; cd ..; ${command} cat "$d/$f" --at now; cd "$d"; echo new > "$f"; ${command} log "$f" --json; ${command} rollback --to now .`, { cwd: tree.tree });
  const [first, second, ...saves] = said.split('\n');
  t.deepEqual([first, second], ['bytes', 'bytes']);
  t.like(JSON.parse(saves[0]!), { path: 'd\\xff/f\\xfe \\x' });
}));

test.serial('help names examples, and loads nothing that it does not need', async (t) => {
  const help = await rewind(['--help'], { env: { ...process.env, REWIND_ADDON: '/nowhere' } });
  t.is(help.code, 0);
  t.regex(help.stdout, /rewind rollback/);
  const log = await rewind(['log', '--help']);
  t.regex(log.stdout, /Examples:/);
  t.regex((await rewind(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
});

test.serial('rollback and policy take several paths; an option given twice counts as given last', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const inside = (name: string) => path.join(tree.tree, name);
  for (const name of ['a', 'b', 'c']) fs.writeFileSync(inside(name), 'one');
  await rewindMust(['mark', 'then', '--tree', tree.tree]);
  for (const name of ['a', 'b', 'c']) fs.writeFileSync(inside(name), 'two');
  await rewindMust(['rollback', inside('a'), inside('b'), '--to', 'now', '--to', 'then', '--yes', '--json', '--json']);
  t.deepEqual(['a', 'b', 'c'].map((name) => fs.readFileSync(inside(name), 'utf8')), ['one', 'one', 'two']);
  t.is((await json(['policy', 'check', inside('a'), inside('b')])).length, 2);
}));
