/** Archives made in a test, and what a history shows at an instant: two that show the same are equal. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { exportArchive, type ExportOptions } from '../../lib/archive/export.js';
import type { encodeFrame } from '../../lib/archive/format.js';
import type { Head } from '../../lib/archive/head.js';
import { ArchiveWriter } from '../../lib/archive/writer.js';
import { hashOf } from '../../lib/history/hash.js';
import type { HistoryReader } from '../../lib/history/reader.js';
import { ROOT, type NodeId, type Seq } from '../../lib/history/types.js';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, xattrsOf } from '../../lib/recovery/compare.js';
import { clip } from '../../lib/recovery/plan/objects.js';
import { ModelTree } from './model-tree.js';
import { randomChange } from './random-changes.js';
import type { Random } from './random.js';

/** Of files up to this size a hole is what is zero. */
const SMALL_BYTES = 64 << 10;

export const headAt = (seq: Seq, base: Seq | null = null): Head => ({
  store: 'ab'.repeat(16), tree: '/home/u/tree', at: { seq, timeNs: BigInt(seq) }, names: [], base: base === null ? null : { seq: base, timeNs: BigInt(base) }, group: null, made: '2026-01-01T00:00:00.000Z',
});

/** The bytes of an archive. */
export async function archiveOf(history: HistoryReader, head: Head, more: Omit<ExportOptions, 'head'> = {}): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of exportArchive(history, { head, ...more })) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

/** What a writer makes of what is done with it, whether or not it could be a tree. */
export function archiveBy(fill: (writer: ArchiveWriter) => void, head = headAt(5), encode?: typeof encodeFrame): Buffer {
  const writer = new ArchiveWriter(head, encode);
  fill(writer);
  writer.end();
  return Buffer.concat(writer.take());
}

export function fileOf(directory: string, name: string, bytes: Buffer): string {
  const file = path.join(directory, name);
  writeFileSync(file, bytes);
  return file;
}

/** A tree after so many random changes, those among them that were refused. */
export function changed(tree: ModelTree, random: Random, changes: number): ModelTree {
  for (let i = 0; i < changes; i++) tree.do(randomChange(random));
  return tree;
}

/** As it is, or of a long one its hash. */
const contentOf = (bytes: Buffer): string => (bytes.length <= 64 ? bytes.toString('latin1') : `${bytes.length} bytes ${hashOf(bytes).toString(16)}`);

/** Every path with all that is known of its object, in words. */
export async function stateOf(history: HistoryReader, seq: Seq): Promise<string[]> {
  const lines: string[] = [];
  const visit = async (node: NodeId, shown: string): Promise<void> => {
    const attr = (await history.attr(node, seq))!;
    const { mode, uid, gid, nlink, size, rdev, atime, mtime, ctime, btime } = attr;
    const type = mode & S_IFMT;
    const xattrs = [...await xattrsOf(history, { node, seq, attr })].map(([name, value]) => `${name}=${value.toString('hex')}`).sort();
    const body = type === S_IFLNK ? [(await history.readlink(node, seq)).toString('latin1')]
      : type === S_IFREG ? [contentOf(await history.read(node, 0, size, seq)), size > SMALL_BYTES ? JSON.stringify(clip(await history.dataRanges(node, seq), size)) : ''] : [];
    lines.push([shown, node, mode, uid, gid, nlink, size, rdev, atime, mtime, ctime, btime, ...xattrs, ...body].join('|'));
    if (type !== S_IFDIR) return;
    for (const entry of await history.list(node, seq)) {
      if ((await history.lookup(node, entry.name, seq))?.node !== entry.node) throw new Error(`${entry.name} is listed and not found`);
      await visit(entry.node, `${shown}/${entry.name}`);
    }
  };
  await visit(ROOT, '');
  return lines;
}
