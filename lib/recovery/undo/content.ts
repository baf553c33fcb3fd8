/**
 * Content of a file in a tree in which the selected writers never were. Guarantees: each byte is what the others last
 * wrote, or what was there before; where they built on what the selected ones wrote (they wrote over it, or after it),
 * text is merged line by line, and what neither way is safe is a conflict.
 */
import type { HistoryReader } from '../../history/reader.js';
import type { Change, NodeAttr, NodeId, Seq } from '../../history/types.js';
import { whyNoContent } from '../compare.js';
import { mergeRuns, runsOf } from './text.js';

/** A change of an object, and whether a selected writer made it. */
export interface Step {
  change: Change;
  mine: boolean;
}

/** Numbers of `Kind` (native/journal/format.h). */
const WRITE = 24;
const TRUNCATE = 25;
const FALLOCATE = 26;
/** What a mount found changed: the size, and blocks. */
const BASE_NODE = 40;
const BASE_DATA = 43;
export const BUILT_ON = 'somebody else built on what was written';

/** Bytes [from, to) are as they were at seq; null: zero. Everything else is as it is now. */
export interface Piece {
  from: number;
  to: number;
  seq: Seq | null;
}

/** Content that differs from now. */
export type Content = { size: number; pieces: Piece[]; literal: null } | { size: number; pieces: null; literal: Buffer };

export type ContentResult =
  /** null: it is as it is now. `kept`: others wrote over what the selected ones had written. */
  | { content: Content | null; kept: boolean; conflict: null }
  | { conflict: string; by: Change };

export const changesContent = ({ kind }: Change): boolean => kind === WRITE || kind === TRUNCATE || kind === FALLOCATE || kind === BASE_NODE || kind === BASE_DATA;

/** The size that a change of the size alone gives; null for any other change. */
const newSize = ({ kind, length, size }: Change): number | null => (kind === TRUNCATE ? length : kind === BASE_NODE ? size : null);

/** Ranges that differ from now, kept disjoint and ascending. */
class Pieces {
  all: Piece[] = [];

  overlaps(from: number, to: number): boolean {
    return this.all.some((piece) => piece.from < to && from < piece.to);
  }

  /** These bytes are the same in both trees from here on. */
  same(from: number, to: number): void {
    this.all = this.all.flatMap((piece) => [{ ...piece, to: Math.min(piece.to, from) }, { ...piece, from: Math.max(piece.from, to) }])
      .filter((piece) => piece.from < piece.to);
    this.all = this.all.filter((piece, i) => i === 0 || piece.from !== this.all[i - 1]!.from || piece.to !== this.all[i - 1]!.to);
  }

  /** These bytes are about to change in one tree only; those that differ already go on to be what they were. */
  differ(from: number, to: number, seq: Seq, size: number): void {
    let at = from;
    const fresh: Piece[] = [];
    const add = (until: number): void => {
      if (at < Math.min(until, size)) fresh.push({ from: at, to: Math.min(until, size), seq });
      if (Math.max(at, size) < until) fresh.push({ from: Math.max(at, size), to: until, seq: null });
    };
    for (const piece of this.all) {
      if (piece.to <= at || piece.from >= to) continue;
      if (piece.from > at) add(piece.from);
      at = Math.max(at, piece.to);
    }
    if (at < to) add(to);
    this.all = [...this.all, ...fresh].sort((a, b) => a.from - b.from);
  }
}

/** Follows a file through its changes, oldest first. */
export async function contentWithout(history: HistoryReader, node: NodeId, steps: readonly Step[]): Promise<ContentResult> {
  const relevant = steps.filter(({ change }) => change.node === node && changesContent(change));
  const start = relevant.findIndex(({ mine }) => mine);
  if (start < 0) return { content: null, kept: false, conflict: null };
  const source = await sourceOf(history, node, relevant[start]!.change);
  const before = await history.attr(node, source);
  if (!before) return { content: null, kept: false, conflict: null };
  if (before.thinned !== undefined) return { conflict: whyNoContent(before), by: relevant[start]!.change };
  const follow = await followRanges(history, node, relevant.slice(start), before);
  if (!follow.overlapped && !follow.entangled) return { content: contentOf(follow), kept: false, conflict: null };
  const by = (follow.entangled ?? follow.overlapped) as Change;
  const merged = await mergeRuns(history, { node, seq: source }, runsOf(relevant.slice(start).map((step) => ({ ...step, node }))));
  if (merged.kind === 'merged') return { content: merged.same ? null : { size: merged.text.length, pieces: null, literal: merged.text }, kept: true, conflict: null };
  if (merged.kind === 'binary' && !follow.entangled) return { content: contentOf(follow), kept: true, conflict: null };
  if (merged.kind === 'superseded' && follow.pieces.length === 0 && !follow.entangled) return { content: null, kept: true, conflict: null };
  return { conflict: BUILT_ON, by };
}

interface Followed {
  size: number;
  realSize: number;
  pieces: Piece[];
  /** Others wrote over what was written, or where they would not have without it. */
  overlapped: Change | null;
  entangled: Change | null;
}

const contentOf = ({ size, realSize, pieces }: Followed): Content | null => {
  const inside = pieces.filter((piece) => piece.from < size).map((piece) => ({ ...piece, to: Math.min(piece.to, size) }));
  return inside.length === 0 && size === realSize ? null : { size, pieces: inside, literal: null };
};

/** The newest seq before a change at which history knows the content: while a file is open under `on-close` it does not. */
async function sourceOf(history: HistoryReader, node: NodeId, { seq, save }: Change): Promise<Seq> {
  const attr = await history.attr(node, seq - 1);
  return attr?.uncaptured === true && attr.thinned === undefined && save > 0 && save < seq ? save - 1 : seq - 1;
}

async function followRanges(history: HistoryReader, node: NodeId, steps: readonly Step[], before: NodeAttr): Promise<Followed> {
  const pieces = new Pieces();
  const state: Followed = { size: before.size, realSize: before.size, pieces: [], overlapped: null, entangled: null };
  let runBefore: Seq | null = null;
  for (const { change, mine } of steps) {
    const [from, to] = extentOf(change, state.realSize);
    if (mine) {
      runBefore ??= await sourceOf(history, node, change);
      pieces.differ(from, to, runBefore, state.realSize);
    } else {
      runBefore = null;
      const cut = newSize(change);
      if (cut === null && pieces.overlaps(from, to)) state.overlapped ??= change;
      grow(state, change, to);
      // What is cut off is gone from both; what is added by growing is zero in both, beyond what either had.
      if (cut !== null) pieces.same(cut, Infinity);
      else pieces.same(from, to);
    }
    state.realSize = change.size;
  }
  state.pieces = pieces.all;
  return state;
}

/** The size that a file gets by a change of somebody else. */
function grow(state: Followed, change: Change, to: number): void {
  const sizesDiffer = state.size !== state.realSize;
  const cut = newSize(change);
  if (cut !== null) {
    state.size = cut;
    return;
  }
  // Where it appended, or wrote beyond what would be there without them. (What moves all that follows does so, too.)
  if ((sizesDiffer && to > state.size) || (change.kind === FALLOCATE && state.overlapped === change)) state.entangled ??= change;
  if (!sizesDiffer) state.size = change.size;
}

function extentOf(change: Change, size: number): [number, number] {
  const cut = newSize(change);
  if (cut !== null) return [Math.min(cut, size), Math.max(cut, size)];
  return [change.offset, change.offset + change.length];
}
