/** Properties: differences, copies and rollbacks of a set of files are those of its members, wherever they lay, and of nothing else. */
import test from 'ava';
import type { HistoryReader } from '../../../lib/history/reader.js';
import type { Name, Seq } from '../../../lib/history/types.js';
import { showPath } from '../../../lib/paths.js';
import { parsePolicy } from '../../../lib/policy/file.js';
import type { RewindError } from '../../../lib/errors.js';
import { applyPlan } from '../../../lib/recovery/apply.js';
import { isDir } from '../../../lib/recovery/compare.js';
import { diffMembers, memberTree, type Members } from '../../../lib/recovery/members.js';
import { planRollback } from '../../../lib/recovery/plan.js';
import { dump } from '../../helpers/dump.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { randomChange } from '../../helpers/random-changes.js';
import { freshSeed, Random } from '../../helpers/random.js';

const RUNS = 150;
const ROLLBACKS = 60;
/** Seeds that once failed, of rollbacks and of differences. */
const FAILED = [605719927, 2093739421];
const UNTOLD = [517192952, 3489290215];

/** include, exclude */
const SETS: [include: string, exclude: string][] = [
  ['["a"]', '[]'], ['["/a/", "/b/"]', '["c"]'], ['["*"]', '["/a/b", "d*"]'], ['["c", "e f"]', '[]'], ['["/a/b/", "b/c"]', '["/a/b/a"]'],
];

function membersOf([include, exclude]: [string, string]): Members {
  const [group] = parsePolicy(`[[group]]\nname = "g"\ninclude = ${include}\nexclude = ${exclude}\n`, 'p').groups;
  return (path, directory) => group!.has(Buffer.from(path.join('/'), 'latin1'), directory);
}

/** What is no directory, by path: in the set, or not in it. */
async function files(history: HistoryReader, at: Seq, members: Members, wanted: boolean): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const lines = new Map((await dump(history, at)).map((line) => [line.slice(0, line.indexOf(' | ')), line]));
  const visit = async (path: Name[]): Promise<void> => {
    const node = (await history.resolve(path, at))!;
    for (const { name, node: child } of await history.list(node, at)) {
      const here = [...path, name];
      const attr = await history.attr(child, at);
      if (attr && isDir(attr)) await visit(here);
      else if (members(here, false) === wanted) found.set(here.join('/'), lines.get(showPath(here))!);
    }
  };
  await visit([]);
  return found;
}

async function isMemberDirectory(history: HistoryReader, path: string, at: Seq, members: Members): Promise<boolean> {
  const node = await history.resolve(path.split('/'), at);
  return node !== null && members(path.split('/'), true) && isDir((await history.attr(node, at))!);
}

function grown(random: Random): ModelTree {
  const tree = new ModelTree();
  for (let i = random.between(50, 400); i > 0; i--) {
    const op = randomChange(random);
    if (op.op !== 'link') tree.do(op);
  }
  return tree;
}

test.serial('every member that differs is named, and nothing else', async (t) => {
  const base = freshSeed();
  t.log(`REWIND_SEED=${base}`);
  for (const seed of [...UNTOLD, ...Array.from({ length: RUNS }, (_, run) => base + run)]) {
    const random = new Random(seed);
    const tree = grown(random);
    const to = tree.seq;
    const from = random.between(1, to);
    const set = random.pick(SETS);
    const members = membersOf(set);
    const label = `seed ${seed}: ${set.join(' without ')}, #${from} to #${to}`;
    const told: string[] = [];
    for await (const { path, from: was, fromAttr, toAttr } of diffMembers(tree.history, from, to, members)) {
      const ours = (toAttr && members(path, isDir(toAttr))) || (fromAttr && members(was ?? path, isDir(fromAttr)));
      t.true(ours, `${label}: ${path.join('/')} is no member`);
      told.push(path.join('/'), ...was ? [was.join('/')] : []);
    }
    const isTold = (path: string): boolean => told.some((one) => path === one || path.startsWith(`${one}/`));
    const [then, present] = [await files(tree.history, from, members, true), await files(tree.history, to, members, true)];
    for (const path of new Set([...then.keys(), ...present.keys()])) {
      if (then.has(path) !== present.has(path)) t.true(isTold(path), `${label}: ${path} is missing`);
    }
  }
});

test.serial('a rollback makes every member what it was, and leaves everybody else alone', async (t) => {
  const base = freshSeed();
  t.log(`REWIND_SEED=${base}`);
  let refused = 0;
  for (const seed of [...FAILED, ...Array.from({ length: ROLLBACKS }, (_, run) => base + run)]) {
    const random = new Random(seed);
    const tree = grown(random);
    const now = tree.seq;
    const to = random.between(Math.max(1, now - random.pick([10, 50, 1000])), now);
    const set = random.pick(SETS);
    const members = membersOf(set);
    const label = `seed ${seed}: ${set.join(' without ')}, #${now} to #${to}`;
    const [then, others] = [await files(tree.history, to, members, true), await files(tree.history, now, members, false)];
    let plan;
    try {
      plan = await planRollback(tree.history, { paths: [], to, now, members });
    } catch (error) {
      t.is((error as RewindError).code, 'ERR_NOT_A_DIRECTORY', `${label}: ${String(error)}`);
      refused++;
      continue;
    }
    await t.notThrowsAsync(applyPlan(plan, tree.history, tree), label);
    const skipped = new Set(plan.entries.filter(({ action }) => action === 'skip').map(({ path }) => path.join('/')));
    const left = ([path]: [string, string]): boolean => !skipped.has(path);
    t.deepEqual([...await files(tree.history, tree.seq, members, true)].filter(left).sort(), [...then].filter(left).sort(), label);
    const [present, before] = [await files(tree.history, tree.seq, members, false), await files(tree.history, to, members, false)];
    for (const path of new Set([...others.keys(), ...present.keys()])) {
      // Where a directory of the set comes back, no file can stay; where one goes, what stood in its place comes back.
      if (await isMemberDirectory(tree.history, path, to, members)) continue;
      const expected = await isMemberDirectory(tree.history, path, now, members) ? before : others;
      t.is(present.get(path), expected.get(path), `${label}: ${path}`);
    }
    const again = await planRollback(tree.history, { paths: [], to, now: tree.seq, members });
    t.deepEqual(again.ops.filter(({ op }) => op !== 'times'), [], `${label}: a second plan has nothing left to do`);
  }
  t.true(refused < ROLLBACKS / 3, `most runs plan something (${refused} refused)`);
});

test.serial('what lay in a directory that was renamed was a member for where it lay, also when another object has its name now', async (t) => {
  const tree = new ModelTree();
  const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
  tree.do({ op: 'mkdir', path: bytes('b'), mode: 0o755 });
  tree.do({ op: 'create', path: bytes('b/a'), mode: 0o600 });
  const to = tree.seq;
  tree.do({ op: 'rename', from: bytes('b'), path: bytes('c') });
  tree.do({ op: 'unlink', path: bytes('c/a') });
  tree.do({ op: 'create', path: bytes('c/a'), mode: 0o644 });
  for (const [include, told] of [['/b/a', 'deleted b/a'], ['/c/a', 'created c/a'], ['a', 'modified b/a -> c/a']] as const) {
    const members = membersOf([`["${include}"]`, '[]']);
    const entries: string[] = [];
    for await (const { status, path, from } of diffMembers(tree.history, to, tree.seq, members)) entries.push(`${status} ${from ? `${from.join('/')} -> ` : ''}${path.join('/')}`);
    t.deepEqual(entries, [told], include);
  }
  const plan = await planRollback(tree.history, { paths: [], to, now: tree.seq, members: membersOf(['["a"]', '[]']) });
  await applyPlan(plan, tree.history, tree);
  t.deepEqual((await dump(tree.history, tree.seq)).map((line) => line.split(' | ').slice(0, 2).join(' ')), ['. 40755', 'b 40755', 'b/a 100600', 'c 40755']);
});

test.serial('a directory that came goes only with all that is in it; where it stands in place of a member, that is said', async (t) => {
  const tree = new ModelTree();
  const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
  tree.do({ op: 'create', path: bytes('x.sql'), mode: 0o644 });
  const to = tree.seq;
  tree.do({ op: 'unlink', path: bytes('x.sql') });
  for (const path of ['x.sql', 'whole.sql', 'shared.sql']) tree.do({ op: 'mkdir', path: bytes(path), mode: 0o755 });
  for (const path of ['x.sql/other', 'whole.sql/a.sql', 'shared.sql/a.sql', 'shared.sql/other']) tree.do({ op: 'create', path: bytes(path), mode: 0o644 });
  const members: Members = ([...path]) => path.at(-1)?.endsWith('.sql') === true;
  const plan = await planRollback(tree.history, { paths: [], to, now: tree.seq, members });
  await applyPlan(plan, tree.history, tree);
  t.deepEqual((await dump(tree.history, tree.seq)).map((line) => line.slice(0, line.indexOf(' | '))), ['.', 'shared.sql', 'shared.sql/other', 'x.sql', 'x.sql/other']);
  t.deepEqual(plan.entries.filter(({ action }) => action === 'skip').map(({ path }) => path.join('/')), ['x.sql']);
});

test.serial('a copy holds the members and the directories that lead to them', async (t) => {
  const tree = new ModelTree();
  const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
  for (const path of ['src', 'src/x', 'src/empty', 'lib']) tree.do({ op: 'mkdir', path: bytes(path), mode: 0o755 });
  for (const path of ['src/x/a.sql', 'src/x/b.c', 'src/c.sql', 'lib/d.c']) tree.do({ op: 'create', path: bytes(path), mode: 0o644 });
  t.deepEqual([...await memberTree(tree.history, [], tree.seq, membersOf(['["*.sql"]', '[]']))].sort(), ['', 'src', 'src/c.sql', 'src/x', 'src/x/a.sql']);
  t.deepEqual([...await memberTree(tree.history, ['src', 'x'], tree.seq, membersOf(['["*.sql"]', '[]']))].sort(), ['src/x', 'src/x/a.sql']);
  t.deepEqual([...await memberTree(tree.history, ['src'], tree.seq, membersOf(['["/src/"]', '["*.sql"]']))].sort(), ['src', 'src/empty', 'src/x', 'src/x/b.c']);
  t.deepEqual([...await memberTree(tree.history, ['lib'], tree.seq, membersOf(['["*.sql"]', '[]']))], []);
});
