/**
 * The keys of history, byte for byte as docs/history.md says (a test holds the two together). Guarantees: numbers are
 * big-endian u64, so that keys sort as numbers do; an instant is stored as its complement (`~seq`), so that the first key
 * at or after (prefix, ~n) is the newest at or before n; a name is followed by a 0 byte, which no name contains, so that
 * names sort by their bytes and none is a prefix of another.
 */
import type { Name, NodeId, Seq } from './types.js';

const TWO_32 = 0x1_0000_0000;

/** Writes a safe integer as big-endian u64. */
export function putU64(key: Buffer, value: number, at: number): void {
  key.writeUInt32BE(Math.floor(value / TWO_32), at);
  key.writeUInt32BE(value >>> 0, at + 4);
}

/** Reads a big-endian u64 that is a safe integer. */
export const getU64 = (key: Buffer, at: number): number => key.readUInt32BE(at) * TWO_32 + key.readUInt32BE(at + 4);

/** Writes the complement of a seq. */
export function putInverse(key: Buffer, seq: Seq, at: number): void {
  key.writeUInt32BE(~Math.floor(seq / TWO_32) >>> 0, at);
  key.writeUInt32BE(~seq >>> 0, at + 4);
}

/** Reads a complemented seq. */
export const getInverse = (key: Buffer, at: number): Seq => (~key.readUInt32BE(at) >>> 0) * TWO_32 + (~key.readUInt32BE(at + 4) >>> 0);

/** One u64: inodes (ino), content (id), hashes (use the hash's bytes), writers, points, times (seq). */
export function u64Key(value: number): Buffer {
  const key = Buffer.allocUnsafe(8);
  putU64(key, value, 0);
  return key;
}

/** Two u64: changes (effective seq, record seq), gaps, clock (time is a bigint there, see clockKey). */
export function pairKey(first: number, second: number): Buffer {
  const key = Buffer.allocUnsafe(16);
  putU64(key, first, 0);
  putU64(key, second, 8);
  return key;
}

/** nodechanges: node, ~effective seq, ~record seq. */
export function nodeChangeKey(node: NodeId, seq: Seq, record: Seq): Buffer {
  const key = Buffer.allocUnsafe(24);
  putU64(key, node, 0);
  putInverse(key, seq, 8);
  putInverse(key, record, 16);
  return key;
}

/** nodes: node, ~seq. */
export function nodeKey(node: NodeId, seq: Seq): Buffer {
  const key = Buffer.allocUnsafe(16);
  putU64(key, node, 0);
  putInverse(key, seq, 8);
  return key;
}

/** names and xattrs: node, name, 0, ~seq. */
export function nameKey(node: NodeId, name: Name, seq: Seq): Buffer {
  const key = Buffer.allocUnsafe(17 + name.length);
  putU64(key, node, 0);
  key.write(name, 8, 'latin1');
  key[8 + name.length] = 0;
  putInverse(key, seq, 9 + name.length);
  return key;
}

/** Bounds of all instants of one name: [from, to). */
export function nameBounds(node: NodeId, name: Name): { gte: Buffer; lt: Buffer } {
  const gte = Buffer.allocUnsafe(9 + name.length);
  putU64(gte, node, 0);
  gte.write(name, 8, 'latin1');
  gte[8 + name.length] = 0;
  const lt = Buffer.from(gte);
  lt[8 + name.length] = 1;
  return { gte, lt };
}

/** links: node, parent, name, 0, ~seq. */
export function linkKey(node: NodeId, parent: NodeId, name: Name, seq: Seq): Buffer {
  const key = Buffer.allocUnsafe(25 + name.length);
  putU64(key, node, 0);
  putU64(key, parent, 8);
  key.write(name, 16, 'latin1');
  key[16 + name.length] = 0;
  putInverse(key, seq, 17 + name.length);
  return key;
}

/** blocks: node, block number, ~seq. */
export function blockKey(node: NodeId, block: number, seq: Seq): Buffer {
  const key = Buffer.allocUnsafe(24);
  putU64(key, node, 0);
  putU64(key, block, 8);
  putInverse(key, seq, 16);
  return key;
}

/** cuts: node, ~seq, offset. */
export function cutKey(node: NodeId, seq: Seq, offset: number): Buffer {
  const key = Buffer.allocUnsafe(24);
  putU64(key, node, 0);
  putInverse(key, seq, 8);
  putU64(key, offset, 16);
  return key;
}

/** clock: time (ns since the epoch), seq. */
export function clockKey(timeNs: bigint, seq: Seq): Buffer {
  const key = Buffer.allocUnsafe(16);
  key.writeBigUInt64BE(timeNs, 0);
  putU64(key, seq, 8);
  return key;
}

/** The name in a key of names or xattrs (`before` = 8) or links (`before` = 16), whose last 9 bytes are 0 and ~seq. */
export const nameInKey = (key: Buffer, before: number): Name => key.toString('latin1', before, key.length - 9);

/** The seq at the end of a key. */
export const seqInKey = (key: Buffer): Seq => getInverse(key, key.length - 8);

/** Bounds of everything under one u64: [value, value + 1). */
export const under = (value: number): { gte: Buffer; lt: Buffer } => ({ gte: u64Key(value), lt: u64Key(value + 1) });
