/** Schedules of paths: what each keeps reads as before, what it gives up says so, and what of it is listed before. */
import test, { type ExecutionContext } from 'ava';
import { RewindError } from '../../../lib/errors.js';
import type { History } from '../../../lib/history/history.js';
import type { HistoryReader } from '../../../lib/history/reader.js';
import type { Part } from '../../../lib/history/retained.js';
import { ROOT, type NodeId, type Seq } from '../../../lib/history/types.js';
import type { TreeOp } from '../../../lib/native.js';
import { KeepPolicy, TABLE, type Schedule } from '../../../lib/policy/keeping.js';
import { parsePolicy } from '../../../lib/policy/file.js';
import { grep } from '../../../lib/recovery/grep/grep.js';
import { planRollback } from '../../../lib/recovery/plan.js';
import { Editor, UNTHROTTLED } from '../../../lib/retention/editor.js';
import { Keeper } from '../../../lib/retention/keeper.js';
import { mergeParts } from '../../../lib/retention/parts.js';
import { planOf } from '../../../lib/retention/plan.js';
import { purgeObjects, purgePlan } from '../../../lib/retention/purge.js';
import { mergeDue } from '../../../lib/retention/stretch.js';
import { takeBack } from '../../../lib/retention/trash.js';
import { FoldedHistory } from '../../helpers/folded-history.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { randomChange } from '../../helpers/random-changes.js';
import { freshSeed, Random } from '../../helpers/random.js';
import { scoped, type Scope } from '../../helpers/scope.js';
import { findingsOf } from '../verify/support/broken.js';

const HOUR_NS = 3_600_000_000_000n;
const HOUR_MS = 3_600_000;
const never = new AbortController().signal;
const S_IFMT = 0o170000;
const bytes = (text: string): Buffer => Buffer.from(text);
const RUNS = 4;
const ROUNDS = 3;

/** Every file at an instant, by path; its content, or null where it is kept no longer. */
async function filesAt(history: HistoryReader, seq: Seq, node: NodeId = ROOT, above = '', found = new Map<string, string | null>()): Promise<Map<string, string | null>> {
  for (const { name, node: child } of await history.list(node, seq)) {
    const { thinned, uncaptured: _, ...attr } = (await history.attr(child, seq))!;
    const path = above === '' ? name : `${above}/${name}`;
    if ((attr.mode & S_IFMT) === 0o040000) await filesAt(history, seq, child, path, found);
    const told = JSON.stringify(attr, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
    if ((attr.mode & S_IFMT) !== 0o100000) found.set(path, told);
    else if (thinned === undefined) found.set(path, `${told} ${(await history.read(child, 0, attr.size, seq)).toString('base64')}`);
    else {
      await history.read(child, 0, 1, seq).then(() => { throw new Error('it was read'); }, (error: RewindError) => { if (error.code !== 'ERR_TIME_THINNED') throw error; });
      found.set(path, null);
    }
  }
  return found;
}

/** Files under each rule and several, saved in place and by rename, linked, moved between rules and removed. */
function fileChange(random: Random): TreeOp {
  const pick = (): Buffer => bytes(random.pick(['a/x', 'a/y', 'a/b', 'b/x', 'b/c', 'c', 'e f/x', 'e f/c']));
  const path = pick();
  switch (random.below(12)) {
    case 0: case 1: return { op: 'create', path, mode: 0o644 };
    case 2: return { op: 'rename', path, from: pick(), exchange: random.chance(0.2) };
    case 3: return random.chance(0.5) ? { op: 'link', path, from: pick() } : { op: 'unlink', path };
    case 4: return { op: 'truncate', path, size: random.pick([0, 50, 4096, 70_000]) };
    default: return { op: 'write', path, offset: random.pick([0, 0, 60, 65_530]), data: Buffer.alloc(random.pick([10, 100, 70_000]), random.below(256)) };
  }
}

/** Random instants of each schedule; whoever keeps longer keeps what others keep. */
function keptAtRandom(random: Random, keeping: KeepPolicy, before: ReadonlyMap<string, Seq[]>, from: Seq, to: Seq): Map<string, Seq[]> {
  const kept = new Map<string, Seq[]>();
  let shorter: Seq[] = [];
  const names = [...keeping.schedules.keys()].sort((a, b) => keeping.schedules.get(a)!.windowMs - keeping.schedules.get(b)!.windowMs);
  for (const [i, name] of names.entries()) {
    const fresh = Array.from({ length: to - from }, (_, at) => from + 1 + at).filter((seq) => seq === to || random.chance([0.02, 0.1, 0.3][i]!));
    const old = (before.get(name) ?? []).filter((seq) => seq === from || random.chance(0.7));
    shorter = [...new Set([...shorter, ...old, ...fresh])].sort((a, b) => a - b);
    kept.set(name, shorter);
  }
  return kept;
}

async function merge(history: History, keeping: KeepPolicy, kept: ReadonlyMap<string, Seq[]>, random: Random): Promise<void> {
  const retention = history.retention();
  const parts = [...keeping.schedules.keys()].map((schedule): Part => (
    retention.parts.find((part) => part.schedule === schedule) ?? { schedule, version: keeping.version, before: [], merged: [], due: [], trash: [], work: null }
  ));
  const plan = planOf(retention, parts, kept, 1);
  const inParts = async (): Promise<unknown> => {
    for (const { schedule, stretches } of plan.parts) parts.find((part) => part.schedule === schedule)!.due = stretches;
    await history.forget(history.rocks.batch(), { ...history.retention(), parts });
    return mergeParts(history, keeping, Infinity, UNTHROTTLED, never);
  };
  const everywhere = async (): Promise<unknown> => {
    await history.forget(history.rocks.batch(), { ...history.retention(), due: plan.everywhere });
    return mergeDue(history, Infinity, UNTHROTTLED, never);
  };
  for (const one of random.chance(0.5) ? [inParts, everywhere] : [everywhere, inParts]) await one();
}

async function expectEachPath(t: ExecutionContext, history: History, tree: ModelTree, keeping: KeepPolicy, kept: ReadonlyMap<string, Seq[]>, label: string): Promise<number> {
  const last = new Map([...kept].map(([name, seqs]) => [name, Math.max(...seqs)]));
  let gone = 0;
  for (let seq = 1; seq <= tree.seq; seq++) {
    if (history.hidden(seq, true) !== null) continue;
    const [are, were] = [await filesAt(history, seq), await filesAt(tree.history, seq)];
    t.deepEqual([...are.keys()], [...were.keys()], `${label}: names at #${seq}`);
    for (const [path, was] of were) {
      const schedule = keeping.nameOf(keeping.rule(Buffer.from(path, 'latin1'), false));
      const isKept = seq > last.get(schedule)! || kept.get(schedule)!.includes(seq);
      if (are.get(path) === null && !isKept) gone++;
      else if (are.get(path) !== was) return t.fail(`${label}: ${path} at #${seq} is ${are.get(path)}, was ${was}; kept by "${schedule}": ${kept.get(schedule)!.join(' ')}`) as unknown as number;
    }
  }
  return gone;
}

test.serial('whatever paths are kept how long, each reads as before at every instant that is kept of it, and elsewhere as before or not at all', async (t) => {
  const base = freshSeed();
  t.log(`REWIND_SEED=${base}`);
  const { keeping: rules } = parsePolicy('[[rule]]\nmatch = ["a", "c"]\nkeep = "1h"\n[[rule]]\nmatch = "b"\nkeep = "forever"\n', 'p');
  const keeping = new KeepPolicy({ windowMs: 24 * HOUR_MS, bucketMs: { hour: 0, day: 0, week: 0, month: 0, year: 0 } }, rules);
  let gone = 0;
  for (let run = 0; run < RUNS; run++) {
    await scoped(async (scope) => {
      const random = new Random(base + run);
      const tree = new ModelTree();
      for (const path of ['a', 'b', 'e f']) tree.do({ op: 'mkdir', path: bytes(path), mode: 0o755 });
      const folded = await FoldedHistory.open(scope.temporary('memory'), tree);
      scope.defer(() => folded.history.close());
      let kept = new Map<string, Seq[]>();
      for (let round = 0, from = 0; round < ROUNDS; round++, from = tree.seq) {
        for (let i = random.between(30, 100); i > 0; i--) tree.do(random.chance(0.7) ? fileChange(random) : randomChange(random));
        await folded.catchUp();
        kept = keptAtRandom(random, keeping, kept, from, tree.seq);
        await merge(folded.history, keeping, kept, random);
        gone += await expectEachPath(t, folded.history, tree, keeping, kept, `seed ${base + run}, round ${round}`);
      }
      t.deepEqual(await findingsOf(folded.history), [], `seed ${base + run}`);
    });
  }
  t.true(gone > 20, `${gone} contents were given up`);
  t.log(`${gone} contents of files at instants were given up`);
});
