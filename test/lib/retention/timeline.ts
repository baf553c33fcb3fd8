/** Changes that are given up: what is left answers every question of kept instants as before, and the chain still proves what it did. */
import test, { type ExecutionContext } from 'ava';
import type { Anchor } from '../../../lib/history/anchor.js';
import { History } from '../../../lib/history/history.js';
import { COLD_FORMAT, HISTORY_FORMAT, META_FORMAT, raiseFormat, THINNED_FORMAT } from '../../../lib/history/meta.js';
import type { HistoryReader } from '../../../lib/history/reader.js';
import type { Stretch } from '../../../lib/history/retained.js';
import type { Change, Seq, Writer } from '../../../lib/history/types.js';
import type { TreeOp } from '../../../lib/native.js';
import { KeepPolicy } from '../../../lib/policy/keeping.js';
import { DEFAULT_RETENTION, type RetentionRules } from '../../../lib/policy/retention.js';
import { diffTrees, statusColumns } from '../../../lib/recovery/diff.js';
import { planRollback } from '../../../lib/recovery/plan.js';
import { planUndo } from '../../../lib/recovery/undo/plan.js';
import type { Selected } from '../../../lib/recovery/undo/select.js';
import { listSaves, listWrites } from '../../../lib/recovery/versions.js';
import { showPath } from '../../../lib/paths.js';
import { referencesAnew } from '../../../lib/repair/derive.js';
import { UNTHROTTLED, type Throttle } from '../../../lib/retention/editor.js';
import { Keeper } from '../../../lib/retention/keeper.js';
import { boundaries } from '../../../lib/retention/schedule.js';
import { countGoing, thinTimeline } from '../../../lib/retention/timeline.js';
import { dump } from '../../helpers/dump.js';
import { FoldedHistory } from '../../helpers/folded-history.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { randomChange } from '../../helpers/random-changes.js';
import { freshSeed, Random } from '../../helpers/random.js';
import { scoped } from '../../helpers/scope.js';
import { all, anchorOf, changesOf, everything, expectTold, looked, merge, never, saved, thinned } from './support/thinning.js';

const [IFMT, IFREG] = [0o170000, 0o100000];
const RUNS = 2;
const ROUNDS = 3;

const stretchesBetween = (kept: readonly Seq[]): Stretch[] => kept.map((to, i) => ({ from: kept[i - 1] ?? 0, to })).filter(({ from, to }) => to - from > 1);

async function differences(history: HistoryReader, from: Seq, to: Seq): Promise<string[]> {
  const lines: string[] = [];
  for await (const entry of diffTrees(history, from, to, { times: true })) lines.push(`${statusColumns(entry)} ${entry.from ? showPath(entry.from) : ''} ${showPath(entry.path)}`);
  return lines;
}

/** Objects have their turn as the timeline names them first; of content more may be written than differs. */
async function steps(history: HistoryReader, to: Seq, now: Seq): Promise<string[]> {
  const { ops, entries } = await planRollback(history, { paths: [], to, now });
  const others = ops.filter(({ op }) => op !== 'content' && op !== 'punch');
  return [...others, ...entries].map((one) => JSON.stringify(one, (key, value: unknown) => (key === 'bytes' ? 0 : typeof value === 'bigint' ? String(value) : value))).sort();
}

/** Of no file anything differs but in the ranges that are said to. */
async function expectRanges(t: ExecutionContext, history: History, from: Seq, to: Seq, label: string): Promise<void> {
  for (let node = 2; node < history.meta().nextNode; node++) {
    const [before, after] = await Promise.all([from, to].map((seq) => history.attr(node, seq)));
    if (!before || !after || (before.mode & IFMT) !== IFREG) continue;
    const bytes = await Promise.all(([[before, from], [after, to]] as const).map(([{ size }, seq]) => history.read(node, 0, size, seq)));
    const same = bytes.map((content) => Buffer.concat([content], Math.max(before.size, after.size)));
    for (const { offset, length } of await history.changedRanges(node, from, to)) for (const content of same) content.fill(0, offset, offset + length);
    t.true(same[0]!.equals(same[1]!), `${label}: object ${node} from #${from} to #${to}`);
  }
}

const ofNodes = async (history: HistoryReader, nodes: readonly number[]): Promise<Change[][]> => Promise.all(nodes.map((node) => all(history.nodeChanges(node, 0, history.watermark()))));

/** What programs do to two files again and again. */
function savedChange(random: Random): TreeOp {
  const path = Buffer.from(random.pick(['a', 'c']));
  switch (random.below(8)) {
    case 0: return { op: 'create', path, mode: 0o644 };
    case 1: return { op: 'truncate', path, size: random.pick([0, 70, 5000, 131_072]) };
    case 2: return { op: 'chmod', path, mode: random.pick([0o644, 0o600]) };
    case 3: return { op: 'setxattr', path, name: Buffer.from(random.pick(['user.x', 'user.y'])), value: Buffer.from(String(random.below(9))) };
    case 4: return { op: 'punch', path, offset: random.pick([0, 65_000]), length: 4096 };
    default: return { op: 'write', path, offset: random.pick([0, 100, 65_500, 65_536, 140_000]), data: Buffer.alloc(random.pick([1, 100, 5000]), random.below(256)) };
  }
}

test.serial('whatever was merged and thinned in whatever order, kept instants, what differs between them, references and anchors are what they were', async (t) => {
  const base = freshSeed();
  t.log(`REWIND_SEED=${base}`);
  let gone = 0;
  for (let run = 0; run < RUNS; run++) {
    await scoped(async (scope) => {
      const random = new Random(base + run);
      const tree = new ModelTree();
      const folded = await FoldedHistory.open(scope.temporary('memory'), tree);
      const { history } = folded;
      scope.defer(() => history.close());
      const anchors: Anchor[] = [];
      const recorded = new Map<Seq, Change>();
      let kept: Seq[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        for (let i = random.between(60, 200); i > 0; i--) {
          tree.writer = random.below(3);
          tree.save = random.chance(0.5) ? random.between(1, tree.seq) : 0;
          tree.do(random.chance(0.6) ? savedChange(random) : randomChange(random));
          if (random.chance(0.4)) await folded.catchUp();
        }
        await folded.catchUp();
        anchors.push(anchorOf(history));
        for (const change of await changesOf(history)) if (!recorded.has(change.seq)) recorded.set(change.seq, change);
        const label = `seed ${base + run}, round ${round}`;
        const from = kept.at(-1) ?? 0;
        const fresh = Array.from({ length: tree.seq - from }, (_, i) => from + 1 + i).filter((seq) => seq === tree.seq || random.chance(0.04));
        kept = [...kept.filter((seq) => seq === from || random.chance(0.6)), ...fresh];
        await merge(history, stretchesBetween(kept));
        const pairs = Array.from({ length: 6 }, () => [random.pick(kept), random.pick(kept)].sort((a, b) => a - b) as [Seq, Seq]);
        const plans = await Promise.all(pairs.map(([a, b]) => steps(history, a, b)));
        const upTo = random.pick([tree.seq, random.pick(kept)]);
        const going = await countGoing(history, upTo, never);
        t.is(await thinTimeline(history, upTo, UNTHROTTLED, never), going, label);
        const told = await expectTold(t, history, recorded, label);
        gone += going;
        t.true(told >= going);
        for (const seq of kept) t.deepEqual(await dump(history, seq), await dump(tree.history, seq), `${label}: #${seq}`);
        for (const [i, [a, b]] of pairs.entries()) {
          t.deepEqual(await differences(history, a, b), await differences(tree.history, a, b), `${label}: #${a} to #${b}`);
          t.deepEqual(await steps(history, a, b), plans[i]!, `${label}: back from #${b} to #${a}`);
          await expectRanges(t, history, a, b, label);
        }
        for (const anchor of anchors) t.like(await looked(history, anchor), { findings: [], report: { anchored: true } }, `${label}: anchor #${anchor.seq}`);
        const nodes = Array.from({ length: history.meta().nextNode - 1 }, (_, i) => i + 1);
        const before = await ofNodes(history, nodes);
        await referencesAnew(history.rocks);
        t.deepEqual(await ofNodes(history, nodes), before, `${label}: references`);
      }
    });
  }
  t.true(gone > 20, `${gone} changes were given up`);
  t.log(`${gone} changes were given up`);
});

test.serial('thinning that is stopped after each batch goes on where it stood, and counts nothing twice', (t) => scoped(async (scope) => {
  const { tree, history } = await saved(scope, 700);
  const recorded = new Map((await changesOf(history)).map((change) => [change.seq, change]));
  const anchor = anchorOf(history);
  await merge(history, [everything(tree)]);
  let stops = 0;
  for (let now: History = history; ;) {
    const controller = new AbortController();
    const throttle: Throttle = { rest: async () => controller.abort(new Error('stopped')) };
    const done = await thinTimeline(now, Infinity, throttle, controller.signal).catch((error: Error) => error.message);
    if (done === 0) {
      t.is(await expectTold(t, now, recorded, 'in the end'), 700 * 3 - 6, 'the last of each writer and kind stay');
      return t.true(stops >= 2, `${stops} stops`);
    }
    t.is(done, 'stopped');
    stops++;
    t.like(await looked(now, anchor), { findings: [], report: { anchored: true } }, `stop ${stops}`);
    await now.close();
    now = await History.open(history.directory);
    scope.defer(() => now.close().catch(() => undefined));
  }
}));

test.serial('who reads what concerns an object while changes of it are given up is told all that stays, and no error', (t) => scoped(async (scope) => {
  const { tree, history, node } = await saved(scope, 20);
  await merge(history, [everything(tree)]);
  const { rocks } = history;
  const getMany = rocks.getMany.bind(rocks);
  let isBetween = true;
  rocks.getMany = async (family, keys) => {
    if (family === 'changes' && isBetween) {
      isBetween = false;
      t.true(await thinTimeline(history, Infinity, UNTHROTTLED, never) > 0);
    }
    return getMany(family, keys);
  };
  const during = await all(history.nodeChanges(node, 0, tree.seq));
  t.false(isBetween);
  t.deepEqual(during, await all(history.nodeChanges(node, 0, tree.seq)));
  t.is(during.length, 7);
  const { key } = (await rocks.peek('changes', {}, true))!;
  const batch = rocks.batch();
  batch.delete('changes', key);
  await rocks.commit(batch);
  await t.throwsAsync(all(history.nodeChanges(node, 0, tree.seq)), { code: 'ERR_HISTORY_CORRUPT' }, 'what is lost is no change that was given up');
}));

test.serial('what is about a name stays, however often one program moved one file', (t) => scoped(async (scope) => {
  const { tree, folded, history } = await saved(scope, 0);
  for (let i = 0; i < 6; i++) {
    const [from, path] = (i % 2 === 0 ? ['file', 'other'] : ['other', 'file']).map((name) => Buffer.from(name));
    tree.do({ op: 'rename', from: from!, path: path! });
    tree.do({ op: 'link', from: path!, path: Buffer.from('linked') });
    tree.do({ op: 'unlink', path: Buffer.from('linked') });
    await folded.catchUp();
  }
  const before = await changesOf(history);
  await merge(history, [everything(tree)]);
  t.is(await thinTimeline(history, Infinity, UNTHROTTLED, never), 0);
  t.deepEqual(await changesOf(history), before);
}));

test.serial('which bytes may differ is told with those of changes that were given up', (t) => scoped(async (scope) => {
  const { tree, folded, history, node } = await saved(scope, 0);
  const path = Buffer.from('file');
  tree.do({ op: 'truncate', path, size: 10 * 65_536 });
  await folded.catchUp();
  const from = tree.seq;
  for (const op of [{ offset: 2 * 65_536, byte: 1 }, { offset: 5 * 65_536, byte: 2 }, { offset: 4 * 65_536, byte: 3 }]) {
    tree.do({ op: 'write', path, offset: op.offset, data: Buffer.alloc(100, op.byte) });
    await folded.catchUp();
  }
  await merge(history, [{ from, to: tree.seq }]);
  t.is(await thinTimeline(history, Infinity, UNTHROTTLED, never), 2);
  t.deepEqual(await history.changedRanges(node, from, tree.seq), [{ offset: 2 * 65_536, length: 4 * 65_536 }]);
  for (const size of [7 * 65_536, 3 * 65_536, 7 * 65_536, 8 * 65_536, 9 * 65_536]) {
    tree.do({ op: 'truncate', path, size });
    await folded.catchUp();
  }
  const before = history.retention().merged.at(-1)!.to;
  await merge(history, [{ from: before, to: tree.seq }]);
  t.is(await thinTimeline(history, Infinity, UNTHROTTLED, never), 4);
  t.deepEqual(await history.changedRanges(node, before, tree.seq), [{ offset: 3 * 65_536, length: 7 * 65_536 }]);
}));

test.serial('the database is of a newer format from the first change on that is given up, and is not lowered by another', (t) => scoped(async (scope) => {
  const { tree, history } = await saved(scope, 4);
  const format = async (): Promise<number> => (await history.rocks.get('meta', META_FORMAT))!.readUInt32BE(0);
  await merge(history, [everything(tree)]);
  t.is(await format(), HISTORY_FORMAT);
  await thinTimeline(history, Infinity, UNTHROTTLED, never);
  t.is(await format(), THINNED_FORMAT);
  const batch = history.rocks.batch();
  await raiseFormat(history.rocks, batch, COLD_FORMAT);
  await history.rocks.commit(batch);
  t.is(await format(), THINNED_FORMAT);
}));

test.serial('a listing says how many changes before one are told no more, and does not count versions behind them', (t) => scoped(async (scope) => {
  const { history, folded, tree } = await thinned(scope, 20);
  tree.save = tree.record();
  tree.do({ op: 'write', path: Buffer.from('file'), offset: 0, data: Buffer.from('later') });
  await folded.catchUp();
  const saves = (await all(listSaves(history, ['file']))).map(({ marker, ver, givenUp }) => [marker, ver, givenUp]);
  t.deepEqual(saves, [['modify', null, 0], ['modify', null, 27], ['modify', null, 27], ['create', 1, 0]]);
  const writes = await all(listWrites(history, ['file']));
  t.is(writes.reduce((sum, { givenUp }) => sum + 1 + givenUp, 0), 20 * 3 + 2);
}));

test.serial('an undo of what was given up in part is refused, and does not take the rest for all', (t) => scoped(async (scope) => {
  const { history, tree } = await thinned(scope, 20);
  // Its first saves only: none of these changes is told any more.
  const selected: Selected = { writers: [{ id: 1 } as Writer], after: 0, has: ({ writer, seq }) => writer === 1 && seq <= 20 };
  await t.throwsAsync(planUndo(history, selected, { now: tree.seq }), { code: 'ERR_TIME_THINNED' });
}));

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MINUTE_NS = 60_000_000_000n;

function keeperOf(history: History, more: Partial<RetentionRules>): Keeper {
  const rules: RetentionRules = { ...DEFAULT_RETENTION, trashMs: 0, ...more };
  return new Keeper({ history, rules: () => rules, keeping: () => new KeepPolicy(rules, []), limit: () => history.watermark(), needed: async () => [], settle: async () => undefined }, UNTHROTTLED);
}

test.serial('an instant that was kept is kept, also where of the save before it not all changes are told any more', (t) => scoped(async (scope) => {
  const tree = new ModelTree();
  const folded = await FoldedHistory.open(scope.temporary('memory'), tree);
  const { history } = folded;
  scope.defer(() => history.close());
  const nowMs = (): number => Number(tree.history.times.at(-1)! / 1_000_000n);
  const [log, file] = [Buffer.from('log'), Buffer.from('file')];
  const opened = tree.record();
  const write = async (path: Buffer, writer: Seq, save: Seq): Promise<void> => {
    Object.assign(tree, { writer, save });
    tree.do({ op: 'write', path, offset: 0, data: Buffer.from(`by ${writer}`) });
    await folded.catchUp();
  };
  for (const path of [log, file]) tree.do({ op: 'create', path, mode: 0o644 });
  await folded.catchUp();
  const [boundary] = boundaries('hour', nowMs(), nowMs() + HOUR_MS);
  tree.sleep(BigInt(boundary! - nowMs() - 20_000) * 1_000_000n);
  // A file is being saved at the full hour; a log was written to just then, without and with the descriptor that has been open for long.
  const saving = tree.record();
  await write(file, 1, saving);
  await write(log, 2, 0);
  await write(log, 2, opened);
  const last = tree.seq;
  tree.sleep(30_000_000_000n);
  await write(file, 1, saving);
  for (let i = 0; i < 5; i++) {
    tree.sleep(60n * MINUTE_NS);
    await write(file, 1, 0);
  }
  const rules = { windowMs: HOUR_MS, bucketMs: { hour: DAY_MS, day: 0, week: 0, month: 0, year: 0 }, changesMs: HOUR_MS };
  await keeperOf(history, rules).prune(nowMs());
  t.is((await keeperOf(history, rules).tidy({ hurry: true, nowMs: nowMs() })).changes, 1);
  t.is(history.hidden(last), null);
  t.deepEqual(await keeperOf(history, rules).plan(nowMs()), { everywhere: [], parts: [] });
}));

test.serial('day by day a keeper that gives up changes keeps the same instants as one that does not, and gives room back', (t) => scoped(async (scope) => {
  const seed = freshSeed();
  t.log(`REWIND_SEED=${seed}`);
  const random = new Random(seed);
  const tree = new ModelTree();
  const both = await Promise.all([DAY_MS * 2, Infinity].map(async (changesMs) => {
    const folded = await FoldedHistory.open(scope.temporary('memory'), tree);
    scope.defer(() => folded.history.close());
    const keeper = keeperOf(folded.history, { windowMs: DAY_MS, bucketMs: { hour: 2 * DAY_MS, day: 4 * DAY_MS, week: 300 * DAY_MS, month: 0, year: 0 }, changesMs });
    return { folded, keeper, history: folded.history };
  }));
  const [thinning, other] = both as [typeof both[0], typeof both[0]];
  let changes = 0;
  for (let day = 0; day < 7; day++) {
    for (let minute = 0; minute < 1440; minute += 30) {
      tree.sleep(30n * MINUTE_NS - 40_000_000_000n);
      tree.writer = random.below(3);
      tree.save = random.chance(0.8) ? tree.record() : 0;
      // Some of it before the full hour, some after it.
      for (let i = random.below(5); i > 0; i--) {
        tree.sleep(10_000_000_000n);
        const path = Buffer.from(random.pick(['a', 'b']));
        tree.do(random.chance(0.2) ? { op: 'create', path, mode: 0o644 } : { op: 'write', path, offset: random.below(50), data: Buffer.alloc(9, random.below(256)) });
      }
      for (const { folded } of both) await folded.catchUp();
    }
    const nowMs = Number(tree.history.times.at(-1)! / 1_000_000n);
    for (const { keeper } of both) {
      await keeper.prune(nowMs);
      if (keeper === thinning.keeper) changes += await keeper.changesGoing(nowMs);
      const tidied = await keeper.tidy({ nowMs, hurry: true });
      t.deepEqual(await keeper.plan(nowMs), { everywhere: [], parts: [] });
      if (keeper === other.keeper) t.is(tidied.changes, 0);
    }
    const [mine, theirs] = both.map(({ history }) => history.retention().merged.map(({ from, to }) => `${from} ${to}`));
    t.deepEqual(mine, theirs, `seed ${seed}, day ${day}`);
    t.is(thinning.history.retention().timeline.loose, 0);
  }
  t.true(changes > 50, `${changes} changes`);
  t.deepEqual((await looked(thinning.history)).findings, []);
  const compacted = Number(await thinning.history.rocks.property('changes', 'rocksdb.total-sst-files-size'));
  await thinning.history.rocks.compact('changes');
  for (const { history } of both) await history.rocks.flush();
  const sizes = await Promise.all(both.map(({ history }) => history.rocks.property('changes', 'rocksdb.total-sst-files-size')));
  t.true(Number(sizes[0]) < Number(sizes[1]), `${sizes.join(' ')} bytes`);
  t.true(Math.abs(compacted - Number(sizes[0])) < 500, `${compacted} bytes, ${String(sizes[0])} without what was deleted`);
  const kept = thinning.history.retention().merged.at(-2)!.to;
  t.deepEqual(await dump(thinning.history, kept), await dump(tree.history, kept));
}));
