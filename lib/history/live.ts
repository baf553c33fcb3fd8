/**
 * The live state as history holds it, packed for the engine (Engine.expect in native.ts says the layout). Guarantee: the
 * root, then every name of the newest tree exactly once, directories before what lies in them; memory is bounded by one
 * directory level.
 */
import type { TreeReader } from './tree.js';
import { ROOT, type NodeId, type Seq } from './types.js';
import { inoOf, isUncaptured } from './values.js';

const CHUNK_BYTES = 1 << 20;
const PAGE = 512;
/** Bytes before the name. */
const ENTRY_HEAD = 68;

/** Buffers of whole entries, about 1 MiB each. */
export async function* liveEntries(tree: TreeReader, seq: Seq): AsyncGenerator<Buffer> {
  const pending: { node: NodeId; ino: bigint }[] = [];
  const [root] = await tree.nodeValues([ROOT], seq);
  if (root == null) return;
  pending.push({ node: ROOT, ino: inoOf(root) });
  let parts: Buffer[] = [packEntry(0n, root, Buffer.alloc(0))];
  let bytes = 0;
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const entries = await tree.list(directory.node, seq);
    for (let i = 0; i < entries.length; i += PAGE) {
      const page = entries.slice(i, i + PAGE);
      const values = await tree.nodeValues(page.map((entry) => entry.node), seq);
      for (const [j, value] of values.entries()) {
        if (value === null) continue;
        const part = packEntry(directory.ino, value, Buffer.from(page[j]!.name, 'latin1'));
        parts.push(part);
        bytes += part.length;
        if ((value.readUInt32LE(8) & 0o170000) === 0o040000) pending.push({ node: page[j]!.node, ino: inoOf(value) });
      }
      if (bytes >= CHUNK_BYTES) {
        yield Buffer.concat(parts);
        parts = [];
        bytes = 0;
      }
    }
  }
  if (parts.length > 0) yield Buffer.concat(parts);
}

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
