/**
 * The live state as history holds it, packed for the engine (Engine.expect in native.ts says the layout). Guarantee: the
 * root, then every name of the newest tree exactly once, directories before what lies in them; memory is bounded by one
 * directory level. While no first walk was complete, objects that were changed before it came to their names follow, with
 * what lies in them.
 */
import type { TreeReader } from './tree.js';
import { ROOT, type NodeId, type Seq } from './types.js';
import { attrSize, decodeAttr, inoOf, isUncaptured } from './values.js';

const CHUNK_BYTES = 1 << 20;
const PAGE = 512;
/** Bytes before the name. */
const ENTRY_HEAD = 68;
const NO_NAME = Buffer.alloc(0);

/** Entries that were not yielded yet. */
class Parts {
  private parts: Buffer[] = [];
  private bytes = 0;

  add(part: Buffer): void {
    this.parts.push(part);
    this.bytes += part.length;
  }

  *take(atLeast: number): Generator<Buffer> {
    if (this.bytes < atLeast) return;
    yield Buffer.concat(this.parts);
    this.parts = [];
    this.bytes = 0;
  }
}

/** Does the live file no longer hold what history has? Asked for regular files with content that history has. */
export type IsLost = (file: { node: NodeId; ino: bigint; ctimeNs: bigint }) => Promise<boolean> | boolean;

interface Options {
  /** All that inode numbers stand for, when some may have no name yet. */
  everyNode?: AsyncIterable<NodeId[]> | null;
  /** Such a file is told with a time that no file has: it is found changed. */
  isLost?: IsLost | undefined;
}

/** Buffers of whole entries, about 1 MiB each. */
export async function* liveEntries(tree: TreeReader, seq: Seq, { everyNode = null, isLost }: Options = {}): AsyncGenerator<Buffer> {
  const parts = new Parts();
  const named = everyNode && new Set<NodeId>();
  const [root] = await tree.nodeValues([ROOT], seq);
  if (root != null) {
    parts.add(packEntry(0n, root, NO_NAME));
    named?.add(ROOT);
    yield* entriesBelow(tree, seq, { node: ROOT, ino: inoOf(root) }, parts, { named, isLost });
  }
  for await (const nodes of everyNode ?? []) {
    const left = nodes.filter((node) => !named?.has(node));
    for (const [i, value] of (await tree.nodeValues(left, seq)).entries()) {
      const node = left[i]!;
      // What lies in a directory without a name comes with that.
      if (value === null || nlinkOf(value) === 0 || (await tree.linksOf(node, seq)).length > 0) continue;
      parts.add(packEntry(0n, await asTold(node, value, isLost), NO_NAME));
      if (isDirectory(value)) yield* entriesBelow(tree, seq, { node, ino: inoOf(value) }, parts, { named, isLost });
    }
    yield* parts.take(CHUNK_BYTES);
  }
  yield* parts.take(1);
}

async function* entriesBelow(tree: TreeReader, seq: Seq, top: { node: NodeId; ino: bigint }, parts: Parts, { named, isLost }: { named: Set<NodeId> | null; isLost: IsLost | undefined }): AsyncGenerator<Buffer> {
  const pending = [top];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const entries = await tree.list(directory.node, seq);
    for (let i = 0; i < entries.length; i += PAGE) {
      const page = entries.slice(i, i + PAGE);
      const values = await tree.nodeValues(page.map((entry) => entry.node), seq);
      for (const [j, value] of values.entries()) {
        if (value === null) continue;
        const { node, name } = page[j]!;
        parts.add(packEntry(directory.ino, await asTold(node, value, isLost), Buffer.from(name, 'latin1')));
        named?.add(node);
        if (isDirectory(value)) pending.push({ node, ino: inoOf(value) });
      }
      yield* parts.take(CHUNK_BYTES);
    }
  }
}

/** The state of an object, without its ctime when it is not what the live one is. */
async function asTold(node: NodeId, value: Buffer, isLost: IsLost | undefined): Promise<Buffer> {
  if (isLost === undefined || !isFile(value) || isUncaptured(value) || attrSize(value, 8) === 0) return value;
  const { ctime } = decodeAttr(value);
  if (!await isLost({ node, ino: inoOf(value), ctimeNs: ctime })) return value;
  const told = Buffer.from(value);
  told.fill(0, 56, 64).fill(0, 80, 84);
  return told;
}

const isFile = (value: Buffer): boolean => (value.readUInt32LE(8) & 0o170000) === 0o100000;
const isDirectory = (value: Buffer): boolean => (value.readUInt32LE(8) & 0o170000) === 0o040000;
const nlinkOf = (value: Buffer): number => value.readUInt32LE(20);

/** u64 parent ino, u64 ino, u32 mode, uid, gid, nlink, u64 size, i64 mtime s, u32 ns, i64 ctime s, u32 ns, u32 name length, name. Bit 31 of mode: the content was not captured. */
function packEntry(parent: bigint, value: Buffer, name: Buffer): Buffer {
  const entry = Buffer.allocUnsafe(ENTRY_HEAD + name.length);
  entry.writeBigUInt64LE(parent, 0);
  value.copy(entry, 8, 0, 32);     // ino, mode, uid, gid, nlink, size
  if (isUncaptured(value)) entry[19] = entry[19]! | 0x80;
  value.copy(entry, 40, 48, 56);   // mtime s
  value.copy(entry, 48, 76, 80);   // mtime ns
  value.copy(entry, 52, 56, 64);   // ctime s
  value.copy(entry, 60, 80, 84);   // ctime ns
  entry.writeUInt32LE(name.length, 64);
  name.copy(entry, ENTRY_HEAD);
  return entry;
}
