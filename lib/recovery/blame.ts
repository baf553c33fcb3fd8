/**
 * Who wrote each line of a file as it was at an instant. Guarantees: a line that a save left where it was, or that the file
 * had which a save put another in place of, keeps its writer; the walk ends when every line has one; where states between were
 * merged, a writer that may be the wrong one is said to be uncertain.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Change, NodeId, Seq } from '../history/types.js';
import { isFresh, stepsOf, type Stage, type Step } from './ancestry.js';
import { lineageSince, mergedAt, type Between } from './forgotten.js';
import { matchLines, splitLines } from './lines.js';

/** The save that wrote it. */
export interface Origin {
  /** The state at this seq is the first that has it at the file's path. */
  seq: Seq;
  timeNs: bigint;
  /** seq of the writer record, 0 = not known. */
  writer: Seq;
  /** Not certain: a memory-mapped write, or the content before was not captured. */
  uncertain: boolean;
  /** It was there when history began, or was found at a mount. */
  unmounted: boolean;
}

/** Text above this is not compared line by line, in bytes. */
export const MAX_TEXT_BYTES = 16 << 20;

export const originOf = (change: Change, named: Change | null, uncertain = false): Origin => {
  const { seq, timeNs } = named ?? change;
  return { seq, timeNs, writer: change.writer, uncertain: uncertain || change.writeback, unmounted: change.unmounted };
};

/** Lines that wait for their origin: where they lie in a stage's content, and in the answer. */
type Waiting = Map<number, number>;

/** Lines of a stage that wait for their origin. */
interface Trace { stage: Stage; lines: string[]; waiting: Waiting }

/** The origin of each line of a file at a stage. */
export async function blameLines(history: HistoryReader, stage: Stage, signal?: AbortSignal): Promise<{ lines: string[]; origins: Origin[] }> {
  const lines = splitLines(await contentAt(history, stage.node, stage.seq) ?? Buffer.alloc(0));
  const origins: Origin[] = new Array<Origin>(lines.length);
  const queue: Trace[] = [{ stage, lines, waiting: new Map(lines.map((_, i) => [i, i])) }];
  for (let next = queue.shift(); next && !signal?.aborted; next = queue.shift()) queue.push(...await goBack(history, next, origins));
  return { lines, origins };
}

/** Follows one object back; answers what goes on in the files that it took the place of. */
async function goBack(history: HistoryReader, from: Trace, origins: Origin[]): Promise<Trace[]> {
  const { node } = from.stage;
  const older: Trace[] = [];
  const { steps, origin } = await stepsOf(history, from.stage);
  let { lines, waiting } = from;
  let named: Change | null = null;
  for (const [i, step] of steps.entries()) {
    if (waiting.size === 0) return older;
    if (step.kind === 'named') {
      named = step.change;
      continue;
    }
    if (step.kind === 'replaced') {
      named = step.change;
      const between = mergedAt(history, step.before.seq);
      if (between !== null) return [...older, ...await goOver(history, { ...from, lines, waiting }, { between, steps: steps.slice(i), origin, named }, origins)];
      const split = await compare(history, step.before, lines, waiting);
      if (split.kept.size > 0) older.push({ stage: step.before, lines: split.lines, waiting: split.kept });
      waiting = split.fresh;
      continue;
    }
    const first = !steps.slice(i + 1).some(({ kind }) => kind === 'content');
    const before: Stage = { ...from.stage, node, seq: step.first.seq - 1 };
    const empty = ((await history.attr(node, before.seq))?.size ?? 0) === 0;
    const past = first && empty && origin ? origin : before;
    const between = mergedAt(history, past.seq) ?? mergedAt(history, before.seq);
    if (between !== null) return [...older, ...await goOver(history, { ...from, lines, waiting }, { between, steps: steps.slice(i), origin, named }, origins)];
    const split = await compare(history, past, lines, waiting);
    const shown = named && isFresh(step.last, named) ? named : null;
    for (const target of split.fresh.values()) origins[target] = originOf(step.last, shown, split.unknown);
    if (past === origin) return split.kept.size > 0 ? [...older, { stage: origin, lines: split.lines, waiting: split.kept }] : older;
    ({ lines } = split);
    waiting = split.kept;
  }
  const start = await beginning(history, node);
  for (const target of waiting.values()) origins[target] = start;
  return older;
}

/** What lay between two kept instants is not known state by state: lines that were not there at the first are of those who wrote since, which is certain of one only. */
async function goOver(history: HistoryReader, from: Trace, over: { between: Between; steps: readonly Step[]; origin: Stage | null; named: Change | null }, origins: Origin[]): Promise<Trace[]> {
  const { between, steps, origin, named } = over;
  const { writers, pasts } = await lineageSince(history, between.from, from.stage, steps, origin);
  const older: Trace[] = [];
  let { lines, waiting } = from;
  let unknown = false;
  for (const past of pasts) {
    const split = await compare(history, past, lines, waiting);
    if (split.kept.size > 0) older.push({ stage: past, lines: split.lines, waiting: split.kept });
    waiting = split.fresh;
    unknown ||= split.unknown;
  }
  const content = steps.find((step) => step.kind === 'content');
  const written = content?.kind === 'content' ? content.last : null;
  const last = written ?? named;
  const shown = written !== null && named !== null && isFresh(written, named) ? named : null;
  for (const target of waiting.values()) origins[target] = last === null ? await beginning(history, from.stage.node) : originOf(last, shown, unknown || writers.size !== 1);
  return older;
}

/** Which of the waiting lines the content of an earlier stage has. What is not known has none. */
async function compare(history: HistoryReader, { node, seq }: Stage, lines: string[], waiting: Waiting): Promise<{ lines: string[]; kept: Waiting; fresh: Waiting; unknown: boolean }> {
  const content = await contentAt(history, node, seq);
  const then = splitLines(content ?? Buffer.alloc(0));
  const matched = matchLines(then, lines);
  const kept: Waiting = new Map();
  const fresh: Waiting = new Map();
  for (const [at, target] of waiting) {
    if (matched[at]! >= 0) kept.set(matched[at]!, target);
    else fresh.set(at, target);
  }
  return { lines: then, kept, fresh, unknown: content === null };
}

/** null when it was not captured, or is too long to be compared. */
async function contentAt(history: HistoryReader, node: NodeId, seq: Seq): Promise<Buffer | null> {
  const attr = await history.attr(node, seq);
  if (!attr || attr.size === 0) return Buffer.alloc(0);
  return attr.uncaptured || attr.size > MAX_TEXT_BYTES ? null : history.read(node, 0, attr.size, seq);
}

/** What no change explains was there when history first saw the file. */
export async function beginning(history: HistoryReader, node: NodeId): Promise<Origin> {
  const range = await history.range();
  const [first] = (await history.everyLink(node)).map(({ from }) => from).sort((a, b) => a - b);
  const seq = first ?? range?.first.seq ?? 0;
  return { seq, timeNs: (await history.timeOf(seq)) ?? 0n, writer: 0, uncertain: false, unmounted: true };
}
