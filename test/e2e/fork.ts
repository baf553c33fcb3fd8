/** Forks: the past as a writable directory that touches nothing, and whose changes come back exactly. */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { Driver } from '../helpers/driver.js';
import { mountSettled, rewind, rewindMust, type MountedTree } from '../helpers/mount.js';
import { freshSeed, Random } from '../helpers/random.js';
import { shell, type RunResult } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { contentFields, differences, snapshot } from '../helpers/snapshot.js';
import { shellAsUser, userDirectory } from '../helpers/user.js';

const PROJECT = `mkdir -p src/deep/er build 'odd, na:me'; echo 'int main(void){return 0;}' > src/main.c; echo a > src/deep/a; echo b > src/deep/er/b
  printf 'all: out/prog\\nout/prog: src/main.c\\n\\tmkdir -p out && cp src/main.c out/prog && rm -rf build && mv src/deep moved\\n' > Makefile
  ln -s main.c src/link; chown 1000:1000 src/deep/a; chmod 640 src/deep/a; setfattr -n user.k -v v src/main.c; echo o > 'odd, na:me/o'; head -c 300000 /dev/urandom > big; chown 1000 .`;

async function project(scope: Scope): Promise<MountedTree> {
  const mounted = await mountSettled(scope);
  await shell(PROJECT, { cwd: mounted.tree });
  await mounted.rewind('mark', 'begin');
  return mounted;
}

/** The kernel says 1 of every directory that lies in both layers of an overlay; the links of files are compared by their groups. */
const FIELDS = contentFields.filter((field) => field !== 'nlink');

const fork = async (mounted: MountedTree, ...args: string[]): Promise<string> => (await mounted.rewind('fork', ...args)).trim();
const attempt = (mounted: MountedTree, ...args: string[]): Promise<RunResult> => rewind([...args.slice(0, 1), ...args.slice(1), '--tree', mounted.tree], { timeoutMs: 120_000 });

async function driverOf(scope: Scope): Promise<Driver> {
  const driver = new Driver();
  scope.defer(() => driver.close());
  return driver;
}

test.serial('a build in a fork of an old instant leaves the live tree as it is, and its exit code is passed on', (t) => scoped(async (scope) => {
  const mounted = await project(scope);
  await shell('echo broken > src/main.c; rm -r src/deep', { cwd: mounted.tree });
  const driver = await driverOf(scope);
  const before = await snapshot(driver, mounted.tree);
  const { seq } = await mounted.status();
  const built = await rewind(['fork', 'begin', '--name', 'old', '--tree', mounted.tree, '--', 'sh', '-c', 'make -s && cat out/prog && exit 7'], { timeoutMs: 120_000 });
  t.is(built.code, 7, built.stderr);
  t.is(built.stdout, 'int main(void){return 0;}\n');
  t.deepEqual(differences(before, await snapshot(driver, mounted.tree), [...contentFields, 'mtime', 'ctime', 'ino']), []);
  t.is((await mounted.status()).seq, seq);
  const rows = (await mounted.rewind('fork', 'diff', 'old')).trim().split('\n');
  t.deepEqual(rows, ['-..... build', '+..... out', '+..... out/prog', 'R..... src/deep -> moved'].sort((a, b) => (a.slice(7) < b.slice(7) ? -1 : 1)).sort((a, b) => (a.split(' ').at(-1)! < b.split(' ').at(-1)! ? -1 : 1)));
}));

test.serial('a fork begins as the tree was then: contents, owners, modes, links, attributes', (t) => scoped(async (scope) => {
  const mounted = await project(scope);
  const driver = await driverOf(scope);
  const then = await snapshot(driver, mounted.tree);
  await shell('rm -rf *; echo other > src', { cwd: mounted.tree });
  const place = await fork(mounted, 'begin');
  t.deepEqual(differences(then, await snapshot(driver, place), [...FIELDS, 'mtime']), []);
}));

/** One change at random somewhere in a directory. */
function change(random: Random, root: string): void {
  const all = fs.readdirSync(root, { recursive: true }) as string[];
  const some = (): string => path.join(root, all.length > 0 ? random.pick(all) : 'x');
  const fresh = (): string => path.join(root, random.chance(0.5) || all.length === 0 ? '' : path.dirname(random.pick(all)), `n${random.below(1000)}`);
  const pickOr = (list: string[], other: string): string => (list.length > 0 ? random.pick(list) : other);
  const actions: (() => void)[] = [
    () => fs.writeFileSync(fresh(), `text ${random.next()}`),
    () => fs.appendFileSync(some(), 'more'),
    () => fs.rmSync(some(), { recursive: true }),
    () => fs.mkdirSync(fresh()),
    () => fs.renameSync(some(), random.chance(0.3) ? some() : fresh()),
    () => fs.renameSync(pickOr(all.filter((name) => fs.lstatSync(path.join(root, name)).isDirectory()).map((name) => path.join(root, name)), some()), fresh()),
    () => fs.symlinkSync(`to${random.below(9)}`, fresh()),
    () => fs.chmodSync(some(), random.pick([0o600, 0o755, 0o640])),
    () => fs.lchownSync(some(), random.below(3) * 1000, random.below(3) * 1000),
    () => fs.truncateSync(some(), random.below(200_000)),
    () => { const place = some(); fs.rmSync(place, { recursive: true }); fs.mkdirSync(place); fs.writeFileSync(path.join(place, 'again'), 'x'); },
    () => { const place = some(); fs.rmSync(place, { recursive: true }); fs.writeFileSync(place, 'a file now'); },
  ];
  try {
    if (all.length === 0) fs.writeFileSync(path.join(root, 'first'), 'first');
    else random.pick(actions)();
  } catch (error) {
    if (!/^E(NOENT|ISDIR|NOTDIR|EXIST|NOTEMPTY|INVAL|BUSY|LOOP)|ERR_FS_EISDIR|ERR_FS_CP/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

for (let round = 0; round < 3; round++) {
  const seed = freshSeed() + round;
  test.serial(`keep makes the live tree the fork, and its rollback takes it back; round ${round}`, (t) => scoped(async (scope) => {
    t.log(`seed ${seed}`);
    const random = new Random(seed);
    const mounted = await mountSettled(scope);
    const driver = await driverOf(scope);
    for (let i = 0; i < 40; i++) change(random, mounted.tree);
    await mounted.rewind('mark', 'begin');
    const then = await snapshot(driver, mounted.tree);
    const place = await fork(mounted, 'begin', '--name', 'f');
    for (let i = 0; i < 40; i++) change(random, place);
    const wanted = await snapshot(driver, place);
    const done = (await mounted.rewind('fork', 'keep', 'f', '--yes', '--json')).trim().split('\n').map((line) => JSON.parse(line) as { type: string; before: number });
    t.deepEqual(differences(wanted, await snapshot(driver, mounted.tree), FIELDS), []);
    t.regex(await mounted.rewind('fork', 'keep', 'f', '--dry-run'), /Plan: 0 restored, \d+ unchanged, 0 updated, 0 deleted/);
    const { before } = done.at(-1)!;
    for (const [verb, expected, fields] of [['undo', then, undefined], ['redo', wanted, FIELDS]] as const) {
      if (before !== null) await mounted.rewind(verb, '--yes');
      if (before !== null) t.deepEqual(differences(expected, await snapshot(driver, mounted.tree), fields), [], verb);
    }
    if (before !== null) t.like(JSON.parse((await mounted.rewind('op', 'log', '--json')).trim().split('\n').at(-1)!), { operation: 'fork', id: before, undone: false });
    if (before !== null) await mounted.rewind('rollback', '--to', `#${before}`, '--yes');
    t.deepEqual(differences(then, await snapshot(driver, mounted.tree)), []);
  }));
}

test.serial('directories made anew, swapped, moved out of what is removed, and types changed come back exactly', (t) => scoped(async (scope) => {
  const mounted = await mountSettled(scope);
  const driver = await driverOf(scope);
  await shell('mkdir -p anew/deep a b/inner gone/kept gone/lost c/was; for d in anew anew/deep a b b/inner gone gone/kept gone/lost c/was; do echo $d > $d/file; done; echo f > file; ln -s file link', { cwd: mounted.tree });
  const place = await fork(mounted, 'now', '--name', 'f');
  await shell(`rm -r anew; mkdir anew; echo other > anew/other; mv a x; mv b a; mv x b; mv a/inner b/in; mv gone/kept kept; rm -r gone; rm kept/file
    mv c/was c/is; rmdir b/none 2>/dev/null || true; rm file; mkdir file; echo in > file/in; rm link; echo now > link; ln link c/is/second`, { cwd: place });
  const wanted = await snapshot(driver, place);
  await mounted.rewind('fork', 'keep', 'f', '--yes');
  t.deepEqual(differences(wanted, await snapshot(driver, mounted.tree), FIELDS), []);
  const rows = await mounted.rewind('fork', 'diff', 'f');
  for (const row of ['-..... anew/file', '-..... anew/deep', '-..... anew/deep/file', '+..... anew/other', 'R..... a -> b', 'R..... b -> a', 'R..... b/inner -> b/in', 'R..... gone/kept -> kept', '-..... gone/lost/file', '-..... kept/file', 't..... file', 't..... link']) {
    t.true(rows.split('\n').some((line) => line.replace(/(?<=^.)[pugxa.]{5}/, '.....') === row), `${row} in\n${rows}`);
  }
}));

test.serial('keep refuses what the tree has changed itself, brings the rest, and all with --force', (t) => scoped(async (scope) => {
  const mounted = await project(scope);
  const place = await fork(mounted, 'begin', '--name', 'f');
  await shell('echo fork > src/main.c; echo fork > big; rm -r src/deep', { cwd: place });
  await shell('echo live > src/main.c; echo new > src/deep/new', { cwd: mounted.tree });
  const refused = await attempt(mounted, 'fork', 'keep', 'f', '--yes');
  t.is(refused.code, 13, refused.stderr);
  t.regex(refused.stderr, /src\/deep.*src\/main\.c.*ERR_NEWER_CHANGES/s);
  t.is(fs.readFileSync(path.join(mounted.tree, 'src/main.c'), 'utf8'), 'live\n');
  t.not(fs.readFileSync(path.join(mounted.tree, 'big'), 'utf8'), 'fork\n');
  await mounted.rewind('fork', 'keep', 'f', path.join(mounted.tree, 'big'), '--yes');
  t.is(fs.readFileSync(path.join(mounted.tree, 'big'), 'utf8'), 'fork\n');
  t.is(fs.readFileSync(path.join(mounted.tree, 'src/main.c'), 'utf8'), 'live\n');
  const descriptor = fs.openSync(path.join(mounted.tree, 'src/main.c'), 'r+');
  const open = await attempt(mounted, 'fork', 'keep', 'f', path.join(mounted.tree, 'src/main.c'), '--yes');
  fs.closeSync(descriptor);
  t.is(open.code, 13, open.stderr);
  await mounted.rewind('fork', 'keep', 'f', '--yes', '--force');
  t.is(fs.readFileSync(path.join(mounted.tree, 'src/main.c'), 'utf8'), 'fork\n');
  t.false(fs.existsSync(path.join(mounted.tree, 'src/deep')));
}));

test.serial('a hard link of then is broken by a write in the fork, and keep leaves the other name alone', (t) => scoped(async (scope) => {
  const mounted = await mountSettled(scope);
  await shell('echo one > a; ln a b', { cwd: mounted.tree });
  const place = await fork(mounted, 'now', '--name', 'f');
  await shell('echo two > a', { cwd: place });
  t.is(fs.readFileSync(path.join(place, 'b'), 'utf8'), 'one\n');
  await mounted.rewind('fork', 'keep', 'f', '--yes');
  t.deepEqual(['a', 'b'].map((name) => fs.readFileSync(path.join(mounted.tree, name), 'utf8')), ['two\n', 'one\n']);
}));

test.serial('forks survive the daemon: its end, and its death', (t) => scoped(async (scope) => {
  const mounted = await project(scope);
  const place = await fork(mounted, 'begin', '--name', 'f');
  fs.writeFileSync(path.join(place, 'mine'), 'mine');
  await mounted.unmount();
  t.false(fs.existsSync(path.join(place, 'mine')));
  t.regex(await rewindMust(['fork', 'list', '--store', mounted.store]), /^f .*at rest/);
  const unmounted = await rewind(['fork', 'open', 'f', '--store', mounted.store]);
  t.regex(unmounted.stderr, /ERR_NOT_MOUNTED/);
  await mounted.mount();
  t.is(await fork(mounted, 'open', 'f'), place);
  t.is(fs.readFileSync(path.join(place, 'mine'), 'utf8') + fs.readFileSync(path.join(place, 'src/deep/a'), 'utf8'), 'minea\n');
  await mounted.kill();
  await mounted.mount();
  await fork(mounted, 'open', 'f');
  t.is(fs.readFileSync(path.join(place, 'mine'), 'utf8') + fs.readFileSync(path.join(place, 'src/deep/er/b'), 'utf8'), 'mineb\n');
  await fork(mounted, 'drop', 'f');
  t.deepEqual(fs.readdirSync(path.join(mounted.store, 'forks')), []);
}));

test.serial('what a kill left half of a fork is taken away: made, dropped, or of a process that is gone', (t) => scoped(async (scope) => {
  const mounted = await project(scope);
  await fork(mounted, 'begin', '--name', 'whole');
  const forks = path.join(mounted.store, 'forks');
  fs.mkdirSync(path.join(forks, 'begun/upper'), { recursive: true });
  const state = JSON.parse(fs.readFileSync(path.join(forks, 'whole/fork.json'), 'utf8')) as Record<string, unknown>;
  for (const [name, more] of [['going', { dropped: true }], ['orphan', { owner: { pid: 1, start: '7' } }]] as const) {
    fs.mkdirSync(path.join(forks, name, 'upper'), { recursive: true });
    fs.writeFileSync(path.join(forks, name, 'fork.json'), JSON.stringify({ ...state, name, layers: path.join(forks, name), ...more }));
  }
  t.regex(await fork(mounted, 'list'), /^whole .*mounted [^\n]*$/);
  t.deepEqual(fs.readdirSync(forks), ['whole']);
  fs.writeFileSync(path.join(forks, 'whole/fork.json'), '{ half');
  t.regex((await attempt(mounted, 'fork', 'list')).stderr, /fork\.json.*ERR_STORE_CORRUPT/);
  fs.writeFileSync(path.join(forks, 'whole/fork.json'), JSON.stringify(state));
}));

test.serial('what cannot be: a name taken or wrong, an unknown fork, a time before history, options out of place', (t) => scoped(async (scope) => {
  const mounted = await project(scope);
  await fork(mounted, 'begin', '--name', 'f');
  const cases: [args: string[], code: number, error: RegExp][] = [
    [['begin', '--name', 'f'], 1, /ERR_EXISTS/], [['begin', '--name', '../f'], 2, /ERR_USAGE/], [['begin', '--name', 'bisect'], 2, /kept for the fork of a bisect by hand/], [['diff', 'none'], 1, /"none" \(ERR_FORK_UNKNOWN\)\n {2}There are: f\./],
    [['keep', 'none', '--yes'], 1, /ERR_FORK_UNKNOWN/], [['drop', 'none'], 1, /ERR_FORK_UNKNOWN/], [['never-marked'], 1, /ERR_POINT_UNKNOWN/], [['drop'], 2, /which fork/],
    [['list', 'f'], 2, /takes no name/], [['diff', 'f', '--force'], 2, /--force means nothing/], [['keep', 'f', '--', 'true'], 2, /runs no command/], [['begin', '--'], 2, /No command/],
    [['keep', 'f', path.join(mounted.tree, 'big'), '--yes'], 2, /changed nothing at big/], [['begin', '--', '/no/such/program'], 2, /cannot be run/],
  ];
  for (const [args, code, error] of cases) {
    const dashes = args.indexOf('--');
    const at = dashes < 0 ? args.length : dashes;
    const result = await rewind(['fork', ...args.slice(0, at), '--tree', mounted.tree, ...args.slice(at)]);
    t.is(result.code, code, `${args.join(' ')}: ${result.stderr}`);
    t.regex(result.stderr, error, args.join(' '));
  }
}));

test.serial('where an overlay cannot be: its layers on an unfit file system, or a user who may not mount', (t) => scoped(async (scope) => {
  const mounted = await project(scope);
  const unfit = path.join(mounted.tree, 'layers');
  fs.mkdirSync(unfit);
  const refused = await attempt(mounted, 'fork', 'begin', '--upper', unfit);
  t.regex(refused.stderr, /fuse\.rewindfs \(ERR_NO_OVERLAY\)\n.*--upper DIR/);
  t.deepEqual(fs.readdirSync(path.join(mounted.store, 'forks')), []);
  t.deepEqual(fs.readdirSync(unfit), []);
  const elsewhere = scope.temporary('memory');
  const place = await fork(mounted, 'begin', '--name', 'f', '--upper', elsewhere);
  fs.writeFileSync(path.join(place, 'new'), 'new');
  t.is(fs.readdirSync(elsewhere).length, 1);
  await fork(mounted, 'drop', 'f');
  t.deepEqual(fs.readdirSync(elsewhere), []);

  const home = scope.temporary('memory');
  fs.chmodSync(home, 0o755);
  const tree = userDirectory(home, 'tree');
  const script = await asUserScript(home, tree, path.join(home, 'state', 'store'));
  t.regex(script.stderr, /may not mount an overlay \(ERR_NO_OVERLAY\)\n.*rewind restore/s);
}));

/** In one namespace: what the user mounts goes with it. */
function asUserScript(home: string, tree: string, store: string): Promise<RunResult> {
  return shellAsUser(home, `$REWIND mount ${tree} --store ${store} >&2; $REWIND fork now --tree ${tree} || true; $REWIND unmount ${tree}`);
}
