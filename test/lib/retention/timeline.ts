/** Changes that are given up: what is left answers every question of kept instants as before, and the chain still proves what it did. */
import test, { type ExecutionContext } from 'ava';
import type { Anchor } from '../../../lib/history/anchor.js';
import { decodeChanges } from '../../../lib/history/changes.js';
import { History } from '../../../lib/history/history.js';
import { META_FORMAT, NEWEST_FORMAT, HISTORY_FORMAT } from '../../../lib/history/meta.js';
import type { HistoryReader } from '../../../lib/history/reader.js';
import type { Stretch } from '../../../lib/history/retained.js';
import type { Change, Seq } from '../../../lib/history/types.js';
import type { TreeOp } from '../../../lib/native.js';
import { diffTrees, statusColumns } from '../../../lib/recovery/diff.js';
import { planRollback } from '../../../lib/recovery/plan.js';
import { showPath } from '../../../lib/paths.js';
import { referencesAnew } from '../../../lib/repair/derive.js';
import { UNTHROTTLED, type Throttle } from '../../../lib/retention/editor.js';
import { mergeDue } from '../../../lib/retention/stretch.js';
import { countGoing, thinTimeline } from '../../../lib/retention/timeline.js';
import { ChainReport } from '../../../lib/verify/chain.js';
import type { Finding } from '../../../lib/verify/findings.js';
import { verify } from '../../../lib/verify/verify.js';
import { dump } from '../../helpers/dump.js';
import { FoldedHistory } from '../../helpers/folded-history.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { randomChange } from '../../helpers/random-changes.js';
import { freshSeed, Random } from '../../helpers/random.js';
import { scoped, type Scope } from '../../helpers/scope.js';

const never = new AbortController().signal;
const [IFMT, IFREG] = [0o170000, 0o100000];
const RUNS = 4;
const ROUNDS = 3;

async function merge(history: History, stretches: readonly Stretch[]): Promise<void> {
  await history.forget(history.rocks.batch(), { ...history.retention(), due: [...stretches] });
  await mergeDue(history, Infinity, UNTHROTTLED, never);
}

const stretchesBetween = (kept: readonly Seq[]): Stretch[] => kept.map((to, i) => ({ from: kept[i - 1] ?? 0, to })).filter(({ from, to }) => to - from > 1);

const anchorOf = (history: History): Anchor => ({ store: '0'.repeat(32), seq: history.watermark(), head: history.meta().chain! });

async function looked(history: History, anchor: Anchor | null = null): Promise<{ findings: Finding[]; report: ChainReport }> {
  const report = new ChainReport();
  const findings: Finding[] = [];
  for await (const found of verify(history, { deep: true, journal: null, anchor, chain: report, signal: never })) if ('kind' in found) findings.push(found);
  return { findings, report };
}

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

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const changesOf = (history: HistoryReader): Promise<Change[]> => all(history.changes(0, history.watermark()));
const ofNodes = async (history: HistoryReader, nodes: readonly number[]): Promise<Change[][]> => Promise.all(nodes.map((node) => all(history.nodeChanges(node, 0, history.watermark()))));

/** What is told of a history that was thinned, beside all that was recorded. */
async function expectTold(t: ExecutionContext, history: History, recorded: ReadonlyMap<Seq, Change>, label: string): Promise<number> {
  const merged = history.retention().timeline.done;
  const told = await changesOf(history);
  const groupOf = ({ node, writer, kind, seq }: Change): string => `${node} ${writer} ${kind} ${merged.find(({ from, to }) => seq > from && seq <= to)?.to ?? seq}`;
  const stands = new Map<string, number>();
  for (const { givenUp, ...change } of told) {
    t.deepEqual(change, recorded.get(change.seq), `${label}: #${change.seq}`);
    stands.set(groupOf(change), (stands.get(groupOf(change)) ?? 0) + 1 + (givenUp?.count ?? 0));
  }
  const were = new Map<string, number>();
  for (const change of recorded.values()) were.set(groupOf(change), (were.get(groupOf(change)) ?? 0) + 1);
  t.deepEqual([...stands].sort(), [...were].sort(), `${label}: who changed what, in which stretch, how often`);
  return recorded.size - told.length;
}

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
  t.true(gone > 100, `${gone} changes were given up`);
  t.log(`${gone} changes were given up`);
});
