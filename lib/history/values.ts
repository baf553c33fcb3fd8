/**
 * The values of history that hold one thing, byte for byte as docs/history.md says (runs: attributes.ts, blocks.ts,
 * changes.ts). Guarantee: decode(encode(x)) equals x, and a value that cannot be one is refused with ERR_HISTORY_CORRUPT
 * instead of being read as something else.
 */
import { RewindError } from '../errors.js';
import { getU64, putU64 } from './keys.js';
import type { NodeAttr, Seq } from './types.js';

/** Bytes of content in a block; the same as in the journal. */
export const BLOCK_BYTES = 65536;
/** Data up to this length lies in the block entry itself instead of in `content`. */
export const INLINE_BYTES = 512;
/** An entry that says: from here on it is not there. */
export const TOMBSTONE = Buffer.alloc(0);
/** Bytes of a state in `nodes`: ino and the journal's attributes. One byte more, 1, says that the content was not captured. */
export const NODE_BYTES = 88;

const NS = 1_000_000_000n;

/** A state of `nodes`: u64 ino and Attr as in the journal, little-endian. */
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

/** Bytes before the rest of a `content` value: codec u8, XXH64 u64 (0 = not hashed, only as it is). */
export const CONTENT_HEAD = 9;
/**
 * How a `content` value holds its bytes (codec.ts): as they are; a zstd frame; varint id and u8 depth of another content, a frame
 * that needs its bytes; of one that lies in a cold file (cold/place.ts) the same two, 0 for none, and where.
 */
export const enum Codec { Plain = 0, Zstd = 1, Delta = 2, Cold = 3 }

/** The content whose bytes are needed to read this `content` value; 0 = none. */
export function dictionaryOf(value: Buffer): number {
  if (value[0] !== Codec.Delta && value[0] !== Codec.Cold) return 0;
  let id = 0;
  for (let at = CONTENT_HEAD, factor = 1; at < value.length; at++, factor *= 128) {
    id += (value[at]! & 127) * factor;
    if (value[at]! < 128 && Number.isSafeInteger(id) && (id > 0 || value[0] === Codec.Cold)) return id;
  }
  throw corrupt('content that is based on none');
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
  /** A mount found the content that it has now, and history does not hold all of it yet. */
  pending?: Pending;
}

/** Content from a mount on that history does not hold all of. */
export interface Pending {
  /** seq of that mount. */
  since: Seq;
  /** Some of it could not be read: what is read later may be of later. */
  lost: boolean;
}

/** Beside the type bits. */
const UNCAPTURED_BIT = 0x8000_0000;
const LOST_BIT = 0x4000_0000;
const TYPE_BITS = 0xffff;
const BINDING_BYTES = 20;

export function encodeBinding({ node, btime, type, uncaptured, pending }: Binding): Buffer {
  const value = Buffer.allocUnsafe(pending ? BINDING_BYTES + 8 : BINDING_BYTES);
  putU64(value, node, 0);
  value.writeBigInt64BE(btime, 8);
  value.writeUInt32BE(type + (uncaptured ? UNCAPTURED_BIT : 0) + (pending?.lost ? LOST_BIT : 0), 16);
  if (pending) putU64(value, pending.since, BINDING_BYTES);
  return value;
}

export function decodeBinding(value: Buffer): Binding {
  if (value.length !== BINDING_BYTES && value.length !== BINDING_BYTES + 8) throw corrupt(`an inode entry of ${value.length} bytes, expected ${BINDING_BYTES} or ${BINDING_BYTES + 8}`);
  const bits = value.readUInt32BE(16);
  return {
    node: getU64(value, 0), btime: value.readBigInt64BE(8), type: bits & TYPE_BITS, ...bits >= UNCAPTURED_BIT && { uncaptured: true },
    ...value.length > BINDING_BYTES && { pending: { since: getU64(value, BINDING_BYTES), lost: (bits & LOST_BIT) !== 0 } },
  };
}

/** A value of `nodes` whose states all have their content, which they had not before. */
export function withContent(value: Buffer): Buffer {
  if (value.length === NODE_BYTES + 1) return value.subarray(0, NODE_BYTES);
  const copy = Buffer.from(value);
  copy[NODE_BYTES] = 0;
  return copy;
}

/** A run of records in `times` (key: first seq): time of the first, then for each record its ns after it (u32). */
export function encodeTimes(first: bigint, deltas: number[]): Buffer {
  const value = new DataView(new ArrayBuffer(8 + 4 * deltas.length));
  value.setBigUint64(0, first);
  for (let i = 0; i < deltas.length; i++) value.setUint32(8 + 4 * i, deltas[i]!);
  return Buffer.from(value.buffer);
}

export function decodeTimes(value: Buffer): { first: bigint; count: number; at(index: number): bigint } {
  const first = value.readBigUInt64BE(0);
  return { first, count: (value.length - 8) / 4, at: (index) => first + BigInt(value.readUInt32BE(8 + 4 * index)) };
}

/** What history's bytes cannot mean. */
export const corrupt = (what: string): RewindError =>
  new RewindError('ERR_HISTORY_CORRUPT', `history holds ${what}`, 'Unmount, then `rewind repair`: what can be saved is, the rest is named and isolated.');

/** Is it that what history holds is damaged? */
export const isDamage = (error: unknown): error is RewindError => error instanceof RewindError && error.code === 'ERR_HISTORY_CORRUPT';
