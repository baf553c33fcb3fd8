/** Bisect: the first change after which a test fails, by tests in forks and in views, and by hand. */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { mountSettled, rewind, type MountedTree } from '../helpers/mount.js';
import type { RunResult } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';

const SAVES = 200;
const BUG = 137;

/** A file of many saves, of which one brings the bug in; other files change in between. */
async function buggy(scope: Scope, saves = SAVES, bug = BUG): Promise<MountedTree> {
  const mounted = await mountSettled(scope);
  fs.mkdirSync(path.join(mounted.tree, 'src'));
  await mounted.rewind('mark', 'begin');
  for (let save = 1; save <= saves; save++) {
    fs.writeFileSync(path.join(mounted.tree, 'src/file'), `save ${save}\n${save >= bug ? 'BUG\n' : ''}`);
    if (save % 3 === 0) fs.writeFileSync(path.join(mounted.tree, 'other'), `${save}`);
  }
  return mounted;
}

const bisect = (mounted: MountedTree, options: string[], program?: string[]): Promise<RunResult> =>
  rewind(['bisect', ...options, '--tree', mounted.tree, ...(program ? ['--', ...program] : [])], { timeoutMs: 300_000 });

interface Found { type: string; first_bad: { seq: number; path: string; writer: { pid: number } } | null; suspects: { seq: number }[]; last_good: number; runs: number; rollback: string }
const last = (result: RunResult): Found => JSON.parse(result.stdout.trim().split('\n').at(-1)!) as Found;

for (const readOnly of [false, true]) {
  test.serial(`the save that brought the bug is named in at most 8 runs, ${readOnly ? 'in views' : 'in forks'}`, (t) => scoped(async (scope) => {
    const mounted = await buggy(scope);
    const calls = path.join(scope.temporary(), 'calls');
    const program = ['sh', '-c', `echo >> ${calls}; ${readOnly ? '' : 'echo mine > src/file.new; '}! grep -q BUG src/file`];
    const result = await bisect(mounted, ['--good', 'begin', '--path', path.join(mounted.tree, 'src/file'), '--json', ...(readOnly ? ['--read-only'] : [])], program);
    t.is(result.code, 0, result.stderr);
    const found = last(result);
    t.true(found.runs <= 8);
    t.is(fs.readFileSync(calls, 'utf8').length, found.runs + 2);
    t.is(found.first_bad?.path, 'src/file');
    t.is(found.first_bad?.writer.pid, process.pid);
    const at = (seq: number): Promise<string> => mounted.rewind('cat', path.join(mounted.tree, 'src/file'), '--at', `#${seq}`);
    t.is(await at(found.first_bad!.seq), `save ${BUG}\nBUG\n`);
    t.is(await at(found.last_good), `save ${BUG - 1}\n`);
    t.is(found.rollback, `rewind rollback src/file --to "#${found.last_good}"`);
    t.is(await mounted.rewind('fork', 'list'), '');
    t.deepEqual(fs.readdirSync(path.join(mounted.tree, 'src')), ['file']);
    await mounted.rewind('rollback', path.join(mounted.tree, 'src/file'), '--to', `#${found.last_good}`, '--yes');
    t.is(fs.readFileSync(path.join(mounted.tree, 'src/file'), 'utf8'), `save ${BUG - 1}\n`);
  }));
}

test.serial('within one save the single write is named', (t) => scoped(async (scope) => {
  const mounted = await mountSettled(scope);
  await mounted.rewind('mark', 'begin');
  const file = fs.openSync(path.join(mounted.tree, 'log'), 'w');
  for (let i = 1; i <= 40; i++) fs.writeSync(file, i === 23 ? 'BUG\n' : `line ${i}\n`);
  fs.closeSync(file);
  const result = await bisect(mounted, ['--good', 'begin', '--json'], ['sh', '-c', '! grep -q BUG log']);
  const { first_bad } = last(result);
  t.is((await mounted.rewind('cat', path.join(mounted.tree, 'log'), '--at', `#${first_bad!.seq}`)).split('\n').at(-2), 'BUG', result.stderr);
}));

test.serial('a skipped stretch is told as such', (t) => scoped(async (scope) => {
  const mounted = await buggy(scope, 12, 6);
  const script = 'case "$(head -n 1 src/file)" in "save 5"|"save 6") exit 125;; esac; ! grep -q BUG src/file';
  const result = await bisect(mounted, ['--good', 'begin', '--path', path.join(mounted.tree, 'src/file')], ['sh', '-c', `[ -e src/file ] || exit 0; ${script}`]);
  t.is(result.code, 0, result.stderr);
  t.regex(result.stdout, /one of these 3; tests between were skipped/);
  t.regex(result.stderr, /^skip /m);
}));

test.serial('by hand: each answer leads on, to the same save', (t) => scoped(async (scope) => {
  const mounted = await buggy(scope, 20, 14);
  let step = await bisect(mounted, ['start', '--good', 'begin', '--path', path.join(mounted.tree, 'src'), '--json']);
  t.regex((await bisect(mounted, ['start', '--good', 'begin'])).stderr, /begun already \(ERR_BISECT_STATE\)/);
  for (let i = 0; ; i++) {
    t.is(step.code, 0, step.stderr);
    const row = last(step) as unknown as { type: string; path: string };
    if (row.type === 'found') break;
    t.true(i < 5);
    if (i === 0) {
      fs.writeFileSync(path.join(row.path, 'built'), 'by hand');
      const shown = await bisect(mounted, ['status', '--json']);
      t.deepEqual(last(shown) as unknown, row, shown.stderr);
      t.is(fs.readFileSync(path.join(row.path, 'built'), 'utf8'), 'by hand', 'who asks where the search stands loses nothing');
    }
    if (i === 1) {
      await mounted.unmount();
      await mounted.mount();
      await mounted.rewind('fork', 'open', 'bisect');
    }
    step = await bisect(mounted, [fs.readFileSync(path.join(row.path, 'src/file'), 'utf8').includes('BUG') ? 'bad' : 'good', '--json']);
  }
  t.is(await mounted.rewind('cat', path.join(mounted.tree, 'src/file'), '--at', `#${last(step).first_bad!.seq}`), 'save 14\nBUG\n');
  t.regex((await bisect(mounted, ['good'])).stderr, /come to its end \(ERR_BISECT_STATE\)/);
  t.is((await bisect(mounted, ['reset'])).code, 0);
  t.regex((await bisect(mounted, ['status'])).stderr, /No bisect was begun \(ERR_BISECT_STATE\)/);
  t.is(await mounted.rewind('fork', 'list'), '');
}));

test.serial('a fork of the name that no search has made is left alone', (t) => scoped(async (scope) => {
  const mounted = await buggy(scope, 8, 5);
  const step = await bisect(mounted, ['start', '--good', 'begin', '--json']);
  const { path: place } = last(step) as unknown as { path: string };
  fs.writeFileSync(path.join(place, 'mine'), 'mine');
  fs.rmSync(path.join(mounted.store, 'bisect.json'));
  t.regex((await bisect(mounted, ['start', '--good', 'begin'])).stderr, /There is a fork bisect already.*ERR_EXISTS/);
  t.is((await bisect(mounted, ['reset'])).code, 0);
  t.is(fs.readFileSync(path.join(place, 'mine'), 'utf8'), 'mine');
}));

test.serial('what cannot be: equal ends, turned ends, nothing between, a good that is bad, a bad that is good, no test', (t) => scoped(async (scope) => {
  const mounted = await buggy(scope, 8, 5);
  await mounted.rewind('mark', 'end');
  const bugs = ['sh', '-c', '! grep -q BUG src/file'];
  const cases: [options: string[], program: string[] | undefined, code: number, error: RegExp][] = [
    [['--good', 'end', '--bad', 'end'], bugs, 1, /Both ends are #\d+ \(ERR_BISECT_ENDS\)/],
    [['--good', 'end', '--bad', 'begin'], bugs, 1, /comes after the bad one.*ERR_BISECT_ENDS/],
    [['--good', 'begin', '--path', path.join(mounted.tree, 'none')], bugs, 1, /ERR_NEVER_EXISTED/],
    [['--good', 'begin'], ['false'], 1, /should be good, and the test says bad \(ERR_BISECT_ENDS\)/],
    [['--good', 'begin'], ['true'], 1, /should be bad, and the test says good \(ERR_BISECT_ENDS\)/],
    [['--good', 'begin'], ['sh', '-c', 'exit 125'], 1, /the test cannot tell \(125\) \(ERR_BISECT_ENDS\)/],
    [['--good', 'begin'], ['/no/such/test'], 1, /cannot be run.*ERR_BISECT_TEST/],
    [['--good', 'begin'], ['sh', '-c', 'kill -TERM $$'], 1, /ended by SIGTERM \(ERR_BISECT_TEST\)/],
    [['--good', 'begin'], undefined, 2, /a test after -- was expected/], [['frobnicate'], undefined, 2, /none of start/], [['good', '--good', 'begin'], undefined, 2, /means nothing for good/],
    [['skip'], undefined, 1, /ERR_BISECT_STATE/],
  ];
  for (const [options, program, code, error] of cases) {
    const result = await bisect(mounted, options, program);
    t.is(result.code, code, `${options.join(' ')}: ${result.stderr}`);
    t.regex(result.stderr, error);
  }
  t.is(await mounted.rewind('fork', 'list'), '');
}));
