/**
 * Who wrote each byte of a file as it was at an instant. A file that was put in place of another was written whole: its bytes are
 * not compared with what lay there before. Guarantees: content is not read, but where room was reserved or zeroed, or changes
 * were given up; there a writer that may be the wrong one is said to be uncertain.
 */
import { RewindError, type ErrorCode } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { Change, NodeId, Seq } from '../history/types.js';
import { isContent, type Stage } from './ancestry.js';
import { beginning, originOf, type Origin } from './blame.js';
import { mergedWith, type Between } from './forgotten.js';

/** A stretch of bytes that one save wrote; the origin's seq is that of its last record there. */
export interface ByteOrigin {
  offset: number;
  length: number;
  origin: Origin;
  /** seq of the open, or of the change when there was none. */
  save: Seq;
}

/** Bytes that wait for their origin; `doubtful`: somebody may have written them since, whose change was given up. */
interface Open { from: number; to: number; doubtful: boolean }

type Range = [from: number, to: number];

/** A change of content, and the file's size before it. */
interface Write { change: Change; before: number }

/** Kinds of native/journal/format.h. */
const WRITE = 24;
const TRUNCATE = 25;
const FALLOCATE = 26;
const COMPARED_BYTES = 1 << 20;
/** Why content cannot be read that is no damage. */
const NOT_THERE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['ERR_NOT_CAPTURED', 'ERR_TIME_THINNED', 'ERR_PURGED']);

/** Is what a change did told by the bytes before and after it only? */
const isLookedAt = ({ kind, unmounted }: Change): boolean => kind === FALLOCATE || unmounted;

/** The origin of each byte, in order, neighbours of one save joined. */
export async function blameBytes(history: HistoryReader, { node, seq }: Stage): Promise<ByteOrigin[]> {
  const size = (await history.attr(node, seq))?.size ?? 0;
  const walk = new Walk(history, node, seq, size);
  for (const group of together(history, await writesOf(history, node, seq))) {
    if (walk.isOver) break;
    if (group.between === null) await walk.over(group.writes[0]!);
    else await walk.overMerged(group.writes.map(({ change }) => change), group.between);
  }
  return joined(await walk.end());
}

/** Newest first. */
async function writesOf(history: HistoryReader, node: NodeId, seq: Seq): Promise<Write[]> {
  const writes: Write[] = [];
  let known: number | null = null;
  for await (const change of history.nodeChanges(node, 0, seq)) {
    if (change.node !== node || !isContent(change)) continue;
    known ??= (await history.attr(node, change.seq - 1))?.size ?? 0;
    writes.push({ change, before: known });
    known = change.size;
  }
  return writes.reverse();
}

/** Those of a stretch are one group where some were given up, or states between would have to be looked at; each other is one by itself. */
function* together(history: HistoryReader, writes: readonly Write[]): Generator<{ writes: Write[]; between: Between | null }> {
  for (let i = 0; i < writes.length;) {
    const between = mergedWith(history, writes[i]!.change);
    const end = between === null ? i + 1 : writes.findIndex(({ change }, at) => at >= i && change.seq <= between.from);
    const group = writes.slice(i, end < 0 ? writes.length : end);
    if (between !== null && group.some(({ change }) => change.givenUp !== undefined || isLookedAt(change))) yield { writes: group, between };
    else for (const one of group) yield { writes: [one], between: null };
    i += group.length;
  }
}

class Walk {
  private open: Open[];
  private readonly found: ByteOrigin[] = [];

  constructor(private readonly history: HistoryReader, private readonly node: NodeId, private readonly seq: Seq, size: number) {
    this.open = size > 0 ? [{ from: 0, to: size, doubtful: false }] : [];
  }

  get isOver(): boolean {
    return this.open.length === 0;
  }

  async over({ change, before }: Write): Promise<void> {
    for (const range of await this.extents(change, before)) this.take(range, change);
  }

  /** Between two kept instants: what the last one wrote is its own; what else differs is of those who wrote since; what does not may have been written, too. */
  async overMerged(changes: readonly Change[], { from, to }: Between): Promise<void> {
    const last = changes[0]!;
    const isOne = changes.every(({ writer }) => writer === last.writer);
    for (const change of changes) if (change.kind === WRITE) this.take([change.offset, change.offset + change.length], change, !isOne && change !== last);
    const most = changes.find(({ givenUp }) => givenUp !== undefined) ?? last;
    for (const range of await this.differences(from, Math.min(to, this.seq))) this.take(range, most, !isOne);
    for (const change of changes) for (const range of reached(change)) this.doubt(range);
  }

  async end(): Promise<ByteOrigin[]> {
    if (this.open.length > 0) {
      const start = await beginning(this.history, this.node);
      for (const { from, to, doubtful } of this.open) this.found.push({ offset: from, length: to - from, origin: { ...start, uncertain: start.uncertain || doubtful }, save: 0 });
    }
    return this.found;
  }

  /** Gives what is open of a range to a change. */
  private take([from, to]: Range, change: Change, uncertain = false): void {
    const left: Open[] = [];
    for (const one of this.open) {
      const [start, end] = [Math.max(one.from, from), Math.min(one.to, to)];
      if (start >= end) {
        left.push(one);
        continue;
      }
      this.found.push({ offset: start, length: end - start, origin: originOf(change, null, uncertain || one.doubtful), save: change.save || change.seq });
      if (one.from < start) left.push({ ...one, to: start });
      if (end < one.to) left.push({ ...one, from: end });
    }
    this.open = left;
  }

  private doubt([from, to]: Range): void {
    this.open = this.open.flatMap((one) => {
      const [start, end] = [Math.max(one.from, from), Math.min(one.to, to)];
      if (start >= end) return [one];
      return [{ ...one, to: start }, { from: start, to: end, doubtful: true }, { ...one, from: end }].filter((part) => part.from < part.to);
    });
  }

  /** What of a file a change wrote: its own range, and all that it added to the end. */
  private async extents(change: Change, before: number): Promise<Range[]> {
    const grown: Range = [before, Infinity];
    if (isLookedAt(change)) return [grown, ...await this.differing({ seq: change.seq - 1, size: before }, change, change.offset)];
    return change.kind === TRUNCATE ? [grown] : [grown, [change.offset, change.offset + change.length]];
  }

  /** Between two kept instants, as far as content is there. */
  private async differences(from: Seq, to: Seq): Promise<Range[]> {
    const [before, after] = await Promise.all([from, to].map(async (seq) => ({ seq, size: (await this.history.attr(this.node, seq))?.size ?? 0 })));
    const differing = await this.differing(before!, after!, 0).catch((error: unknown): Range[] => {
      if (error instanceof RewindError && NOT_THERE.has(error.code)) return [];
      throw error;
    });
    return [[before!.size, Infinity], ...differing];
  }

  /** Room may have been reserved, zeroed or moved, a mount may have found what was there: what was done shows in the bytes. */
  private async differing(then: { seq: Seq; size: number }, now: { seq: Seq; size: number }, offset: number): Promise<Range[]> {
    const ranges: Range[] = [];
    const end = Math.min(then.size, now.size);
    for (let at = offset; at < end; at += COMPARED_BYTES) {
      const length = Math.min(COMPARED_BYTES, end - at);
      const [a, b] = await Promise.all([then, now].map(({ seq, size }) => this.history.read(this.node, at, length, seq, size)));
      for (let i = 0; i < length; i++) {
        if (a![i] === b![i]) continue;
        const from = i;
        while (i < length && a![i] !== b![i]) i++;
        ranges.push([at + from, at + i]);
      }
    }
    return ranges;
  }
}

/** Where a change, and those that it stands for, may have written. */
function reached({ kind, offset, length, unmounted, givenUp }: Change): Range[] {
  const own: Range = unmounted ? [0, Infinity] : kind === TRUNCATE ? [length, Infinity] : [offset, offset + length];
  if (givenUp === undefined) return [own];
  return [own, kind === TRUNCATE ? [givenUp.from, Infinity] : [givenUp.from, givenUp.to]];
}

function joined(found: ByteOrigin[]): ByteOrigin[] {
  const all: ByteOrigin[] = [];
  for (const next of found.sort((a, b) => a.offset - b.offset)) {
    const last = all.at(-1);
    if (last?.save === next.save && last.origin.writer === next.origin.writer && last.origin.uncertain === next.origin.uncertain) {
      last.length += next.length;
      if (next.origin.seq > last.origin.seq) last.origin = next.origin;
    } else {
      all.push({ ...next });
    }
  }
  return all;
}
