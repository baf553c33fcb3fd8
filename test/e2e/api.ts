/** The API as programs use it: over HTTP with curl, in scripts, and in TypeScript. */
import test, { type ExecutionContext } from 'ava';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { openTree, type PointRow, type TransactionRow } from '../../lib/index.js';
import { API, checkArguments } from '../../lib/daemon/api.js';
import { mountSettled, rewind, type MountedTree } from '../helpers/mount.js';
import { run, shell, until } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';

interface Answer { status: number; body: string }

/** As docs/api.md says. */
async function curl(tree: MountedTree, method: string, body?: string): Promise<Answer> {
  const args = ['--silent', '--unix-socket', path.join(tree.store, 'control.sock'), '--write-out', '\n%{http_code}', `http://rewind/v1/${method}`];
  const { stdout } = await run('curl', body === undefined ? args : [...args, '-d', body], { timeoutMs: 60_000 });
  const end = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) };
}

async function ask<T>(t: ExecutionContext, tree: MountedTree, method: string, args: object): Promise<T> {
  const { status, body } = await curl(tree, method, JSON.stringify(args));
  t.is(status, 200, body);
  return JSON.parse(body.split('\n')[0]!) as T;
}

const mounted = (scope: Scope): Promise<MountedTree> => mountSettled(scope, { where: 'memory' });

/** Names, modes, times and content. */
const listing = (tree: string): string => execFileSync('sh', ['-c', 'find . -name .snapshots -prune -o -printf "%P %m %U %s %T@ %l\\n" | sort; find . -name .snapshots -prune -o -type f -print | sort | xargs -d "\\n" -r sha256sum'], { cwd: tree, encoding: 'utf8' });

/** Everything that may lie in a file. */
const CONTENT = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 7919) >>> 3));

test.serial('curl is answered: items, bytes, the table itself; a mistake has a status and says what was expected', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  fs.writeFileSync(path.join(tree.tree, 'f'), CONTENT);
  t.like(await ask(t, tree, 'status', {}), { mounted: true, tree: tree.tree });
  const bytes = execFileSync('curl', ['--silent', '--unix-socket', path.join(tree.store, 'control.sock'), 'http://rewind/v1/cat', '-d', '{"path":"f","at":"now"}'], { maxBuffer: 1 << 24 });
  t.true(bytes.equals(CONTENT));
  t.deepEqual(JSON.parse((await curl(tree, '')).body), JSON.parse(JSON.stringify(API)));
  for (const [method, body, status, code, message] of [
    ['frobnicate', '{}', 400, 'ERR_DAEMON_TALK', /knows no POST \/v1\/frobnicate/], ['status', '{', 400, 'ERR_DAEMON_TALK', /not JSON/], ['status', '[]', 400, 'ERR_USAGE', /one JSON object/],
    ['status', '{"x":1}', 400, 'ERR_USAGE', /status: there is no argument "x"; it takes none/], ['cat', '{"path":"f"}', 400, 'ERR_USAGE', /cat: at \(string\) is missing/],
    ['cat', '{"path":7,"at":"now"}', 400, 'ERR_USAGE', /path is 7: string was expected/], ['notify', '{"paths":"f"}', 400, 'ERR_USAGE', /paths is "f": string\[\] was expected/],
    ['notify', '{"paths":[]}', 400, 'ERR_USAGE', /at least one file/], ['notify', '{"paths":["g"]}', 404, 'ERR_NEVER_EXISTED', /g never existed/],
    ['notify', '{"paths":["f"],"name":"10m"}', 400, 'ERR_POINT_NAME', /"10m"/], ['resolve', '{"time":"tomorrow"}', 404, 'ERR_TIME_RANGE', /not come yet/],
    ['begin', '{"paths":[]}', 400, 'ERR_USAGE', /names the files/], ['begin', '{"paths":["../f"]}', 400, 'ERR_USAGE', /contains "\.\."/],
    ['begin', '{"paths":["f"],"family":999999999}', 400, 'ERR_USAGE', /No process 999999999/], ['commit', '{"id":"abc"}', 404, 'ERR_TRANSACTION_UNKNOWN', /no transaction abc/],
  ] as const) {
    const answer = await curl(tree, method, body);
    t.is(answer.status, status, `${method} ${body}: ${answer.body}`);
    const { error } = JSON.parse(answer.body) as { error: { code: string; message: string; hint: string } };
    t.is(error.code, code);
    t.regex(error.message, message);
    t.true(error.hint.length > 0);
  }
  t.is((await curl(tree, 'status')).status, 400, 'GET');
}));

test.serial('every method that is described can be asked, and its arguments are known by their types', (t) => {
  t.notThrows(() => checkArguments('ls', { path: '', at: 'now', time_zone: undefined }));
  t.throws(() => checkArguments('undo', { uid: '0' }), { code: 'ERR_USAGE', message: /uid is "0": number/ });
  t.throws(() => checkArguments('policy', { paths: ['a'] }), { code: 'ERR_USAGE', message: /object\[\]/ });
  t.throws(() => checkArguments('log', { path: '', constructor: 1 }), { code: 'ERR_USAGE', message: /no argument "constructor"/ });
});

test.serial('somebody else is not answered, also where the file\'s mode would let them', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const socket = path.join(tree.store, 'control.sock');
  for (let directory = tree.store; directory !== '/'; directory = path.dirname(directory)) if ((fs.statSync(directory).mode & 1) === 0) fs.chmodSync(directory, 0o711);
  fs.chmodSync(socket, 0o666);
  const asked = await run('setpriv', ['--reuid', '65534', '--regid', '65534', '--clear-groups', 'curl', '--silent', '--unix-socket', socket, 'http://rewind/v1/status', '-d', '{}']);
  t.like(JSON.parse(asked.stdout), { error: { code: 'ERR_NO_PERMISSION' } });
}));

test.serial('a notice is a point of its files, found by points, usable as a time, there after a kill', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const file = path.join(tree.tree, 'app.db');
  fs.writeFileSync(file, 'consistent');
  const point = await ask<PointRow>(t, tree, 'notify', { paths: ['app.db'], name: 'nightly', note: 'after a checkpoint' });
  t.like(point, { kind: 'notify', name: 'nightly', note: 'app.db: after a checkpoint' });
  await tree.kill();
  await tree.mount();
  fs.writeFileSync(file, 'in the middle of something');
  const [found] = (await tree.rewind('points', '--state', 'notify', '--json')).trim().split('\n').map((line) => JSON.parse(line) as PointRow);
  t.is(found!.seq, point.seq);
  for (const at of ['nightly', 'last-notify', `#${point.seq}`]) t.is(await tree.rewind('cat', file, '--at', at), 'consistent', at);
  t.regex(await tree.rewind('notify', file), /^last-notify is .*\(#\d+\)\n$/);
  t.is(await tree.rewind('cat', file, '--at', 'last-notify'), 'in the middle of something');
}));

/** A tree with files to change, and a change of all kinds. */
function fill(tree: MountedTree): void {
  const at = (name: string): string => path.join(tree.tree, name);
  fs.mkdirSync(at('conf/sub'), { recursive: true });
  fs.writeFileSync(at('a'), CONTENT, { mode: 0o640 });
  fs.writeFileSync(at('conf/b'), 'b');
  fs.writeFileSync(at('conf/sub/c'), 'c');
  fs.symlinkSync('b', at('conf/link'));
  fs.writeFileSync(at('other'), 'other');
}

const CHANGE = 'printf xx | dd of=a bs=1 seek=70000 conv=notrunc status=none; chmod 600 a; rm conf/b; mkdir conf/new; echo n > conf/new/n; mv conf/sub/c conf/c; ln -sf x conf/link; echo made > fresh';

test.serial('a transaction that is cancelled leaves its files exactly as they were, and nothing else; a commit leaves them as they are', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  fill(tree);
  const before = listing(tree.tree);
  const { id } = await ask<TransactionRow>(t, tree, 'begin', { paths: ['a', 'conf', 'fresh', 'never'], note: 'upgrade' });
  await shell(CHANGE, { cwd: tree.tree });
  const changed = listing(tree.tree);
  t.not(changed, before);
  await tree.kill();  // it outlives the daemon
  await tree.mount();
  t.like(await ask(t, tree, 'transactions', { open: true }), { id, state: 'open', paths: ['a', 'conf', 'fresh', 'never'], note: 'upgrade', ended: null });
  await ask(t, tree, 'cancel', { id, dry_run: true });
  t.is(listing(tree.tree), changed);
  await ask(t, tree, 'cancel', { id });
  // The root, in which fresh came and went, is not of the transaction: its time is its own.
  const files = (text: string): string => text.split('\n').filter((line) => !line.startsWith(' ')).join('\n');
  t.is(files(listing(tree.tree)), files(before));
  for (const method of ['commit', 'cancel']) t.regex((await curl(tree, method, JSON.stringify({ id }))).body, /ERR_TRANSACTION_UNKNOWN.*was cancelled at/);
  await tree.rewind('undo', '--yes');
  t.is(files(listing(tree.tree)), files(changed));
  const second = (await tree.rewind('notify', '--begin', path.join(tree.tree, 'a'))).trim();
  await shell('echo more >> a; echo x >> other', { cwd: tree.tree });
  const done = listing(tree.tree);
  await tree.rewind('notify', '--commit', second);
  t.is(listing(tree.tree), done);
  const again = await rewind(['notify', '--cancel', second, '--tree', tree.tree]);
  t.is(again.code, 1);
  t.regex(again.stderr, /was committed at/);
  t.true(fs.readFileSync(path.join(tree.tree, 'a')).equals(Buffer.concat([patched(), Buffer.from('more\n')])));
  const kinds = (await tree.rewind('points', '--state', 'transaction', '--json')).trim().split('\n').map((line) => (JSON.parse(line) as PointRow).note.split(' ')[0]);
  t.deepEqual(kinds, ['begin', 'cancel', 'begin', 'commit']);
  t.is(await tree.rewind('cat', path.join(tree.tree, 'other'), '--at', 'before:transaction'), 'other');
}));

function patched(): Buffer {
  const content = Buffer.from(CONTENT);
  content.write('xx', 70_000);
  return content;
}

test.serial('a cancel for a family takes back what it did to the files, and keeps what others did', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const at = (name: string): string => path.join(tree.tree, name);
  for (const name of ['a', 'b', 'c']) fs.writeFileSync(at(name), `${'one\n'.repeat(30)}`);
  // The shell asks for its own family; curl is one of it.
  const script = `ask() { curl --silent --fail-with-body --unix-socket ${tree.store}/control.sock http://rewind/v1/$1 -d "$2"; }
    id=$(ask begin "{\\"paths\\":[\\"a\\",\\"b\\"],\\"family\\":$$}" | sed 's/.*"id":"\\([0-9a-f]*\\)".*/\\1/')
    echo mine >> a; rm b; echo mine >> c; echo ready > ready; read go < go
    ask cancel "{\\"id\\":\\"$id\\"}"`;
  execFileSync('mkfifo', [at('go')]);
  const shellDone = run('sh', ['-c', `cd ${tree.tree}; ${script}`], { timeoutMs: 60_000 });
  await until('it has changed the files', () => fs.existsSync(at('ready')));
  const fd = fs.openSync(at('a'), 'r+');
  fs.writeSync(fd, 'yes', 0);
  fs.closeSync(fd);
  fs.writeFileSync(at('d'), 'theirs');
  fs.writeFileSync(at('go'), 'go\n');
  const ended = await shellDone;
  t.is(ended.code, 0, ended.stdout + ended.stderr);
  t.is(fs.readFileSync(at('a'), 'utf8'), `yes\n${'one\n'.repeat(29)}`);
  t.is(fs.readFileSync(at('b'), 'utf8'), 'one\n'.repeat(30));
  t.true(fs.readFileSync(at('c'), 'utf8').endsWith('mine\n'), 'not a file of the transaction');
  t.is(fs.readFileSync(at('d'), 'utf8'), 'theirs');
}));

test.serial('a cancel stops at a file that somebody else has open for writing, not at one that who asks has', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const file = path.join(tree.tree, 'a');
  fs.writeFileSync(file, 'one');
  const { id } = await ask<TransactionRow>(t, tree, 'begin', { paths: ['a'] });
  const child = spawn('bash', ['-c', 'exec 7>a; echo two >&7; echo ready; read line'], { cwd: tree.tree, stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve));
    t.regex((await curl(tree, 'cancel', JSON.stringify({ id }))).body, /"type":"open","path":"a","pid":\d+,"command":"bash"/);
    t.is(fs.readFileSync(file, 'utf8'), 'two\n');
  } finally {
    child.stdin.end('\n');
    await until('the program ends', () => child.exitCode !== null);
  }
  const own = fs.openSync(file, 'r+');
  await ask(t, tree, 'cancel', { id });
  fs.closeSync(own);
  t.is(fs.readFileSync(file, 'utf8'), 'one');
}));

test.serial('in TypeScript a transaction is a function: committed when it resolves, cancelled when it throws', (t) => scoped(async (scope) => {
  const mountedTree = await mounted(scope);
  const tree = await openTree({ path: mountedTree.tree });
  scope.defer(() => tree.close());
  const file = path.join(mountedTree.tree, 'f');
  await tree.transaction(['f'], async () => fs.writeFileSync(file, 'kept'));
  t.is(fs.readFileSync(file, 'utf8'), 'kept');
  await t.throwsAsync(tree.transaction(['f', 'g'], async () => {
    fs.writeFileSync(file, 'lost');
    fs.writeFileSync(path.join(mountedTree.tree, 'g'), 'lost');
    throw new Error('no');
  }, { family: 'caller' }), { message: 'no' });
  t.is(fs.readFileSync(file, 'utf8'), 'kept');
  t.false(fs.existsSync(path.join(mountedTree.tree, 'g')));
  const states: string[] = [];
  for await (const { state } of tree.call('transactions', {})) states.push(state);
  t.deepEqual(states, ['cancelled', 'committed']);
  t.is((await tree.resolve('last-notify').catch((error: { code: string }) => error.code)), 'ERR_TIME_RANGE');
  await tree.notify(['f'], { note: 'well' });
  t.is((await tree.readFile('f', 'last-notify')).toString(), 'kept');
}));

test.serial('rewind notify refuses what does not go together', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  for (const [args, message] of [
    [[], /name the files/], [['--begin'], /name the files/], [['--begin', '--commit', 'x'], /exclude each other/], [['f', '--commit', 'x'], /takes no file/], [['f', '--family', '1'], /--family does not go with a notice/],
    [['f', '--begin', '--name', 'x'], /--name does not go with --begin/],
  ] as [string[], RegExp][]) {
    const { code, stderr } = await rewind(['notify', ...args, '--tree', tree.tree]);
    t.is(code, 2, stderr);
    t.regex(stderr, message);
  }
}));
