/** Merging in every order: what is kept reads as before, and history goes on over it. */
import test, { type ExecutionContext } from 'ava';
import type { History } from '../../../lib/history/history.js';
import type { HistoryReader } from '../../../lib/history/reader.js';
import type { Stretch } from '../../../lib/history/retained.js';
import type { Seq } from '../../../lib/history/types.js';
import type { TreeOp } from '../../../lib/native.js';
import { diffTrees, statusColumns } from '../../../lib/recovery/diff.js';
import { showPath } from '../../../lib/paths.js';
import { UNTHROTTLED } from '../../../lib/retention/editor.js';
import { mergeDue } from '../../../lib/retention/stretch.js';
import { dump } from '../../helpers/dump.js';
import { FoldedHistory } from '../../helpers/folded-history.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { randomChange } from '../../helpers/random-changes.js';
import { freshSeed, Random } from '../../helpers/random.js';
import { scoped } from '../../helpers/scope.js';

const RUNS = 4;
const ROUNDS = 2;

/** Merges these stretches one after the other, in this order. */
async function merge(history: History, stretches: readonly Stretch[]): Promise<void> {
  for (const stretch of stretches) {
    await history.forget(history.rocks.batch(), { ...history.retention(), due: [stretch] });
    await mergeDue(history, Infinity, UNTHROTTLED, new AbortController().signal);
  }
}

const stretchesBetween = (kept: readonly Seq[]): Stretch[] =>
  kept.map((to, i) => ({ from: kept[i - 1] ?? 0, to })).filter(({ from, to }) => to - from > 1);

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  return items.map((item) => ({ item, at: random.next() })).sort((a, b) => a.at - b.at).map(({ item }) => item);
}

async function differences(history: HistoryReader, from: Seq, to: Seq): Promise<string[]> {
  const lines: string[] = [];
  for await (const entry of diffTrees(history, from, to, { times: true })) lines.push(`${statusColumns(entry)} ${entry.from ? showPath(entry.from) : ''} ${showPath(entry.path)}`);
  return lines;
}

async function expectAsModel(t: ExecutionContext, { history }: FoldedHistory, tree: ModelTree, kept: readonly Seq[], random: Random, label: string): Promise<void> {
  for (const seq of kept) t.deepEqual(await dump(history, seq), await dump(tree.history, seq), `${label}: #${seq} of ${kept.join(' ')}`);
  const [from, to] = [random.pick(kept), random.pick(kept)];
  t.deepEqual(await differences(history, from, to), await differences(tree.history, from, to), `${label}: #${from} to #${to}`);
}

/** Changes of two files only: small patches, whole blocks, cuts and holes over each other. */
function contentChange(random: Random): TreeOp {
  const path = Buffer.from(random.pick(['a', 'b']));
  switch (random.below(12)) {
    case 0: return { op: 'create', path, mode: 0o644 };
    case 1: return { op: 'truncate', path, size: random.pick([0, 70, 5000, 66_000, 131_072]) };
    case 2: return { op: 'punch', path, offset: random.pick([0, 100, 65_000]), length: random.pick([50, 4096, 65_536]) };
    case 3: return { op: 'write', path, offset: random.pick([0, 65_536]), data: Buffer.alloc(random.pick([65_536, 66_000, 3000]), random.below(256)) };
    default: return { op: 'write', path, offset: random.pick([0, 50, 100, 600, 2000, 65_500, 65_536, 70_000]), data: Buffer.alloc(random.pick([1, 60, 100, 700, 5000]), random.below(256)) };
  }
}

for (const [what, change] of [['a tree', randomChange], ['content', contentChange]] as const) {
  test.serial(`every kept instant of ${what} reads as before, whatever order stretches are merged in, and so does what comes after`, async (t) => {
    const base = freshSeed();
    t.log(`REWIND_SEED=${base}`);
    for (let run = 0; run < RUNS; run++) {
      await scoped(async (scope) => {
        const random = new Random(base + run);
        const tree = new ModelTree();
        const folded = await FoldedHistory.open(scope.temporary('memory'), tree);
        scope.defer(() => folded.history.close());
        let kept: Seq[] = [];
        for (let round = 0; round < ROUNDS; round++) {
          for (let i = random.between(20, 150); i > 0; i--) {
            tree.do(change(random));
            if (random.chance(0.05)) await folded.catchUp();
          }
          await folded.catchUp();
          const from = kept.at(-1) ?? 0;
          const fresh = Array.from({ length: tree.seq - from }, (_, i) => from + 1 + i).filter((seq) => seq === tree.seq || random.chance(0.1));
          kept = [...kept.filter((seq) => seq === from || random.chance(0.7)), ...fresh];
          await merge(folded.history, shuffled(random, stretchesBetween(kept)));
          await expectAsModel(t, folded, tree, kept, random, `seed ${base + run}, round ${round}`);
        }
      });
    }
  });
}
