/** Property: a rollback of some paths makes them what they were and leaves everything else alone. */
import test from 'ava';
import type { RewindError } from '../../../lib/errors.js';
import type { Name } from '../../../lib/history/types.js';
import { applyPlan } from '../../../lib/recovery/apply.js';
import { planRollback } from '../../../lib/recovery/plan.js';
import { parsePath, showPath } from '../../../lib/paths.js';
import { dump } from '../../helpers/dump.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { randomChange } from '../../helpers/random-changes.js';
import { freshSeed, Random } from '../../helpers/random.js';

const NAMES = ['a', 'b', 'c', 'e f'];
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const pathOfLine = (line: string): string => line.slice(0, line.indexOf(' | '));
const under = (path: string, top: string): boolean => path === top || path.startsWith(`${top}/`);

test.serial('the paths are exactly what they were, the rest is untouched', async (t) => {
  const base = freshSeed();
  t.log(`REWIND_SEED=${base}`);
  let refused = 0;
  for (let run = 0; run < 300; run++) {
    const random = new Random(base + run);
    const tree = new ModelTree();
    for (let i = random.between(50, 400); i > 0; i--) {
      const op = randomChange(random);
      if (op.op !== 'link') tree.do(op);
    }
    const now = tree.seq;
    const to = random.between(1, now);
    const there = (await dump(tree.history, random.between(1, now))).map((line) => parsePath(pathOfLine(line))).filter((path) => path.length > 0);
    const paths = Array.from({ length: random.between(1, 3) }, (): Name[] => (there.length > 0 && random.chance(0.9) ? random.pick(there) : Array.from({ length: random.between(1, 3) }, () => random.pick(NAMES))));
    const label = `seed ${base + run}: ${paths.map(showPath).join(', ')}, #${now} to #${to}`;
    const expected = await Promise.all(paths.map((path) => dump(tree.history, to, { path })));
    const before = await dump(tree.history, now);
    let plan;
    try {
      plan = await planRollback(tree.history, { paths, to, now });
    } catch (error) {
      t.true(['ERR_NEVER_EXISTED', 'ERR_NOT_A_DIRECTORY'].includes((error as RewindError).code), `${label}: ${String(error)}`);
      refused++;
      continue;
    }
    await t.notThrowsAsync(applyPlan(plan, tree.history, tree), label);
    for (const [i, path] of paths.entries()) t.deepEqual(await dump(tree.history, tree.seq, { path }), expected[i], label);
    const tops = paths.map(showPath);
    const isParent = (path: string): boolean => tops.some((top) => path === '.' || under(top, path));
    const outside = (lines: string[]): string[] => lines.filter((line) => !tops.some((top) => under(pathOfLine(line), top)) && !isParent(pathOfLine(line)));
    t.deepEqual(outside(await dump(tree.history, tree.seq)), outside(before), `${label}: elsewhere`);
    const again = await planRollback(tree.history, { paths, to, now: tree.seq });
    t.deepEqual(again.ops, [], `${label}: a second plan has nothing left to do`);
  }
  t.true(refused < 100, `most runs plan something (${refused} refused)`);
});

async function rolledBack(tree: ModelTree, paths: string[], to: number): Promise<string[]> {
  const plan = await planRollback(tree.history, { paths: paths.map((path) => path.split('/')), to, now: tree.seq });
  await applyPlan(plan, tree.history, tree);
  return (await dump(tree.history, tree.seq)).map(pathOfLine);
}

function makeTree(): ModelTree {
  const tree = new ModelTree();
  tree.do({ op: 'mkdir', path: bytes('src'), mode: 0o750 });
  tree.do({ op: 'mkdir', path: bytes('src/x'), mode: 0o755 });
  tree.do({ op: 'create', path: bytes('src/x/f'), mode: 0o644 });
  tree.do({ op: 'create', path: bytes('src/other'), mode: 0o644 });
  return tree;
}

test.serial('what happened to others is not gone through when only files are named', async (t) => {
  const tree = makeTree();
  tree.do({ op: 'write', path: bytes('src/x/f'), offset: 0, data: bytes('then') });
  const to = tree.seq;
  tree.do({ op: 'write', path: bytes('src/x/f'), offset: 0, data: bytes('now') });
  tree.do({ op: 'unlink', path: bytes('src/other') });
  const { history } = tree;
  const blind = Object.assign(Object.create(history) as typeof history, { nodeChanges: history.nodeChanges.bind(history), changes: () => { throw new Error('the timeline is read'); } });
  const plan = await planRollback(blind, { paths: [['src', 'x', 'f'], ['src', 'other']], to, now: tree.seq });
  t.deepEqual(plan.entries.map(({ action, path }) => `${action} ${showPath(path)}`), ['restore src/other', 'update src/x/f']);
  await applyPlan(plan, tree.history, tree);
  const node = (await history.resolve(['src', 'x', 'f'], tree.seq))!;
  t.is((await history.read(node, 0, 10, tree.seq)).toString(), 'then');
  await t.throwsAsync(planRollback(blind, { paths: [['src']], to, now: tree.seq }), { message: 'the timeline is read' });
});

test.serial('a path whose directory is gone comes back with the directory as it was, and nothing else of it', async (t) => {
  const tree = makeTree();
  const to = tree.seq;
  tree.do({ op: 'rename', from: bytes('src'), path: bytes('gone') });
  t.deepEqual(await rolledBack(tree, ['src/x/f'], to), ['.', 'gone', 'gone/other', 'gone/x', 'gone/x/f', 'src', 'src/x', 'src/x/f']);
  const node = (await tree.history.resolve(['src'], tree.seq)) ?? 0;
  t.is((await tree.history.attr(node, tree.seq))?.mode, 0o040750);
});

test.serial('a path whose directory became a file is refused, naming what to roll back, and nothing is changed', async (t) => {
  const tree = makeTree();
  const to = tree.seq;
  tree.do({ op: 'rename', from: bytes('src'), path: bytes('gone') });
  tree.do({ op: 'create', path: bytes('src'), mode: 0o644 });
  const error = await t.throwsAsync<RewindError>(planRollback(tree.history, { paths: [['src', 'x', 'f']], to, now: tree.seq }));
  t.is(error?.code, 'ERR_NOT_A_DIRECTORY');
  t.regex(error?.hint ?? '', /roll src back/);
});

test.serial('a path inside another named one is part of it', async (t) => {
  const tree = makeTree();
  const to = tree.seq;
  tree.do({ op: 'unlink', path: bytes('src/x/f') });
  tree.do({ op: 'unlink', path: bytes('src/other') });
  t.deepEqual(await rolledBack(tree, ['src/x', 'src', 'src/x/f'], to), ['.', 'src', 'src/other', 'src/x', 'src/x/f']);
});

test.serial('a rename between two named paths is taken back as a rename', async (t) => {
  const tree = makeTree();
  tree.do({ op: 'mkdir', path: bytes('dst'), mode: 0o755 });
  const to = tree.seq;
  tree.do({ op: 'rename', from: bytes('src/x'), path: bytes('dst/x') });
  const plan = await planRollback(tree.history, { paths: [['src'], ['dst']], to, now: tree.seq });
  t.deepEqual(plan.ops.filter((op) => op.op !== 'times').map((op) => op.op), ['rename']);
});

test.serial('a file that comes back from another named path gets its content where it goes, wherever its directory of then lies', async (t) => {
  const tree = new ModelTree();
  tree.do({ op: 'mkdir', path: bytes('c'), mode: 0o755 });
  tree.do({ op: 'create', path: bytes('c/d'), mode: 0o644 });
  tree.do({ op: 'write', path: bytes('c/d'), offset: 0, data: bytes('then') });
  const to = tree.seq;
  tree.do({ op: 'rename', from: bytes('c/d'), path: bytes('b') });
  tree.do({ op: 'write', path: bytes('b'), offset: 0, data: bytes('now, and longer') });
  tree.do({ op: 'rename', from: bytes('c'), path: bytes('e') });
  tree.do({ op: 'mkdir', path: bytes('c'), mode: 0o755 });
  t.deepEqual(await rolledBack(tree, ['b', 'c/d'], to), ['.', 'c', 'c/d', 'e']);
  const node = (await tree.history.resolve(['c', 'd'], tree.seq)) ?? 0;
  t.is((await tree.history.read(node, 0, 100, tree.seq)).toString(), 'then');
});

test.serial('a path that no instant has is refused, one that is neither then nor now needs nothing', async (t) => {
  const tree = makeTree();
  const to = tree.seq;
  t.is((await t.throwsAsync<RewindError>(planRollback(tree.history, { paths: [['srx']], to, now: tree.seq })))?.code, 'ERR_NEVER_EXISTED');
  tree.do({ op: 'create', path: bytes('brief'), mode: 0o644 });
  tree.do({ op: 'unlink', path: bytes('brief') });
  t.deepEqual((await planRollback(tree.history, { paths: [['brief']], to, now: tree.seq })).ops, []);
});
