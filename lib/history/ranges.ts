/** Which bytes of a file may differ between two instants. Its cost is the file's changes between them, not its size. */
import type { HistoryReader } from './reader.js';
import type { Change, NodeId, Seq } from './types.js';
import { BLOCK_BYTES } from './values.js';

/** Numbers of `Kind` (native/journal/format.h) that change content. */
const enum ContentKind { Symlink = 10, Write = 24, Truncate = 25, Fallocate = 26, BaseNode = 40, BaseData = 43 }

/** Ascending, in whole blocks, cut at the longer of the two sizes; either order of the instants. */
export async function changedRanges(reader: HistoryReader, node: NodeId, from: Seq, to: Seq): Promise<{ offset: number; length: number }[]> {
  const [before, after] = await Promise.all([reader.attr(node, from), reader.attr(node, to)]);
  const end = Math.max(before?.size ?? 0, after?.size ?? 0);
  const touched: [number, number][] = [];
  for await (const change of reader.nodeChanges(node, Math.min(from, to), Math.max(from, to), { reverse: true })) {
    if (change.node !== node) continue;
    for (const [first, last] of extents(change, end)) if (first < last) touched.push([first, last]);
  }
  if (before?.size !== after?.size) touched.push([Math.min(before?.size ?? 0, after?.size ?? 0), end]);
  return merge(touched, end);
}

/** Of a change, and of those that it stands for. */
function extents(change: Change, end: number): [number, number][] {
  const own = extent(change, end);
  if (change.givenUp === undefined) return [own];
  const { from, to } = change.givenUp;
  return [own, change.kind === ContentKind.Truncate ? [from, end] : [from, to]];
}

function extent(change: Change, end: number): [number, number] {
  switch (change.kind) {
    case ContentKind.Write: case ContentKind.Fallocate: case ContentKind.BaseData: return [change.offset, change.offset + change.length];
    case ContentKind.Truncate: return [change.length, end];
    case ContentKind.BaseNode: return [change.size, end];
    case ContentKind.Symlink: return [0, end];
    default: return [0, 0];
  }
}

function merge(touched: [number, number][], end: number): { offset: number; length: number }[] {
  const ranges: { offset: number; length: number }[] = [];
  for (const [first, last] of touched.sort((a, b) => a[0] - b[0])) {
    const offset = Math.floor(first / BLOCK_BYTES) * BLOCK_BYTES;
    const stop = Math.min(Math.ceil(last / BLOCK_BYTES) * BLOCK_BYTES, end);
    const previous = ranges.at(-1);
    if (previous !== undefined && offset <= previous.offset + previous.length) previous.length = Math.max(previous.length, stop - previous.offset);
    else if (offset < stop) ranges.push({ offset, length: stop - offset });
  }
  return ranges;
}
