/** Policies on a mounted tree, as a user has them: what is in history, what is not, and what is said of it. */
import test, { type ExecutionContext } from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { openTree, type LogRow, type RewindError, type StatusRow, type Tree } from '../../lib/index.js';
import { baselineDone, mountSettled, rewind, type MountedTree } from '../helpers/mount.js';
import { run, shell, sleep, until } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { transports } from '../helpers/transport.js';
import type { Transport } from '../../lib/transport.js';

const RULES = `interval = 1
[[rule]]
match = ["out/", "*.tmp"]
capture = "none"
[[rule]]
match = "*.db"
capture = "on-close"
`;

/** A test that is run over each transport. */
function overEach(title: string, body: (t: ExecutionContext, transport: Transport) => Promise<void>): void {
  for (const transport of transports) test.serial(`${title} (over ${transport})`, (t) => body(t, transport));
}

interface Beginning {
  rules?: string;
  transport?: Transport;
  prepare?: (tree: string) => void;
  where?: 'memory' | 'disk';
}

/** A tree mounted with these rules from the beginning. */
async function mounted(scope: Scope, { rules = RULES, transport, prepare, where = 'memory' }: Beginning = {}): Promise<MountedTree> {
  const tree = await mountSettled(scope, { where, transport });
  await tree.unmount();
  prepare?.(tree.tree);
  fs.writeFileSync(path.join(tree.store, 'policy.toml'), rules);
  await tree.mount();
  await baselineDone(tree);
  return tree;
}

async function setRules(tree: MountedTree, rules: string): Promise<void> {
  fs.writeFileSync(path.join(tree.store, 'policy.toml'), rules);
  const wanted = (rules.match(/\[\[rule\]\]/g) ?? []).length;
  await until('the daemon takes the rules', async () => {
    const { rules } = await tree.control('policy') as { rules: { line: number | null }[] };
    return new Set(rules.filter(({ line }) => line !== null).map(({ line }) => line)).size === wanted;
  });
}

/** As a program asks; a command for each question would be most of this test's time. */
async function ask<T>(tree: MountedTree, question: (open: Tree) => Promise<T>): Promise<T> {
  const open = await openTree({ store: tree.store });
  try {
    return await question(open);
  } finally {
    await open.close();
  }
}

const cat = async (tree: MountedTree, file: string, at = 'now'): Promise<string> => ask(tree, async (open) => (await open.readFile(file, at)).toString());

/** The kernel tells of a close after the program has gone on. */
async function becomes(tree: MountedTree, file: string, content: string): Promise<void> {
  let last = '';
  await until(`history has ${JSON.stringify(content.slice(0, 60))} in ${file}`, async () => (last = await cat(tree, file).catch(String)) === content)
    .catch((error: unknown) => { throw new Error(`${String(error)}: ${JSON.stringify(last.slice(0, 200))}`); });
}

async function refused(tree: MountedTree, file: string, at = 'now'): Promise<boolean> {
  return cat(tree, file, at).then(() => false, (error: RewindError) => error.code === 'ERR_NOT_CAPTURED');
}

async function log(tree: MountedTree, file: string): Promise<LogRow[]> {
  return ask(tree, async (open) => { const rows: LogRow[] = []; for await (const row of open.log(file)) rows.push(row); return rows; });
}

const status = (tree: MountedTree): Promise<StatusRow> => ask(tree, (open) => open.status());
const seqOf = async (tree: MountedTree): Promise<string> => `#${(await ask(tree, (open) => open.resolve('now'))).seq}`;

overEach('none: names and attributes are in history, content is not, and reading it in a view is a clear error', (t, transport) => scoped(async (scope) => {
  const tree = await mounted(scope, { transport });
  const inside = (name: string) => path.join(tree.tree, name);
  fs.mkdirSync(inside('out/deep'), { recursive: true });
  fs.writeFileSync(inside('out/deep/a.o'), 'x'.repeat(100_000));
  fs.writeFileSync(inside('src.c'), 'int main;');
  await becomes(tree, 'src.c', 'int main;');
  t.is(fs.readFileSync(inside('out/deep/a.o'), 'utf8').length, 100_000);
  t.is(fs.statSync(inside('out/deep/a.o')).size, 100_000);
  t.true(await refused(tree, 'out/deep/a.o'));
  const view = inside('.snapshots/@now/out/deep/a.o');
  const { code, stderr, stdout } = await run('sh', ['-c', `stat -c %s ${view}; cat ${view}; cp ${view} /dev/null`], { timeoutMs: 20_000 });
  t.is(stdout, '100000\n');
  t.is(stderr.match(/No data available/g)?.length, 2, stderr);
  t.not(code, 0);
  t.deepEqual((await log(tree, 'out/deep/a.o')).map(({ marker, size }) => [marker, size]), [['create', 100_000]]);
  const { policy, requests, last_gap } = await status(tree);
  t.true(policy.passthrough);
  t.is(requests?.['write'], 1, 'the writes of the excluded file went past the daemon');
  t.like(last_gap, { reason: 'policy', detail: { capture: 'none', pattern: 'out/', by: `${tree.store}/policy.toml:3` } });
  t.regex(await tree.rewind('status'), /not captured .*__pycache__\/.* out\/ \(.*policy\.toml:3\)/);
}));

overEach('on-close: the content is in history after each close, once, and at fsync', (t, transport) => scoped(async (scope) => {
  const tree = await mounted(scope, { transport });
  const file = path.join(tree.tree, 'a.db');
  const fd = fs.openSync(file, 'w');
  for (let i = 0; i < 100; i++) fs.writeSync(fd, `line ${i}\n`);
  fs.fsyncSync(fd);
  const middle = await seqOf(tree);
  fs.writeSync(fd, 'the end\n');
  fs.closeSync(fd);
  await becomes(tree, 'a.db', fs.readFileSync(file, 'utf8'));
  const end = await seqOf(tree);
  fs.appendFileSync(file, 'more\n');
  const after = fs.readFileSync(file, 'utf8');
  await becomes(tree, 'a.db', after);
  t.is(await cat(tree, 'a.db', end), after.replace('more\n', ''));
  t.is(await cat(tree, 'a.db', middle), after.replace('the end\nmore\n', ''));
  t.is((await status(tree)).requests?.['write'], undefined);
  fs.closeSync(fs.openSync(file, 'r+'));
  t.deepEqual((await log(tree, 'a.db')).map(({ marker, size }) => [marker, size]), [['modify', after.length], ['create', after.length - 5]]);
}));

overEach('on-close: what stays open is captured in intervals; holes, shrinking, mappings and metadata calls on the way are exact in the end', (t, transport) => scoped(async (scope) => {
  const tree = await mounted(scope, { transport });
  const file = path.join(tree.tree, 'b.db');
  const fd = fs.openSync(file, 'w+');
  fs.writeSync(fd, 'first');
  await becomes(tree, 'b.db', 'first');
  fs.writeSync(fd, Buffer.alloc(200_000, 'z'), 0, 200_000, 3 << 20);
  fs.fchmodSync(fd, 0o600);
  fs.futimesSync(fd, 1, 2);
  fs.ftruncateSync(fd, (3 << 20) + 150_000);
  fs.renameSync(file, path.join(tree.tree, 'c.db'));
  fs.writeSync(fd, 'FIRST', 0);
  fs.closeSync(fd);
  const moved = path.join(tree.tree, 'c.db');
  await shell(`python3 - ${moved} <<'END'
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
m = mmap.mmap(fd, 0)
m[100:104] = b'mmap'
m.close(); os.close(fd)
END`);
  await becomes(tree, 'c.db', fs.readFileSync(moved, 'utf8'));
  const view = path.join(tree.tree, '.snapshots/@now/c.db');
  const { stdout } = await run('cmp', [view, moved], { timeoutMs: 20_000 });
  t.is(stdout, '');
  t.is(fs.statSync(moved).mode & 0o777, 0o600);
}));

test.serial('times of a file that a mapping writes past the daemon are those of now, also after its close', (t) => scoped(async (scope) => {
  const tree = await mounted(scope, { where: 'disk' }); // tmpfs moves no times for a mapping
  const script = `
import mmap, os, sys, time
def moved(change):
    before = os.stat(name).st_mtime_ns
    time.sleep(0.05)
    change()
    return os.stat(name).st_mtime_ns > before
for name in sys.argv[1:]:
    with open(name, 'wb') as new: new.write(bytes(8192))
    time.sleep(2.5)  # looked at and left alone: the kernel may keep its attributes
    os.stat(name)
    fd = os.open(name, os.O_RDWR)
    m = mmap.mmap(fd, 0)
    print(moved(lambda: m.__setitem__(0, 1)))
    os.close(fd)
    m.flush()
    print(moved(lambda: m.__setitem__(1, 2)))
`;
  fs.mkdirSync(path.join(tree.tree, 'out'));
  const { stdout, stderr } = await run('python3', ['-c', script, path.join(tree.tree, 'out/a'), path.join(tree.tree, 'a.db')], { timeoutMs: 60_000 });
  t.is(stdout, 'True\n'.repeat(4), stderr);
  t.true((await status(tree)).policy.passthrough);
}));

test.serial('a capture does not move the access time', (t) => scoped(async (scope) => {
  const tree = await mounted(scope, { where: 'disk' });
  const file = path.join(tree.tree, 'a.db');
  const fd = fs.openSync(file, 'w');
  fs.writeSync(fd, 'captured');
  const before = fs.fstatSync(fd, { bigint: true }).atimeNs;
  fs.closeSync(fd);
  await becomes(tree, 'a.db', 'captured');
  t.is(fs.statSync(file, { bigint: true }).atimeNs, before);
}));

test.serial('a file unlinked while it is open under on-close can be had back', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const file = path.join(tree.tree, 'gone.db');
  const fd = fs.openSync(file, 'w');
  fs.writeSync(fd, 'do not lose me');
  fs.unlinkSync(file);
  fs.closeSync(fd);
  const [gone] = await log(tree, 'gone.db');
  t.is(gone!.marker, 'delete');
  t.is(await cat(tree, 'gone.db', `before:#${gone!.seq}`), 'do not lose me');
}));

test.serial('what moves to where it is wanted is captured: by rename, by a link, by a directory\'s rename, by new rules', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const inside = (name: string) => path.join(tree.tree, name);
  fs.mkdirSync(inside('out/sub'), { recursive: true });
  for (const name of ['a', 'b', 'sub/c', 'sub/d', 'stay']) fs.writeFileSync(inside(`out/${name}`), `content of ${name}`);
  fs.renameSync(inside('out/a'), inside('a'));
  fs.linkSync(inside('out/b'), inside('b'));
  fs.renameSync(inside('out/sub'), inside('sub'));
  t.is(await cat(tree, 'a'), 'content of a');
  t.is(await cat(tree, 'b'), 'content of b');
  await becomes(tree, 'sub/d', 'content of sub/d');
  t.is(await cat(tree, 'sub/c'), 'content of sub/c');
  t.true(await refused(tree, 'out/stay'));
  await setRules(tree, '');
  await becomes(tree, 'out/stay', 'content of stay');
  fs.writeFileSync(inside('out/stay'), 'now recorded');
  t.is(await cat(tree, 'out/stay'), 'now recorded');
}));

test.serial('what was excluded at one mount and is not at the next is captured by its walk, and is no change', (t) => scoped(async (scope) => {
  const tree = await mounted(scope, { prepare: (root) => {
    fs.mkdirSync(path.join(root, 'out'));
    fs.writeFileSync(path.join(root, 'out/old'), 'old');
    fs.writeFileSync(path.join(root, 'x.db'), 'base');
  } });
  t.true(await refused(tree, 'out/old'));
  t.is(await cat(tree, 'x.db'), 'base');
  fs.writeFileSync(path.join(tree.tree, 'out/new'), 'new');
  const seq = await seqOf(tree);
  await tree.unmount();
  fs.rmSync(path.join(tree.store, 'policy.toml'));
  await tree.mount();
  await baselineDone(tree);
  t.is(await cat(tree, 'out/old'), 'old');
  t.is(await cat(tree, 'out/new'), 'new');
  t.true(await refused(tree, 'out/new', seq));
  t.is((await log(tree, 'out/new')).length, 1);
}));

test.serial('a wrong file is refused with line and reason, and changes nothing, also across a restart', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const file = path.join(tree.store, 'policy.toml');
  fs.writeFileSync(file, '[[rule]]\nmatch = "src/"\ncapture = "nothing"\n');
  await until('it is refused', async () => (await status(tree)).policy.refused !== null);
  for (let round = 0; round < 2; round++) {
    const { refused: why, excluded } = (await status(tree)).policy;
    t.regex(why!, /policy\.toml:3: capture is "nothing"/);
    t.true(excluded.some(({ pattern }) => pattern === 'out/'));
    t.false(excluded.some(({ pattern }) => pattern === 'src/'));
    await tree.unmount();
    await tree.mount();
  }
  const check = await rewind(['policy', 'check', '--tree', tree.tree]);
  t.is(check.code, 2);
  t.regex(check.stderr, /policy\.toml:3: .*ERR_POLICY/);
  t.regex(await tree.rewind('policy', 'check', 'out/x', 'a.db', 'src/x'), /^none +out\/x +\(out\/, .*\)\nkeep 7d +out\/x +\(\[retention\]\) .*\non-close +a\.db .*\nkeep 7d .*\neach-write +src\/x +\(no rule matches\)\nkeep 7d .*\n$/);
}));

test.serial('policy edit never saves a wrong file', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const editing = (editor: string) => rewind(['policy', 'edit', '--tree', tree.tree], { env: { ...process.env, VISUAL: '', EDITOR: editor } });
  const wrong = await editing('printf "rule = 1" >');
  t.is(wrong.code, 2, wrong.stderr);
  t.is(fs.readFileSync(path.join(tree.store, 'policy.toml'), 'utf8'), RULES);
  t.is((await editing('false')).code, 1);
  const right = await editing('sed -i s/out/dist/');
  t.is(right.code, 0, right.stderr);
  await until('it is in force', async () => (await tree.control('policy', { paths: [{ path: 'dist/x', directory: false }] }))['capture'] === 'none');
}));

test.serial('a rollback leaves alone what it could not bring back, says so, and is exact in the rest', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const inside = (name: string) => path.join(tree.tree, name);
  fs.mkdirSync(inside('out'));
  fs.writeFileSync(inside('out/changed'), 'one');
  fs.writeFileSync(inside('out/removed'), 'one');
  fs.writeFileSync(inside('src'), 'one');
  await tree.rewind('mark', 'then');
  await sleep(20);
  fs.writeFileSync(inside('out/changed'), 'two!');
  fs.rmSync(inside('out/removed'));
  fs.mkdirSync(inside('new/out'), { recursive: true });
  fs.writeFileSync(inside('new/out/made'), 'made');
  fs.writeFileSync(inside('new/made'), 'made');
  fs.writeFileSync(inside('src'), 'two');
  const said = await tree.rewind('rollback', '--to', 'then', '--dry-run');
  for (const name of ['out/changed', 'out/removed', 'new/out/made', 'new/out', 'new']) t.regex(said, new RegExp(`skip +${name} +\\(`), said);
  t.regex(said, /delete +new\/made\n/);
  await tree.rewind('rollback', '--to', 'then', '--yes');
  t.is(fs.readFileSync(inside('src'), 'utf8'), 'one');
  t.is(fs.readFileSync(inside('out/changed'), 'utf8'), 'two!');
  t.is(fs.readFileSync(inside('new/out/made'), 'utf8'), 'made');
  t.false(fs.existsSync(inside('new/made')));
  t.false(fs.existsSync(inside('out/removed')));
  const into = path.join(scope.temporary(), 'copy');
  t.regex(await tree.rewind('restore', tree.tree, '--at', 'then', '--into', into), /skip +out\/changed .*\n.*skip +out\/removed|skip +out\/removed .*\n.*skip +out\/changed/);
  t.is(fs.readFileSync(path.join(into, 'src'), 'utf8'), 'one');
  t.deepEqual(fs.readdirSync(path.join(into, 'out')), []);
}));

overEach('how a file is open is kept until its last close; the next open is by the new rules and sees what was written', (t, transport) => scoped(async (scope) => {
  const tree = await mounted(scope, { rules: '', transport });
  const file = path.join(tree.tree, 'f.tmp');
  fs.writeFileSync(file, 'recorded');
  t.is(fs.readFileSync(file, 'utf8'), 'recorded');
  const held = fs.openSync(file, 'r');
  await setRules(tree, RULES);
  fs.appendFileSync(file, ' still');
  t.is(await cat(tree, 'f.tmp'), 'recorded still');
  fs.closeSync(held);
  await until('the last close was heard of', async () => (await status(tree)).handles === 0);
  fs.writeFileSync(file, 'not any more');
  t.is(fs.readFileSync(file, 'utf8'), 'not any more');
  t.true(await refused(tree, 'f.tmp'));
  await setRules(tree, '');
  await until('the last close was heard of', async () => (await status(tree)).handles === 0);
  t.is(fs.readFileSync(file, 'utf8'), 'not any more');
  fs.appendFileSync(file, ' but now');
  t.is(fs.readFileSync(file, 'utf8'), 'not any more but now');
  await becomes(tree, 'f.tmp', 'not any more but now');
}));
