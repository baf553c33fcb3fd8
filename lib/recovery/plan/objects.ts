/** Steps that make one object as it was at an instant, and that give a file back its content. */
import type { HistoryReader } from '../../history/reader.js';
import type { Name, NodeAttr, NodeId, Seq } from '../../history/types.js';
import { differingRanges, isDir, isFile, isLink, MODE_BITS, xattrsOf, type At } from '../compare.js';
import type { ByteRange, PlanOp } from '../types.js';
import { freshAttributes, type Born } from './attributes.js';

/** Up to this size a file is read whole, and its holes are found by looking at the bytes. */
const SMALL_BYTES = 64 << 10;
/** A directory is filled before it gets its own permission bits. */
const FILL_MODE = 0o700;

/** The steps and how many bytes of content they write. */
export interface Steps {
  ops: PlanOp[];
  bytes: number;
}

export const sumOf = (ranges: readonly ByteRange[]): number => ranges.reduce((sum, range) => sum + range.length, 0);

/**
 * Makes an object, complete but for a directory's content and attributes (`directoryAttributes` come when it is filled).
 */
export async function makeObject(history: HistoryReader, path: string, node: NodeId, attr: NodeAttr, seq: Seq, born: Born): Promise<Steps> {
  const mode = attr.mode & MODE_BITS;
  if (isDir(attr)) return { ops: [{ op: 'mkdir', path, mode: FILL_MODE }], bytes: 0 };
  const steps: Steps = { ops: [], bytes: 0 };
  if (isFile(attr)) {
    steps.ops.push({ op: 'create', path, mode });
    const content = await freshContent(history, path, node, attr, seq);
    for (const one of content.ops) steps.ops.push(one);
    steps.bytes = content.bytes;
  } else if (isLink(attr)) {
    steps.ops.push({ op: 'symlink', path, target: (await history.readlink(node, seq)).toString('latin1') });
  } else {
    steps.ops.push({ op: 'mknod', path, mode: attr.mode, rdev: attr.rdev });
  }
  steps.ops.push(...freshAttributes(path, attr, await xattrsOf(history, { node, seq, attr }), born));
  return steps;
}

/** The attributes of a directory that was made and is filled. */
export async function directoryAttributes(history: HistoryReader, path: string, node: NodeId, attr: NodeAttr, seq: Seq, born: Born): Promise<PlanOp[]> {
  return freshAttributes(path, attr, await xattrsOf(history, { node, seq, attr }), born);
}

async function freshContent(history: HistoryReader, path: string, node: NodeId, attr: NodeAttr, seq: Seq): Promise<Steps> {
  if (attr.size === 0) return { ops: [], bytes: 0 };
  if (attr.size <= SMALL_BYTES) {
    return { ops: [{ op: 'content', path, node, ranges: [{ offset: 0, length: attr.size }], fresh: true }], bytes: attr.size };
  }
  const ranges = clip(await history.dataRanges(node, seq), attr.size);
  const last = ranges.at(-1);
  const ops: PlanOp[] = [];
  if (last) ops.push({ op: 'content', path, node, ranges, fresh: true });
  if (!last || last.offset + last.length < attr.size) ops.push({ op: 'truncate', path, size: attr.size });
  return { ops, bytes: sumOf(ranges) };
}

/** Makes the content of a file that stays the one that it had: only the ranges that differ. */
export async function changedContent(history: HistoryReader, path: string, was: At, is: At): Promise<Steps> {
  const ranges: ByteRange[] = [];
  for await (const range of differingRanges(history, was, is)) ranges.push(range);
  const wanted = clip(ranges, was.attr.size);
  const ops: PlanOp[] = [];
  if (was.attr.size !== is.attr.size) ops.push({ op: 'truncate', path, size: was.attr.size });
  if (wanted.length === 0) return { ops, bytes: 0 };
  const { inside, outside } = split(wanted, clip(await history.dataRanges(was.node, was.seq), was.attr.size));
  for (const hole of outside) ops.push({ op: 'punch', path, ...hole });
  if (inside.length > 0) ops.push({ op: 'content', path, node: was.node, ranges: inside, fresh: false });
  return { ops, bytes: sumOf(inside) };
}

/** Ranges cut off at the end of the file. */
export function clip(ranges: readonly ByteRange[], size: number): ByteRange[] {
  return ranges.filter((range) => range.offset < size).map(({ offset, length }) => ({ offset, length: Math.min(length, size - offset) }));
}

/** Which parts of `ranges` lie inside and which outside of `data` (both ascending, neither overlapping itself). */
export function split(ranges: readonly ByteRange[], data: readonly ByteRange[]): { inside: ByteRange[]; outside: ByteRange[] } {
  const inside: ByteRange[] = [];
  const outside: ByteRange[] = [];
  const add = (list: ByteRange[], from: number, to: number): void => {
    if (to > from) list.push({ offset: from, length: to - from });
  };
  let next = 0;
  for (const { offset, length } of ranges) {
    const end = offset + length;
    let at = offset;
    while (next > 0 && (data[next - 1] as ByteRange).offset + (data[next - 1] as ByteRange).length > offset) next--;
    for (; next < data.length && at < end; next++) {
      const part = data[next] as ByteRange;
      const from = Math.max(at, Math.min(end, part.offset));
      const to = Math.max(from, Math.min(end, part.offset + part.length));
      add(outside, at, from);
      add(inside, from, to);
      at = to;
      if (part.offset + part.length > end) break;
    }
    add(outside, at, end);
  }
  return { inside, outside };
}

/** Names joined to a plan's path. */
export const joinPath = (directory: string, name: Name): string => (directory === '' ? name : `${directory}/${name}`);
