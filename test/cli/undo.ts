/** undo, redo, op log and run as a user types them. */
import test from 'ava';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Driver } from '../helpers/driver.js';
import { cli, mountSettled, rewind, type MountedTree } from '../helpers/mount.js';
import { hasEnded, must, run, shell, sleep, until, type RunResult } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { contentFields, differences, snapshot, type Field, type Snapshot } from '../helpers/snapshot.js';
import { NPM_CI, npmProject } from '../e2e/support/programs.js';

const EXACT: readonly Field[] = [...contentFields, 'mtime'];

const inTree = (tree: MountedTree, args: string[]): Promise<RunResult> => rewind(args, { cwd: tree.tree, timeoutMs: 120_000 });

async function project(scope: Scope): Promise<{ tree: MountedTree; state: () => Promise<Snapshot> }> {
  const tree = await mountSettled(scope, { where: 'memory' });
  await shell('mkdir -p src .hidden/deep; seq 1000 > src/a; echo x > .hidden/deep/x; ln -s src/a link; ln src/a hard; chmod 750 src; setfattr -n user.k -v v src/a; touch -d 2001-02-03 src/a', { cwd: tree.tree });
  const driver = new Driver();
  scope.defer(() => driver.close());
  return { tree, state: () => snapshot(driver, tree.tree) };
}

test.serial('a run that fails leaves the tree exactly as before: contents, modes, times, attributes', (t) => scoped(async (scope) => {
  const { tree, state } = await project(scope);
  const before = await state();
  for (const script of ['rm -rf * .[!.]*; exit 1', 'find . -type f -exec sed -i s/1/2/ {} +; chmod -R 777 .; mkdir new; mv src new; exit 7', '(sh -c "sleep 0.3; echo late > late" &) ; echo now > now; until [ -e late ]; do sleep 0.05; done; exit 2']) {
    const result = await inTree(tree, ['run', '--undo-on-failure', '--', 'sh', '-c', script]);
    t.is(result.code, Number(script.at(-1)), result.stderr);
    t.deepEqual(differences(before, await state(), EXACT), [], script);
  }
}));

test.serial('a killed command, a failing make and a git rebase that stops leave nothing', (t) => scoped(async (scope) => {
  const { tree, state } = await project(scope);
  await shell(`git init -q -b main .; git config user.email a@b; git config user.name n; git config commit.gpgsign false
    git add -A; git commit -qm one; git checkout -qb side; echo side > src/a; git commit -qam side; git checkout -q main; echo main > src/a; git commit -qam main; git checkout -q side
    printf 'all: one two\\none:\\n\\techo 1 > one\\ntwo:\\n\\techo 2 > two; false\\n' > Makefile`, { cwd: tree.tree });
  const before = await state();
  for (const [command, code] of [[['make'], 2], [['git', 'rebase', 'main'], 1], [['sh', '-c', 'mkdir -p m/n; seq 99999 > m/n/f; kill -KILL $$'], 137]] as const) {
    const result = await inTree(tree, ['run', '--undo-on-failure', '--', ...command]);
    t.is(result.code, code, result.stderr);
    t.deepEqual(differences(before, await state(), EXACT), [], command.join(' '));
  }
}));

test.serial('npm ci that is killed half-way leaves the tree exactly as before', (t) => scoped(async (scope) => {
  t.timeout(300_000);
  const { tree, state } = await project(scope);
  const app = path.join(tree.tree, 'app');
  npmProject(app, ['yargs', '@types/node', 'typescript']);
  await must('npm', NPM_CI, { cwd: app, timeoutMs: 240_000 });
  const before = await state();
  const largest = path.join(app, 'node_modules/typescript');
  const inode = (): number | undefined => fs.statSync(largest, { throwIfNoEntry: false })?.ino;
  const old = inode();
  const child = spawn(process.execPath, [cli, 'run', '--undo-on-failure', '--', 'npm', ...NPM_CI], { cwd: app, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  // What npm has removed it unpacks anew at once, the largest package longer than all others.
  for (const end = Date.now() + 120_000; inode() === old; await sleep(2)) if (Date.now() > end) throw new Error('npm has not emptied the directory');
  const [npm] = fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ').map(Number);
  process.kill(npm as number, 'SIGKILL');
  t.is(await ended, 137);
  t.deepEqual(differences(before, await state(), EXACT), []);
}));

test.serial('what outlives a command is named, and taken back when that is asked for; --wait waits for it', (t) => scoped(async (scope) => {
  const { tree, state } = await project(scope);
  const before = await state();
  const aside = scope.temporary('memory');
  const [go, begun] = [path.join(aside, 'go'), path.join(aside, 'begun')];
  const script = (waits: string): string => `(exec 7>>src/a; touch ${begun}; ${waits}; echo late >&7; echo late > late) & echo now > now; until [ -e ${begun} ]; do sleep 0.05; done; exit 3`;
  const failed = await inTree(tree, ['run', '--undo-on-failure', '--name', 'job', '--', 'sh', '-c', script(`until [ -e ${go} ]; do sleep 0.1; done`)]);
  t.is(failed.code, 3, failed.stderr);
  const [, pid] = /still runs? and may change more:\n +(\d+) +sh -c [^]*take that back with: rewind undo --session job\n/.exec(failed.stderr) ?? [];
  t.truthy(pid, failed.stderr);
  t.deepEqual(differences(before, await state(), EXACT), [], 'what was done until then is taken back, though a file of it is open');
  fs.writeFileSync(go, '');
  await until('it has ended', () => hasEnded(Number(pid)));
  t.is(fs.readFileSync(path.join(tree.tree, 'late'), 'utf8'), 'late\n');
  const undone = await inTree(tree, ['undo', '--session', 'job', '--yes']);
  t.is(undone.code, 0, undone.stderr);
  t.deepEqual(differences(before, await state(), EXACT), []);
  const waited = await inTree(tree, ['run', '--undo-on-failure', '--wait', '--', 'sh', '-c', script('sleep 1')]);
  t.is(waited.code, 3, waited.stderr);
  t.notRegex(waited.stderr, /may change more/);
  t.deepEqual(differences(before, await state(), EXACT), [], 'also what it did later');
}));

test.serial('a file that is open for writing stops undo, redo and replay; --force goes on', (t) => scoped(async (scope) => {
  const { tree } = await project(scope);
  const file = path.join(tree.tree, 'src/a');
  await tree.rewind('mark', 'start');
  await shell('exec dd if=/dev/zero of=src/a bs=2 count=1 conv=notrunc status=none', { cwd: tree.tree });
  const descriptor = fs.openSync(file, 'r+');
  try {
    const begins = (): string => fs.readFileSync(file, 'latin1').slice(0, 2);
    for (const [args, bytes] of [[['undo', '--exe', 'dd'], '1\n'], [['undo'], '\0\0'], [['redo'], '1\n'], [['undo'], '\0\0'], [['replay', '--from', 'start', '--except', 'exe:dd'], '1\n']] as const) {
      const was = begins();
      const refused = await inTree(tree, [...args, '--yes']);
      t.is(refused.code, 13, `${args.join(' ')}: ${refused.stdout}${refused.stderr}`);
      t.regex(refused.stderr, new RegExp(`src/a is open for writing by .*\\[${process.pid}\\]`), args.join(' '));
      t.is(begins(), was);
      t.regex((await inTree(tree, [...args, '--dry-run'])).stdout, /open +src\/a/);
      const forced = await inTree(tree, [...args, '--yes', '--force']);
      t.is(forced.code, 0, forced.stderr);
      t.is(begins(), bytes, args.join(' '));
    }
  } finally {
    fs.closeSync(descriptor);
  }
}));

test.serial('a run passes on streams, exit code and signals, and tells what changed', (t) => scoped(async (scope) => {
  const { tree } = await project(scope);
  const piped = await run(process.execPath, [cli, 'run', '--', 'sh', '-c', 'cat; echo err >&2; echo n > new; rm link; exit 5'], { cwd: tree.tree, input: 'through' });
  t.deepEqual([piped.code, piped.stdout], [5, 'through']);
  t.regex(piped.stderr, /^err$/m);
  t.regex(piped.stderr, /2 paths changed by 2 programs\n( {2}\S.*\n( {4}.*\n)+){2}Take it back/, 'writer by writer');
  t.regex(piped.stderr, /^ {2}(da)?sh\[\d+\] {2}sh -c cat; .*\n {4}created +new\n/m);
  t.regex(piped.stderr, /^ {2}rm\[\d+\] {2}rm link\n {4}deleted +link\n/m);
  const child = spawn(process.execPath, [cli, 'run', '--', 'sh', '-c', 'trap "exit 42" TERM; echo up > up; while :; do sleep 0.05; done'], { cwd: tree.tree, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await until('the command runs', () => fs.existsSync(path.join(tree.tree, 'up')));
  child.kill('SIGTERM');
  t.is(await ended, 42);
}));

test.serial('two runs at once stay apart, also in one file', (t) => scoped(async (scope) => {
  const { tree } = await project(scope);
  const script = (n: number): string => `for i in $(seq 20); do printf ${n} | dd of=src/a bs=1 seek=$((${n} * 100 + i)) conv=notrunc status=none; echo $i > own${n}; sleep 0.01; done`;
  const untouched = fs.readFileSync(path.join(tree.tree, 'src/a'));
  const results = await Promise.all([1, 2].map((n) => inTree(tree, ['run', '--name', `job-${n}`, '--', 'sh', '-c', script(n)])));
  t.deepEqual(results.map(({ code }) => code), [0, 0], results.map(({ stderr }) => stderr).join());
  const undone = await inTree(tree, ['undo', '--session', 'job-1', '--yes']);
  t.is(undone.code, 0, undone.stderr);
  const expected = Buffer.from(untouched);
  expected.fill('2', 201, 221);
  t.true(fs.readFileSync(path.join(tree.tree, 'src/a')).equals(expected));
  t.false(fs.existsSync(path.join(tree.tree, 'own1')));
  t.true(fs.existsSync(path.join(tree.tree, 'own2')));
}));

test.serial('operations are taken back one after the other, and done again', (t) => scoped(async (scope) => {
  const { tree } = await project(scope);
  const file = path.join(tree.tree, 'src/a');
  await tree.rewind('mark', 'start');
  await inTree(tree, ['run', '--', 'sh', '-c', 'echo one > src/a']);
  await sleep(5);
  await inTree(tree, ['rollback', '--to', 'start', '--yes']);
  const seen = (): string => fs.readFileSync(file, 'utf8').slice(0, 4);
  for (const [verb, expected] of [['undo', 'one\n'], ['redo', '1\n2\n'], ['undo', 'one\n'], ['undo', '1\n2\n'], ['redo', 'one\n'], ['redo', '1\n2\n'], ['undo', 'one\n']] as const) {
    const result = await inTree(tree, [verb, '--yes']);
    t.is(result.code, 0, `${verb}: ${result.stderr}`);
    t.is(seen(), expected, verb);
  }
  const log = JSON.parse((await inTree(tree, ['op', 'log', '--json'])).stdout.split('\n')[0]!) as Record<string, unknown>;
  t.like(log, { operation: 'undo', undone: false });
  await inTree(tree, ['undo', '--yes']);
  const none = await inTree(tree, ['undo', '--yes']);
  t.is(none.code, 1);
  t.regex(none.stderr, /ERR_NOTHING_TO_UNDO/);
}));

test.serial('a later change of somebody else is kept, what depends on the undone is a conflict, --require-complete refuses', (t) => scoped(async (scope) => {
  const { tree } = await project(scope);
  const place = (name: string): string => path.join(tree.tree, name);
  await shell('echo bad > mine; echo bad > shared; sed -i s/^500$/bad/ src/a; rm link', { cwd: tree.tree });
  const log = (await tree.rewind('log', 'mine', '--json')).trim().split('\n').map((line) => JSON.parse(line) as { writer: { pid: number } });
  const pid = String(log[0]!.writer.pid);
  fs.appendFileSync(place('shared'), 'good\n');
  const refused = await inTree(tree, ['undo', '--family', pid, '--yes', '--require-complete']);
  t.is(refused.code, 13, refused.stderr);
  t.true(fs.existsSync(place('mine')));
  const shown = await inTree(tree, ['undo', '--family', pid, '--dry-run']);
  t.regex(shown.stdout, /conflict: .*node\[/);
  t.true(fs.existsSync(place('mine')));
  const undone = await inTree(tree, ['undo', '--family', pid, '--yes']);
  t.is(undone.code, 3, undone.stderr);
  t.false(fs.existsSync(place('mine')));
  t.is(fs.readFileSync(place('shared'), 'utf8'), 'bad\ngood\n');
  t.is(fs.readFileSync(place('src/a'), 'utf8').split('\n')[499], '500');
  t.is(fs.readlinkSync(place('link')), 'src/a');
}));

test.serial('a file that is saved as a new one stays one file: what others saved before and after is kept, line by line', (t) => scoped(async (scope) => {
  const { tree } = await project(scope);
  const file = path.join(tree.tree, 'src/a');
  const lines = (): string[] => fs.readFileSync(file, 'utf8').split('\n');
  const good = Array.from({ length: 1000 }, (_, i) => String(i + 1));
  const bad = 'sed -i "s/^500$/bad/" src/a';
  const inPlace = 'printf bad | dd of=src/a bs=1 seek=$((`head -n 499 src/a | wc -c`)) conv=notrunc status=none';
  for (const [what, first, later, expected] of [
    ['they wrote on in the file that was saved', bad, 'echo end >> src/a', [...good, 'end', '']],
    ['they saved it by rename, too', bad, 'perl -pe "s/^7$/seven/" src/a > src/new; mv src/new src/a', [...good.map((line) => (line === '7' ? 'seven' : line)), '']],
    ['they saved by rename what was changed in place', inPlace, 'perl -pe "s/^7$/seven/" src/a > src/new; mv src/new src/a', [...good.map((line) => (line === '7' ? 'seven' : line)), '']],
    ['an editor kept a backup', inPlace, 'exec perl -e \'rename "src/a","src/a~"; open I,"src/a~"; open O,">src/a"; while(<I>){s/^7$/seven/;print O} close O; unlink "src/a~"\'', [...good.map((line) => (line === '7' ? 'seven' : line)), '']],
    ['saves of both, in turns', bad, 'perl -pe "s/^7$/seven/" src/a > src/new; mv src/new src/a; sed -i "s/^900$/worse/" src/a; echo end >> src/a', [...good.map((line) => (line === '7' ? 'seven' : line)), 'end', '']],
  ] as const) {
    fs.writeFileSync(file, `${good.join('\n')}\n`);
    const { seq } = await tree.status();
    await shell(first, { cwd: tree.tree });
    await shell(later, { cwd: tree.tree });
    const undone = await inTree(tree, ['undo', '--exe', first === bad ? 'sed' : 'dd', '--since', `#${seq}`, '--yes']);
    t.is(undone.code, 0, `${what}: ${undone.stdout}${undone.stderr}`);
    t.deepEqual(lines(), expected, what);
  }
  fs.writeFileSync(file, `${good.join('\n')}\n`);
  const { seq } = await tree.status();
  await shell(`${bad}; perl -pe "s/^bad$/bad indeed/" src/a > src/new; mv src/new src/a`, { cwd: tree.tree });
  const conflict = await inTree(tree, ['undo', '--exe', 'sed', '--since', `#${seq}`, '--yes']);
  t.is(conflict.code, 0, 'nothing of it is left');
  t.is(lines()[499], 'bad indeed');
  fs.writeFileSync(file, `${good.join('\n')}\n`);
  const again = (await tree.status()).seq;
  await shell('sed -i "s/^500$/bad/; s/^501$/worse/" src/a; perl -pe "s/^bad$/bad indeed/" src/a > src/new; mv src/new src/a', { cwd: tree.tree });
  const stays = await inTree(tree, ['undo', '--exe', 'sed', '--since', `#${again}`, '--yes']);
  t.is(stays.code, 3, stays.stdout);
  t.regex(stays.stdout, /keeps +src\/a .*\[\d+\]/);
  t.deepEqual(lines().slice(499, 501), ['bad indeed', 'worse']);
}));

test.serial('bad input is said exactly', (t) => scoped(async (scope) => {
  const { tree } = await project(scope);
  for (const [args, code, words] of [
    [['undo', '--writer', '4194305', '--yes'], 1, /ERR_WRITER_UNKNOWN/], [['undo', '--writer', 'x', '--yes'], 2, /ERR_USAGE/], [['undo', '--exe', 'nosuch*', '--yes'], 1, /ERR_WRITER_UNKNOWN/],
    [['undo', '--session', 'nosuch', '--yes'], 1, /ERR_SESSION_UNKNOWN/], [['undo', '--uid', '0', '--since', 'now', '--yes'], 1, /no change of that selection/], [['undo', '--yes'], 1, /ERR_NOTHING_TO_UNDO/],
    [['undo', '--since', 'now', '--until', '#2', '--yes'], 2, /--since #\d+ is later than --until #2/], [['redo', '--yes'], 1, /ERR_NOTHING_TO_UNDO/], [['op', 'nosuch'], 2, /ERR_USAGE/], [['run'], 2, /ERR_USAGE/], [['run', '--', 'nosuch-command'], 127, /nosuch-command cannot be run.*ERR_COMMAND/],
    [['run', '--', './src/a'], 126, /ERR_COMMAND/], [['run', '--name', 'a b', '--', 'true'], 2, /ERR_POINT_NAME/],
  ] as const) {
    const result = await inTree(tree, [...args]);
    t.is(result.code, code, `${args.join(' ')}: ${result.stdout}${result.stderr}`);
    t.regex(result.stderr, words, args.join(' '));
  }
  await tree.unmount();
  const unmounted = await rewind(['run', '--store', tree.store, '--', 'true']);
  t.is(unmounted.code, 1);
  t.regex(unmounted.stderr, /ERR_NOT_MOUNTED/);
}));
