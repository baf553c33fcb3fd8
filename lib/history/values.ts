/**
 * The values of history, byte for byte as docs/history.md says. Guarantee: decode(encode(x)) equals x, and a value that
 * cannot be one is refused with ERR_HISTORY_CORRUPT instead of being read as something else.
 */
import { RewindError } from '../errors.js';
import { getU64, putU64 } from './keys.js';
import type { Change, Marker, NodeAttr } from './types.js';

/** Bytes of content in a block; the same as in the journal. */
export const BLOCK_BYTES = 65536;
/** Data up to this length lies in the block entry itself instead of in `content`. */
export const INLINE_BYTES = 512;
/** An entry that says: from here on it is not there. */
export const TOMBSTONE = Buffer.alloc(0);
/** Bytes of a `nodes` value: ino and the journal's attributes. One byte more, 1, says that the content was not captured. */
export const NODE_BYTES = 88;

const NS = 1_000_000_000n;

/** Attributes of a `nodes` value: u64 ino and Attr as in the journal, little-endian. */
export function decodeAttr(value: Buffer): NodeAttr {
  if (value.length !== NODE_BYTES && !isUncaptured(value)) throw corrupt(`a node entry of ${value.length} bytes, expected ${NODE_BYTES}`);
  const time = (seconds: number, ns: number) => value.readBigInt64LE(seconds) * NS + BigInt(value.readUInt32LE(ns));
  return {
    mode: value.readUInt32LE(8), uid: value.readUInt32LE(12), gid: value.readUInt32LE(16), nlink: value.readUInt32LE(20),
    size: attrSize(value, 8), rdev: value.readBigUInt64LE(32),
    atime: time(40, 72), mtime: time(48, 76), ctime: time(56, 80), btime: time(64, 84),
    ...isUncaptured(value) && { uncaptured: true },
  };
}

/** Does a `nodes` value say that the content was not captured? */
export const isUncaptured = (value: Buffer): boolean => value.length === NODE_BYTES + 1 && value[NODE_BYTES] === 1;

/** `size` of the journal's Attr at this place. */
export const attrSize = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at + 16) + bytes.readUInt32LE(at + 20) * 0x1_0000_0000;

/** ino of a `nodes` value. */
export const inoOf = (value: Buffer): bigint => value.readBigUInt64LE(0);

/** What a `blocks` entry says about its block. A patch changes only [offset, offset + length); full and zero all of it. */
export interface BlockEntry {
  kind: 'full' | 'patch';
  /** Patches since the newest full entry, this one included; 0 for full. */
  depth: number;
  /** Their bytes. */
  chainBytes: number;
  offset: number;
  length: number;
  /** Where the bytes are: here, in `content`, or zeroes. What a full entry does not cover reads as zero. */
  data: Buffer | { content: number } | null;
}

const enum Tag { FullZero = 0, FullContent = 1, FullInline = 2, PatchZero = 3, PatchContent = 4, PatchInline = 5 }

/** tag u8; patches: depth u16, chain bytes u32, offset u16; then zero: length u32, content: length u32, id u64, inline: the bytes. */
export function encodeBlock(entry: BlockEntry): Buffer {
  const patch = entry.kind === 'patch';
  const head = patch ? 9 : 1;
  const form = entry.data === null ? 0 : Buffer.isBuffer(entry.data) ? 2 : 1;
  const tail = form === 2 ? (entry.data as Buffer).length : form === 1 ? 12 : patch ? 4 : 0;
  const value = Buffer.allocUnsafe(head + tail);
  value[0] = (patch ? Tag.PatchZero : Tag.FullZero) + form;
  if (patch) {
    value.writeUInt16BE(Math.min(entry.depth, 0xffff), 1);
    value.writeUInt32BE(Math.min(entry.chainBytes, 0xffffffff), 3);
    value.writeUInt16BE(entry.offset, 7);
  }
  if (form === 2) (entry.data as Buffer).copy(value, head);
  else if (tail > 0) value.writeUInt32BE(entry.length, head);
  if (form === 1) putU64(value, (entry.data as { content: number }).content, head + 4);
  return value;
}

/** The inverse of encodeBlock; inline data is a view of the value. */
export function decodeBlock(value: Buffer): BlockEntry {
  const tag = value[0];
  if (tag === undefined || tag > Tag.PatchInline) throw corrupt(`a block entry of unknown form ${tag ?? 'none'}`);
  const patch = tag >= Tag.PatchZero;
  const form = tag % 3;
  const head = patch ? 9 : 1;
  const wanted = form === 1 ? head + 12 : form === 0 && patch ? head + 4 : head;
  if (value.length < wanted) throw corrupt(`a block entry of form ${tag} with ${value.length} bytes, expected ${wanted}`);
  const length = form === 2 ? value.length - head : wanted > head ? value.readUInt32BE(head) : BLOCK_BYTES;
  const offset = patch ? value.readUInt16BE(7) : 0;
  if (offset + length > BLOCK_BYTES) throw corrupt(`a block entry of bytes ${offset} to ${offset + length}, a block has ${BLOCK_BYTES}`);
  return {
    kind: patch ? 'patch' : 'full',
    depth: patch ? value.readUInt16BE(1) : 0,
    chainBytes: patch ? value.readUInt32BE(3) : 0,
    offset, length,
    data: form === 0 ? null : form === 2 ? value.subarray(head) : { content: getU64(value, head + 4) },
  };
}

/** Bytes before the data in a `content` value: codec u8 (0 = as it is), XXH64 u64. */
export const CONTENT_HEAD = 9;

/** The bytes of a `content` value. */
export function decodeContent(value: Buffer): Buffer {
  if (value.length < CONTENT_HEAD || value[0] !== 0) throw corrupt(`content with codec ${value[0] ?? 'none'}, expected 0`);
  return value.subarray(CONTENT_HEAD);
}

const MARKERS: readonly Marker[] = ['create', 'modify', 'delete', 'rename'];
const CHANGE_HEAD = 88;
const enum ChangeFlag { Writeback = 1, Unmounted = 2, Exchange = 4, Parent = 8, Parent2 = 16, Target = 32 }

/**
 * kind u16, marker u8, flags u8, then u64: time, node, parent, parent2, target, offset, length, size, writer, save; then
 * name length u16, name2 length u16, name, name2. seq and record are in the key.
 */
export function encodeChange(change: Change): Buffer {
  const name = change.name ?? '';
  const name2 = change.name2 ?? '';
  const value = Buffer.allocUnsafe(CHANGE_HEAD + name.length + name2.length);
  value.writeUInt16BE(change.kind, 0);
  value[2] = MARKERS.indexOf(change.marker);
  value[3] = (change.writeback ? ChangeFlag.Writeback : 0) | (change.unmounted ? ChangeFlag.Unmounted : 0)
    | (change.exchange === true ? ChangeFlag.Exchange : 0) | (change.parent === undefined ? 0 : ChangeFlag.Parent)
    | (change.parent2 === undefined ? 0 : ChangeFlag.Parent2) | (change.target === undefined ? 0 : ChangeFlag.Target);
  value.writeBigUInt64BE(change.timeNs, 4);
  putU64(value, change.node, 12);
  putU64(value, change.parent ?? 0, 20);
  putU64(value, change.parent2 ?? 0, 28);
  putU64(value, change.target ?? 0, 36);
  putU64(value, change.offset, 44);
  putU64(value, change.length, 52);
  putU64(value, change.size, 60);
  putU64(value, change.writer, 68);
  putU64(value, change.save, 76);
  value.writeUInt16BE(name.length, 84);
  value.writeUInt16BE(name2.length, 86);
  value.write(name, CHANGE_HEAD, 'latin1');
  value.write(name2, CHANGE_HEAD + name.length, 'latin1');
  return value;
}

/** The inverse of encodeChange; `key` is (effective seq, record seq). */
export function decodeChange(key: Buffer, value: Buffer): Change {
  if (value.length < CHANGE_HEAD) throw corrupt(`a change of ${value.length} bytes, expected at least ${CHANGE_HEAD}`);
  const flags = value[3]!;
  const names = CHANGE_HEAD + value.readUInt16BE(84);
  const change: Change = {
    seq: getU64(key, 0), record: getU64(key, 8), timeNs: value.readBigUInt64BE(4),
    kind: value.readUInt16BE(0), marker: MARKERS[value[2]!] ?? 'modify', node: getU64(value, 12),
    offset: getU64(value, 44), length: getU64(value, 52), size: getU64(value, 60),
    writer: getU64(value, 68), save: getU64(value, 76),
    writeback: (flags & ChangeFlag.Writeback) !== 0, unmounted: (flags & ChangeFlag.Unmounted) !== 0,
  };
  if (flags & ChangeFlag.Parent) {
    change.parent = getU64(value, 20);
    change.name = value.toString('latin1', CHANGE_HEAD, names);
  }
  if (flags & ChangeFlag.Parent2) {
    change.parent2 = getU64(value, 28);
    change.name2 = value.toString('latin1', names, names + value.readUInt16BE(86));
  }
  if (flags & ChangeFlag.Target) change.target = getU64(value, 36);
  if (flags & ChangeFlag.Exchange) change.exchange = true;
  return change;
}

/** What an inode number on the backing file system stands for now: node u64, btime i64 (ns), type u32. */
export interface Binding {
  node: number;
  /** Type bits of st_mode; 0 = not known yet. */
  type: number;
  /** Birth time of the inode; 0 = not known. */
  btime: bigint;
  /** The content that it has now was not captured. */
  uncaptured?: true;
}

/** Beside the type bits. */
const UNCAPTURED_BIT = 0x8000_0000;

export function encodeBinding(binding: Binding): Buffer {
  const value = Buffer.allocUnsafe(20);
  putU64(value, binding.node, 0);
  value.writeBigInt64BE(binding.btime, 8);
  value.writeUInt32BE(binding.type + (binding.uncaptured ? UNCAPTURED_BIT : 0), 16);
  return value;
}

export function decodeBinding(value: Buffer): Binding {
  if (value.length !== 20) throw corrupt(`an inode entry of ${value.length} bytes, expected 20`);
  const type = value.readUInt32BE(16);
  return { node: getU64(value, 0), btime: value.readBigInt64BE(8), type: type % UNCAPTURED_BIT, ...type >= UNCAPTURED_BIT && { uncaptured: true } };
}

/** A run of records in `times` (key: first seq): time of the first, then for each record its ns after it (u32). */
export function encodeTimes(first: bigint, deltas: number[]): Buffer {
  const value = Buffer.allocUnsafe(8 + 4 * deltas.length);
  value.writeBigUInt64BE(first, 0);
  deltas.forEach((delta, i) => value.writeUInt32BE(delta, 8 + 4 * i));
  return value;
}

export function decodeTimes(value: Buffer): { first: bigint; count: number; at(index: number): bigint } {
  const first = value.readBigUInt64BE(0);
  return { first, count: (value.length - 8) / 4, at: (index) => first + BigInt(value.readUInt32BE(8 + 4 * index)) };
}

/** What history's bytes cannot mean. */
export const corrupt = (what: string): RewindError =>
  new RewindError('ERR_HISTORY_CORRUPT', `history holds ${what}`, 'Restore the store from a copy; what the journal still holds is read from there again.');
