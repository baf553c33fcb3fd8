/** rollback in all its shapes, pins, replay and a restore into the tree, as a user types them. */
import test from 'ava';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Driver } from '../helpers/driver.js';
import { mountSettled, rewind, type MountedTree } from '../helpers/mount.js';
import { shell, until, type RunResult } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { contentFields, differences, snapshot, type Field, type Snapshot } from '../helpers/snapshot.js';

const EXACT: readonly Field[] = [...contentFields, 'mtime'];

interface Project {
  tree: MountedTree;
  inTree: (...args: string[]) => Promise<RunResult>;
  state: () => Promise<Snapshot>;
  read: (name: string) => string;
  write: (name: string, text: string) => void;
}

async function project(scope: Scope, script = 'mkdir -p docs/deep src; echo one > docs/a; echo one > docs/deep/b; echo one > src/x; echo one > top'): Promise<Project> {
  const tree = await mountSettled(scope, { where: 'memory' });
  await shell(script, { cwd: tree.tree });
  const driver = new Driver();
  scope.defer(() => driver.close());
  const at = (name: string): string => path.join(tree.tree, name);
  return {
    tree, inTree: (...args) => rewind(args, { cwd: tree.tree, timeoutMs: 120_000 }), state: () => snapshot(driver, tree.tree),
    read: (name) => fs.readFileSync(at(name), 'utf8'), write: (name, text) => fs.writeFileSync(at(name), text),
  };
}

const rows = (text: string): Record<string, unknown>[] => text.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>);

test.serial('each path goes to a time of its own, by arguments, by a TOML file and by the plan that was printed', (t) => scoped(async (scope) => {
  const { tree, inTree, read, write, state } = await project(scope);
  await tree.rewind('mark', 'five');
  write('docs/a', 'two');
  write('docs/added', 'until three');
  await tree.rewind('mark', 'three');
  for (const name of ['docs/a', 'docs/added', 'src/x', 'top', 'new']) write(name, 'bad');
  const bad = await state();
  const check = async (result: RunResult): Promise<void> => {
    t.is(result.code, 0, result.stderr);
    t.deepEqual(['docs/a', 'docs/added', 'docs/deep/b', 'src/x', 'top'].map(read), ['two', 'until three', 'one\n', 'one\n', 'one\n']);
    t.false(fs.existsSync(path.join(tree.tree, 'new')));
    const undone = await inTree('undo', '--yes');
    t.is(undone.code, 0, undone.stderr);
    t.deepEqual(differences(bad, await state(), EXACT), []);
  };
  await check(await inTree('rollback', '--to', 'five', 'docs@three', '--yes'));
  const file = path.join(scope.temporary('memory'), 'plan');
  fs.writeFileSync(file, 'to = "five"\n[[part]]\npath = "docs"\nto = "three"\n');
  await check(await inTree('rollback', '--plan', file, '--yes'));
  fs.writeFileSync(file, (await inTree('rollback', '--to', 'five', 'docs@three', '--dry-run', '--json')).stdout);
  await check(await inTree('rollback', '--plan', file, '--yes'));
  const some = await inTree('rollback', 'src@five', 'docs/a@three', '--yes');
  t.is(some.code, 0, some.stderr);
  t.deepEqual(['docs/a', 'docs/added', 'src/x', 'top', 'new'].map(read), ['two', 'bad', 'one\n', 'bad', 'bad']);
}));

test.serial('a name that holds an @ is that name when it exists, or when the @ is escaped', (t) => scoped(async (scope) => {
  const { tree, inTree, read, write } = await project(scope, 'mkdir -p @scope; echo one > a@good; echo one > @scope/pkg; echo one > a');
  await tree.rewind('mark', 'good');
  for (const name of ['a@good', '@scope/pkg', 'a']) write(name, 'bad');
  t.is((await inTree('rollback', 'a@good', '@scope/pkg', '--to', 'good', '--yes')).code, 0);
  t.deepEqual(['a@good', '@scope/pkg', 'a'].map(read), ['one\n', 'one\n', 'bad']);
  fs.rmSync(path.join(tree.tree, 'a@good'));
  t.is((await inTree('rollback', 'a\\x40good', '--to', 'good', '--yes')).code, 0);
  t.deepEqual(['a@good', 'a'].map(read), ['one\n', 'bad']);
  fs.rmSync(path.join(tree.tree, 'a@good'));
  t.is((await inTree('rollback', 'a@good', '--yes')).code, 0);
  t.is(read('a'), 'one\n');
  t.false(fs.existsSync(path.join(tree.tree, 'a@good')));
}));

test.serial('what others changed since the plan was made stops it; --force goes over it', (t) => scoped(async (scope) => {
  const { tree, inTree, read, write } = await project(scope);
  await tree.rewind('mark', 'good');
  write('docs/a', 'bad');
  const file = path.join(scope.temporary('memory'), 'plan');
  fs.writeFileSync(file, (await inTree('rollback', 'docs', '--to', 'good', '--dry-run', '--json')).stdout);
  write('src/x', 'elsewhere');
  t.is((await inTree('rollback', '--plan', file, '--dry-run')).code, 0);
  write('docs/a', 'newer');
  const shown = await inTree('rollback', '--plan', file, '--dry-run');
  t.regex(shown.stdout, /newer +docs\/a .*node\[/);
  const refused = await inTree('rollback', '--plan', file, '--yes');
  t.is(refused.code, 13, refused.stderr);
  t.regex(refused.stderr, /docs\/a.*ERR_NEWER_CHANGES/);
  t.is(read('docs/a'), 'newer');
  t.is((await inTree('rollback', '--plan', file, '--yes', '--force')).code, 0);
  t.deepEqual(['docs/a', 'src/x'].map(read), ['one\n', 'elsewhere']);
}));

test.serial('with --yes, what others change in its scope while it runs stops it: nobody was shown that it would go', (t) => scoped(async (scope) => {
  const { tree, inTree, read, write } = await project(scope);
  await tree.rewind('mark', 'good');
  for (const name of ['docs/a', 'src/x']) write(name, 'bad');
  const child = spawn(process.execPath, ['-e', 'const fs = require("fs"); setInterval(() => { fs.mkdirSync("docs/n"); fs.rmdirSync("docs/n"); }, 5)'], { cwd: tree.tree, stdio: 'ignore' });
  try {
    const before = fs.statSync(path.join(tree.tree, 'docs')).mtimeMs;
    await until('it changes the tree', () => fs.statSync(path.join(tree.tree, 'docs')).mtimeMs !== before);
    const refused = await inTree('rollback', 'docs', '--to', 'good', '--yes');
    t.is(refused.code, 13, refused.stderr);
    t.regex(refused.stderr, /others changed docs\/n \(ERR_NEWER_CHANGES\)/);
    t.is(read('docs/a'), 'bad');
    t.is((await inTree('rollback', 'src', '--to', 'good', '--yes')).code, 0, 'what it changes lies elsewhere');
  } finally {
    child.kill('SIGKILL');
    await until('the program ends', () => child.signalCode !== null);
  }
  t.is((await inTree('rollback', 'docs', '--to', 'good', '--yes')).code, 0, 'what was changed before is what it is for');
  t.deepEqual(['docs/a', 'src/x'].map(read), ['one\n', 'one\n']);
}));

test.serial('a plan that is shown names those whose changes would go, of its paths and since their times', (t) => scoped(async (scope) => {
  const { tree, inTree } = await project(scope);
  await tree.rewind('mark', 'five');
  await shell('sed -i s/one/two/ docs/a; true', { cwd: tree.tree });
  await tree.rewind('mark', 'three');
  await shell('cp top docs/b; rm src/x; true', { cwd: tree.tree });
  const named = async (...args: string[]): Promise<string> => /^Changes that would go are of (.*)$/m.exec((await inTree('rollback', ...args, '--dry-run')).stdout)?.[1]?.replaceAll(/\[\d+\]/g, '') ?? '';
  t.deepEqual((await named('--to', 'five')).split(', ').sort(), ['cp', 'rm', 'sed']);
  t.deepEqual((await named('--to', 'five', 'docs@three')).split(', ').sort(), ['cp', 'rm']);
  t.is(await named('src', '--to', 'five'), 'rm');
  const [row] = rows((await inTree('rollback', 'docs/a', '--to', 'five', '--dry-run', '--json')).stdout).filter(({ type }) => type === 'writers');
  t.like(row, { more: 0 });
  t.deepEqual((row!['writers'] as { argv: string[] }[]).map(({ argv }) => argv.join(' ')), ['sed -i s/one/two/ docs/a']);
}));

test.serial('a file that a program has open for writing stops it; one that is read, or elsewhere, does not', (t) => scoped(async (scope) => {
  const { tree, inTree, read, write } = await project(scope);
  await tree.rewind('mark', 'good');
  write('docs/a', 'bad');
  write('src/x', 'bad');
  const child = spawn('bash', ['-c', 'exec 7>>docs/a 8<src/x; echo ready; read line'], { cwd: tree.tree, stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const refused = await inTree('rollback', '--to', 'good', '--yes');
    t.is(refused.code, 13, refused.stderr);
    t.regex(refused.stderr, new RegExp(`docs/a is open for writing by bash\\[${child.pid}\\]`));
    t.deepEqual(['docs/a', 'src/x'].map(read), ['bad', 'bad']);
    t.regex((await inTree('rollback', '--to', 'good', '--dry-run')).stdout, /open +docs\/a/);
    t.is((await inTree('rollback', 'src', '--to', 'good', '--yes')).code, 0);
    t.is(read('src/x'), 'one\n');
    t.is((await inTree('rollback', '--to', 'good', '--yes', '--force')).code, 0);
    t.is(read('docs/a'), 'one\n');
  } finally {
    child.stdin.end('\n');
    await until('the program ends', () => child.exitCode !== null);
  }
}));

test.serial('a plan file is taken whole or refused, saying where', (t) => scoped(async (scope) => {
  const { tree, inTree, state } = await project(scope);
  await tree.rewind('mark', 'good');
  const before = await state();
  const file = path.join(scope.temporary('memory'), 'plan');
  for (const [text, words] of [
    ['to = 5', /to must be a time in quotes/], ['too = "5"', /"too" is not known/], ['[part]\npath = "a"', /two brackets/], ['[[part]]\npath = "a"', /part 1 needs a path and a to/],
    ['[[part]]\npath = "a"\nto = "good"\nat = "x"', /"at" is not known in part 1/], ['', /names nothing/], ['to = "good', /plan:1: /], ['{"type":"plan","now":3}', /no whole plan/],
    ['{"type":"part","path":"."}', /plan:1: a part has a path, and a seq/], ['{"type":', /plan:1: this line is not JSON/], ['[[part]]\npath = "../a"\nto = "good"', /contains "\.\."/],
    ['[[part]]\npath = "docs"\nto = "good"\n[[part]]\npath = "docs/"\nto = "#1"', /cannot be as at/],
  ] as const) {
    fs.writeFileSync(file, text);
    const result = await inTree('rollback', '--plan', file, '--yes');
    t.is(result.code, 2, `${text}: ${result.stdout}${result.stderr}`);
    t.regex(result.stderr, words, text);
  }
  for (const [args, words] of [
    [['docs', '--yes'], /docs has no time/], [['--yes'], /No time was named/], [['docs@', '--to', 'good', '--yes'], /never existed/], [['docs@nosuch', '--yes'], /nosuch/],
    [['--plan', '/nosuch/file', '--yes'], /cannot be read/], [['--plan', file, '--to', 'good'], /names paths and times itself/], [['--resume', '--to', 'good'], /--resume goes on/],
    [['dosc@good', '--yes'], /dosc never existed/],
  ] as const) {
    const result = await inTree('rollback', ...args);
    t.true(result.code === 2 || result.code === 1, result.stderr);
    t.regex(result.stderr, words, args.join(' '));
  }
  t.deepEqual(differences(before, await state(), EXACT), []);
}));

test.serial('points are pinned and unpinned; what an operation began from is pinned by itself; a remount keeps it', (t) => scoped(async (scope) => {
  const { tree, inTree, write } = await project(scope);
  await tree.rewind('mark', 'release');
  await tree.rewind('mark', 'other');
  write('top', 'bad');
  await tree.rewind('pin', 'release');
  await tree.rewind('pin', 'other');
  t.regex(await tree.rewind('unpin', 'other'), /other .*not pinned/);
  await tree.rewind('rollback', '--to', 'release', '--yes');
  const pinned = async (): Promise<unknown> => rows(await tree.rewind('points', '--json')).filter((point) => point['pinned']).map(({ kind, name, phase }) => [kind, name, phase]);
  t.deepEqual(await pinned(), [['mark', 'release', undefined], ['rollback', '', undefined]]);
  await tree.unmount();
  await tree.mount();
  t.deepEqual(await pinned(), [['mark', 'release', undefined], ['rollback', '', undefined]]);
  t.regex(await tree.rewind('points'), /\* mark +release/);
  const none = await inTree('pin', '#2');
  t.is(none.code, 1);
  t.regex(none.stderr, /ERR_POINT_UNKNOWN/);
}));

test.serial('a restore into the tree is an operation: undone and done again; one elsewhere is none', (t) => scoped(async (scope) => {
  const { tree, inTree, read, write, state } = await project(scope);
  await tree.rewind('mark', 'good');
  write('docs/a', 'two');
  const before = await state();
  const refused = await inTree('restore', 'docs', '--at', 'good', '--into', '.');
  t.regex(refused.stderr, /ERR_EXISTS/);
  await tree.rewind('restore', 'docs', '--at', 'good', '--into', scope.temporary('memory'));
  t.is(rows(await tree.rewind('op', 'log', '--json')).length, 0);
  const made = await inTree('restore', 'docs', '--at', 'good', '--into', 'old/copy');
  t.is(made.code, 0, made.stderr);
  t.is(read('old/copy/docs/a'), 'one\n');
  t.like(rows(await tree.rewind('op', 'log', '--json'))[0], { operation: 'restore', undone: false, interrupted: false });
  const with_copy = await state();
  t.is((await inTree('undo', '--yes')).code, 0);
  t.deepEqual(differences(before, await state(), EXACT), []);
  t.is((await inTree('redo', '--yes')).code, 0);
  t.deepEqual(differences(with_copy, await state(), EXACT), []);
  t.is((await inTree('restore', 'docs/a', '--at', 'good', '--into', 'docs', '--force')).code, 0);
  t.is(read('docs/a'), 'one\n');
  t.is((await inTree('undo', '--yes')).code, 0);
  t.is(read('docs/a'), 'two');
}));

test.serial('a replay without a writer is what undo of that writer since then gives', (t) => scoped(async (scope) => {
  const { tree, inTree, state } = await project(scope, 'seq 100 > lines; printf %0200d 0 > bytes; echo old > early');
  await tree.rewind('mark', 'start');
  const drivers = [await tree.driver(), await tree.driver()] as const;
  const over = async (driver: Driver, file: string, offset: number, text: string): Promise<void> => {
    await driver.ok('open', '0', file, fs.constants.O_WRONLY | fs.constants.O_CREAT, 0o644);
    await driver.ok('seek', '0', String(offset), 0);
    await driver.ok('text', '0', text);
    await driver.ok('close', '0');
  };
  await over(drivers[0], 'bytes', 10, 'BAD');
  await over(drivers[1], 'bytes', 100, 'GOOD');
  await over(drivers[1], 'lines', 0, '9');
  await over(drivers[0], 'lines', 200, '#');
  await over(drivers[0], 'made', 0, 'bad');
  await over(drivers[1], 'kept', 0, 'good');
  const bad = await state();
  const pid = String(drivers[0].pid);
  const shown = await inTree('replay', '--from', 'start', '--except', pid, '--dry-run');
  t.is(shown.code, 0, shown.stderr);
  t.deepEqual(differences(bad, await state(), EXACT), []);
  t.is((await inTree('undo', '--writer', pid, '--since', 'start', '--yes')).code, 0);
  const undone = await state();
  t.true(differences(bad, undone, EXACT).length > 0);
  t.is((await inTree('undo', '--yes')).code, 0);
  t.deepEqual(differences(bad, await state(), EXACT), []);
  const replayed = await inTree('replay', '--from', 'start', '--except', pid, '--yes');
  t.is(replayed.code, 0, replayed.stderr);
  t.deepEqual(differences(undone, await state(), EXACT), []);
  t.like(rows(await tree.rewind('op', 'log', '--json'))[0], { operation: 'replay' });
  t.is((await inTree('undo', '--yes')).code, 0);
  t.deepEqual(differences(bad, await state(), EXACT), []);
  for (const [who, words] of [['x', /--except takes/], ['', /--except takes/], ['exe:nosuch*', /ERR_WRITER_UNKNOWN/], ['4194305', /ERR_WRITER_UNKNOWN/]] as const) {
    const result = await inTree('replay', '--from', 'start', '--except', who, '--yes');
    t.true(result.code === 1 || result.code === 2, result.stderr);
    t.regex(result.stderr, words, who);
  }
}));
