/** Property: a rollback of paths to an instant each gives exactly the tree that they compose, by one plan. */
import test from 'ava';
import type { RewindError } from '../../../lib/errors.js';
import type { HistoryReader } from '../../../lib/history/reader.js';
import type { Name } from '../../../lib/history/types.js';
import { applyPlan } from '../../../lib/recovery/apply.js';
import { planParts } from '../../../lib/recovery/plan.js';
import { isUnder } from '../../../lib/recovery/places.js';
import type { Part } from '../../../lib/recovery/types.js';
import { parsePath, showPath } from '../../../lib/paths.js';
import { dump } from '../../helpers/dump.js';
import { FoldedHistory } from '../../helpers/folded-history.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { randomChange } from '../../helpers/random-changes.js';
import { freshSeed, Random } from '../../helpers/random.js';
import { scoped } from '../../helpers/scope.js';

const NAMES = ['a', 'b', 'c', 'e f'];
/** Seeds that failed. */
const KEPT = [635875572];
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const pathOfLine = (line: string): Name[] => parsePath(line.slice(0, line.indexOf(' | ')));
const key = (path: readonly Name[]): string => path.join('/');

/** The composition put together by hand: null when a path would lead through something that is no directory. */
async function composedByHand(history: HistoryReader, parts: readonly Part[], now: number): Promise<Map<string, string> | null> {
  const whole = parts.find(({ path }) => path.length === 0);
  const tree = new Map((await dump(history, whole?.to ?? now)).map((line) => [key(pathOfLine(line)), line]));
  for (const { path, to } of [...parts].sort((a, b) => a.path.length - b.path.length)) {
    if (path.length === 0) continue;
    for (const other of [...tree.keys()]) if (isUnder(other.split('/'), path)) tree.delete(other);
    const lines = await dump(history, to, { path });
    for (let length = 1; length < path.length && lines.length > 0; length++) {
      const above = path.slice(0, length);
      const there = tree.get(key(above));
      if (there !== undefined && !/^.* \| 4[0-7]{4} \| \d+ \| \d+ \|  \|/.test(there)) return null;
      if (there === undefined) tree.set(key(above), (await dump(history, to, { path: above }))[0] as string);
    }
    for (const line of lines) tree.set(key(pathOfLine(line)), line);
  }
  return tree;
}

async function randomParts(random: Random, history: HistoryReader, now: number): Promise<Part[]> {
  const parts = new Map<string, Part>();
  if (random.chance(0.6)) parts.set('', { path: [], to: random.between(1, now) });
  for (let i = random.between(1, 4); i > 0; i--) {
    const there = (await dump(history, random.between(1, now))).map(pathOfLine);
    const path = random.chance(0.1) ? [random.pick(NAMES), random.pick(NAMES)] : random.pick(there);
    if (path.length > 0) parts.set(key(path), { path, to: random.between(1, now) });
  }
  return parts.size > 0 ? [...parts.values()] : [{ path: [], to: now }];
}

/** Answers whether it was refused. */
async function check(t: { deepEqual(a: unknown, b: unknown, label: string): void; is(a: unknown, b: unknown, label: string): void }, tree: ModelTree, history: HistoryReader, caughtUp: () => Promise<void>, random: Random, label: string): Promise<boolean> {
  const now = tree.seq;
  const parts = await randomParts(random, history, now);
  const shown = `${label}: ${parts.map(({ path, to }) => `${showPath(path)}@#${to}`).join(' ')} from #${now}`;
  const expected = await composedByHand(history, parts, now);
  let planned;
  try {
    planned = await planParts(history, parts, { now });
  } catch (error) {
    const { code } = error as RewindError;
    if (code !== 'ERR_NEVER_EXISTED') t.is(code, 'ERR_NOT_A_DIRECTORY', `${shown}: ${String(error)}`);
    return true;
  }
  if (expected === null) throw new Error(`${shown}: was not refused`);
  await applyPlan(planned.plan, planned.history, tree);
  await caughtUp();
  const above = (line: string): boolean => !parts.some(({ path }) => path.length === 0) && parts.some(({ path }) => path.length > pathOfLine(line).length && isUnder(path, pathOfLine(line)));
  const without = (lines: Iterable<string>): string[] => [...lines].filter((line) => !above(line)).sort();
  t.deepEqual(without(await dump(history, tree.seq)), without(expected.values()), shown);
  const again = await planParts(history, parts, { now: tree.seq });
  // A part of now is another one later.
  if (parts.every(({ to }) => to < now)) t.deepEqual(again.plan.ops.filter(({ op }) => op !== 'times'), [], `${shown}: a second plan has nothing left to do`);
  return false;
}

test.serial('the tree is what its parts compose', async (t) => {
  const base = freshSeed();
  t.log(`REWIND_SEED=${base}`);
  let refused = 0;
  for (const seed of [...KEPT, ...Array.from({ length: 200 }, (_, run) => base + run)]) {
    const random = new Random(seed);
    const tree = new ModelTree();
    for (let i = random.between(50, 400); i > 0; i--) {
      const op = randomChange(random);
      if (op.op !== 'link') tree.do(op);
    }
    if (await check(t, tree, tree.history, async () => undefined, random, `seed ${seed}`)) refused++;
  }
  t.true(refused < 60, `most runs plan something (${refused} refused)`);
});

test.serial('the same against the real history', async (t) => {
  const base = freshSeed();
  t.log(`REWIND_SEED=${base}`);
  for (let run = 0; run < 12; run++) {
    await scoped(async (scope) => {
      const random = new Random(base + run);
      const tree = new ModelTree();
      for (let i = random.between(50, 400); i > 0; i--) {
        const op = randomChange(random);
        if (op.op !== 'link') tree.do(op);
      }
      const folded = await FoldedHistory.open(scope.temporary('memory'), tree);
      scope.defer(() => folded.history.close());
      for (let round = 0; round < 3; round++) await check(t, tree, folded.history, () => folded.catchUp(), random, `seed ${base + run}, round ${round}`);
    });
  }
});

test.serial('what moved between the instants stands in both; a hard link that both always had stays one', async (t) => {
  const tree = new ModelTree();
  for (const dir of ['docs', 'src']) tree.do({ op: 'mkdir', path: bytes(dir), mode: 0o755 });
  for (const file of ['src/moved', 'src/shared']) {
    tree.do({ op: 'create', path: bytes(file), mode: 0o644 });
    tree.do({ op: 'write', path: bytes(file), offset: 0, data: bytes(`${file} at first`) });
  }
  tree.do({ op: 'link', from: bytes('src/shared'), path: bytes('docs/shared') });
  const five = tree.seq;
  tree.do({ op: 'rename', from: bytes('src/moved'), path: bytes('docs/moved') });
  tree.do({ op: 'write', path: bytes('docs/moved'), offset: 0, data: bytes('later') });
  tree.do({ op: 'create', path: bytes('docs/added'), mode: 0o644 });
  const three = tree.seq;
  tree.do({ op: 'unlink', path: bytes('docs/added') });
  tree.do({ op: 'create', path: bytes('src/junk'), mode: 0o644 });
  const { plan, history } = await planParts(tree.history, [{ path: [], to: five }, { path: ['docs'], to: three }], { now: tree.seq });
  await applyPlan(plan, history, tree);
  const text = async (path: string): Promise<string> => {
    const node = (await tree.history.resolve(path.split('/'), tree.seq)) as number;
    return (await tree.history.read(node, 0, 100, tree.seq)).toString();
  };
  t.is(await text('src/moved'), 'src/moved at first');
  t.is(await text('docs/moved'), 'lateroved at first');
  t.deepEqual((await dump(tree.history, tree.seq)).map((line) => showPath(pathOfLine(line))), ['.', 'docs', 'docs/added', 'docs/moved', 'docs/shared', 'src', 'src/moved', 'src/shared']);
  t.is(await tree.history.resolve(['docs', 'shared'], tree.seq), await tree.history.resolve(['src', 'shared'], tree.seq));
});

test.serial('a path that never was is refused, also inside another', async (t) => {
  const tree = new ModelTree();
  tree.do({ op: 'mkdir', path: bytes('docs'), mode: 0o755 });
  const error = await t.throwsAsync<RewindError>(planParts(tree.history, [{ path: [], to: 1 }, { path: ['dosc'], to: tree.seq }], { now: tree.seq }));
  t.is(error?.code, 'ERR_NEVER_EXISTED');
});
