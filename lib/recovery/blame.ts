/**
 * Who wrote each line, or each byte, of a file as it was at an instant. Guarantees: a line that a save left where it was,
 * or that the file had which a save put another in place of, keeps its writer; the walk ends when every line has one.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Change, NodeId, Seq } from '../history/types.js';
import { isContent, isFresh, stepsOf, type Stage } from './ancestry.js';
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

const originOf = (change: Change, named: Change | null, uncertain = false): Origin => {
  const { seq, timeNs } = named ?? change;
  return { seq, timeNs, writer: change.writer, uncertain: uncertain || change.writeback, unmounted: change.unmounted };
};

/** Lines that wait for their origin: where they lie in a stage's content, and in the answer. */
type Waiting = Map<number, number>;

/** The origin of each line of a file at a stage. */
export async function blameLines(history: HistoryReader, stage: Stage, signal?: AbortSignal): Promise<{ lines: string[]; origins: Origin[] }> {
  const lines = splitLines(await contentAt(history, stage.node, stage.seq) ?? Buffer.alloc(0));
  const origins: Origin[] = new Array<Origin>(lines.length);
  const queue: { stage: Stage; lines: string[]; waiting: Waiting }[] = [{ stage, lines, waiting: new Map(lines.map((_, i) => [i, i])) }];
  for (let next = queue.shift(); next && !signal?.aborted; next = queue.shift()) queue.push(...await goBack(history, next, origins));
  return { lines, origins };
}

/** Follows one object back; answers what goes on in the files that it took the place of. */
async function goBack(history: HistoryReader, from: { stage: Stage; lines: string[]; waiting: Waiting }, origins: Origin[]): Promise<typeof from[]> {
  const { node } = from.stage;
  const older: typeof from[] = [];
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
      const split = await compare(history, step.before, lines, waiting);
      if (split.kept.size > 0) older.push({ stage: step.before, lines: split.lines, waiting: split.kept });
      waiting = split.fresh;
      continue;
    }
    const first = !steps.slice(i + 1).some(({ kind }) => kind === 'content');
    const before: Stage = { ...from.stage, node, seq: step.first.seq - 1 };
    const empty = ((await history.attr(node, before.seq))?.size ?? 0) === 0;
    const past = first && empty && origin ? origin : before;
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
async function beginning(history: HistoryReader, node: NodeId): Promise<Origin> {
  const range = await history.range();
  const [first] = (await history.everyLink(node)).map(({ from }) => from).sort((a, b) => a - b);
  const seq = first ?? range?.first.seq ?? 0;
  return { seq, timeNs: (await history.timeOf(seq)) ?? 0n, writer: 0, uncertain: false, unmounted: true };
}

/** A stretch of bytes that one save wrote; the origin's seq is that of its last record there. */
export interface ByteOrigin {
  offset: number;
  length: number;
  origin: Origin;
  /** seq of the open, or of the change when there was none. */
  save: Seq;
}

/**
 * The origin of each byte, in order, neighbours of one save joined. A file that was put in place of another was written
 * whole: its bytes are not compared with what lay there before. Content is not read, but where room was reserved or zeroed.
 */
export async function blameBytes(history: HistoryReader, { node, seq }: Stage): Promise<ByteOrigin[]> {
  const size = (await history.attr(node, seq))?.size ?? 0;
  const changes: { change: Change; before: number }[] = [];
  let known: number | null = null;
  for await (const change of history.nodeChanges(node, 0, seq)) {
    if (change.node !== node || !isContent(change)) continue;
    known ??= (await history.attr(node, change.seq - 1))?.size ?? 0;
    changes.push({ change, before: known });
    known = change.size;
  }
  let open: [number, number][] = size > 0 ? [[0, size]] : [];
  const found: ByteOrigin[] = [];
  for (const { change, before } of changes.reverse()) {
    if (open.length === 0) break;
    for (const [from, to] of await extents(history, change, before)) open = take(open, [from, to], { origin: originOf(change, null), save: change.save || change.seq }, found);
  }
  if (open.length > 0) {
    const start = await beginning(history, node);
    for (const [from, to] of open) found.push({ offset: from, length: to - from, origin: start, save: 0 });
  }
  return joined(found);
}

/** Kinds of native/journal/format.h. */
const TRUNCATE = 25;
const FALLOCATE = 26;
const COMPARED_BYTES = 1 << 20;

/** What of a file a change wrote: its own range, and all that it added to the end. */
async function extents(history: HistoryReader, change: Change, before: number): Promise<[number, number][]> {
  const grown: [number, number] = [before, Infinity];
  if (change.kind === FALLOCATE || change.unmounted) return [grown, ...await differing(history, change, before)];
  return change.kind === TRUNCATE ? [grown] : [grown, [change.offset, change.offset + change.length]];
}

/** Room may have been reserved, zeroed or moved, a mount may have found what was there: what it did shows in the bytes. */
async function differing(history: HistoryReader, { node, seq, offset, size }: Change, before: number): Promise<[number, number][]> {
  const ranges: [number, number][] = [];
  const end = Math.min(before, size);
  for (let at = offset; at < end; at += COMPARED_BYTES) {
    const length = Math.min(COMPARED_BYTES, end - at);
    const [a, b] = await Promise.all([history.read(node, at, length, seq - 1, before), history.read(node, at, length, seq, size)]);
    for (let i = 0; i < length; i++) {
      if (a[i] === b[i]) continue;
      const from = i;
      while (i < length && a[i] !== b[i]) i++;
      ranges.push([at + from, at + i]);
    }
  }
  return ranges;
}

/** Gives [from, to) of what is open to an origin; answers what stays open. */
function take(open: [number, number][], [from, to]: [number, number], who: Pick<ByteOrigin, 'origin' | 'save'>, found: ByteOrigin[]): [number, number][] {
  const left: [number, number][] = [];
  for (const [a, b] of open) {
    const [start, end] = [Math.max(a, from), Math.min(b, to)];
    if (start >= end) {
      left.push([a, b]);
      continue;
    }
    found.push({ offset: start, length: end - start, ...who });
    if (a < start) left.push([a, start]);
    if (end < b) left.push([end, b]);
  }
  return left;
}

function joined(found: ByteOrigin[]): ByteOrigin[] {
  const all: ByteOrigin[] = [];
  for (const next of found.sort((a, b) => a.offset - b.offset)) {
    const last = all.at(-1);
    if (last?.save === next.save && last.origin.writer === next.origin.writer) {
      last.length += next.length;
      if (next.origin.seq > last.origin.seq) last.origin = next.origin;
    } else {
      all.push({ ...next });
    }
  }
  return all;
}
