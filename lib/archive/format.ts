/**
 * The bytes of an archive, as docs/archive.md says: a first line, frames, and an end of fixed length. Guarantees: what was
 * encoded is what is decoded; a frame or an end of which one bit differs is refused; nothing takes more memory than its kind
 * of frame may, whatever its lengths say.
 */
import { hashOf } from '../history/hash.js';
import { compress, decompress } from '../history/zstd.js';

/** Of this format. Another one has another number. */
export const FIRST_LINE = Buffer.from('rewindfs archive 1\n');
/** What every archive begins with, whatever its format. */
const ANY_FIRST_LINE = /^rewindfs archive (\d{1,9})\n/;

/** Bytes of content in a block. */
export const BLOCK_BYTES = 128 << 10;

/** What a frame holds. Content and nodes are blocks, numbered together; the pages of each table count for themselves. */
export const enum Kind { Head = 1, Content = 2, Nodes = 3, Places = 4, Index = 5, Top = 6 }

/** Bytes of a frame before what it holds: XXH64 of all that follows, u8 kind, u8 codec, u16 zero, u32 number, u32 bytes that follow, u32 bytes that they are once decoded. */
export const FRAME_HEAD = 24;
const CODEC_PLAIN = 0;
const CODEC_ZSTD = 1;
const LEVEL = 3;

/** Most bytes that a frame may hold, decoded. */
const MOST_BYTES: Record<Kind, number> = {
  [Kind.Head]: 1 << 20, [Kind.Content]: BLOCK_BYTES, [Kind.Nodes]: 64 << 20, [Kind.Places]: 1 << 20, [Kind.Index]: 1 << 20, [Kind.Top]: 64 << 20,
};

/** Most bytes of any frame, as it lies there. */
export const mostFrameBytes = (kind: Kind): number => FRAME_HEAD + MOST_BYTES[kind];

/** What the bytes of an archive cannot mean; where they lie is added by who reads them. */
export class Broken extends Error {}

/** The number of the format that these bytes begin with; null when they begin no archive. */
export function formatOf(bytes: Buffer): number | null {
  const match = ANY_FIRST_LINE.exec(bytes.toString('latin1', 0, 40));
  return match && Number(match[1]);
}

/** What a frame says of itself. */
export interface FrameHead { kind: Kind; codec: number; number: number; stored: number; raw: number }

/** A frame. What is larger compressed lies there as it is, and so does all of which that is said beforehand. */
export function encodeFrame(kind: Kind, number: number, bytes: Buffer, plain = false): Buffer {
  const packed = plain ? bytes : compress(bytes, LEVEL);
  const [codec, stored] = packed.length < bytes.length ? [CODEC_ZSTD, packed] : [CODEC_PLAIN, bytes];
  const frame = Buffer.allocUnsafe(FRAME_HEAD + stored.length);
  frame.writeUInt8(kind, 8);
  frame.writeUInt8(codec, 9);
  frame.writeUInt16BE(0, 10);
  frame.writeUInt32BE(number, 12);
  frame.writeUInt32BE(stored.length, 16);
  frame.writeUInt32BE(bytes.length, 20);
  stored.copy(frame, FRAME_HEAD);
  frame.writeBigUInt64BE(hashOf(frame.subarray(8)), 0);
  return frame;
}

/** The head of a frame, of which no more need be there. @throws Broken */
export function decodeFrameHead(bytes: Buffer): FrameHead {
  const head = { kind: bytes.readUInt8(8) as Kind, codec: bytes.readUInt8(9), number: bytes.readUInt32BE(12), stored: bytes.readUInt32BE(16), raw: bytes.readUInt32BE(20) };
  const most = MOST_BYTES[head.kind];
  if (most === undefined || head.codec > CODEC_ZSTD || bytes.readUInt16BE(10) !== 0) throw new Broken('no frame');
  if (head.raw > most || head.stored > most) throw new Broken(`a frame of ${Math.max(head.raw, head.stored)} bytes, at most ${most} may be in one of its kind`);
  return head;
}

/** What a whole frame holds. @throws Broken */
export function decodeFrame(frame: Buffer, head: FrameHead): Buffer {
  if (frame.length !== FRAME_HEAD + head.stored) throw new Broken(`a frame of ${frame.length} bytes that says it has ${FRAME_HEAD + head.stored}`);
  if (hashOf(frame.subarray(8)) !== frame.readBigUInt64BE(0)) throw new Broken('a frame with another checksum than it was written with');
  const stored = frame.subarray(FRAME_HEAD);
  const bytes = head.codec === CODEC_PLAIN ? stored : decompress(stored, MOST_BYTES[head.kind]);
  if (bytes.length !== head.raw) throw new Broken(`a frame that holds ${bytes.length} bytes and says ${head.raw}`);
  return bytes;
}

/** What the end of an archive says of the whole. */
export interface End {
  /** Where the top of its tables lies. */
  top: number;
  /** Bytes of the archive, the end among them. */
  length: number;
  /** Objects that are described here, bytes of their content that lie here, and files of them without their content. */
  objects: number;
  bytes: number;
  missing: number;
}

const END_MAGIC = 'rwa-end1';
/** Bytes of the end: XXH64 of all that follows, five u64, eight characters. */
export const END_BYTES = 56;

/** The end of an archive. */
export function encodeEnd({ top, length, objects, bytes, missing }: End): Buffer {
  const end = Buffer.alloc(END_BYTES);
  [top, length, objects, bytes, missing].forEach((value, i) => end.writeBigUInt64BE(BigInt(value), 8 + 8 * i));
  end.write(END_MAGIC, 48, 'latin1');
  end.writeBigUInt64BE(hashOf(end.subarray(8)), 0);
  return end;
}

/** null: these are not the last bytes of an archive. */
export function decodeEnd(bytes: Buffer): End | null {
  if (bytes.length !== END_BYTES || bytes.toString('latin1', 48) !== END_MAGIC || hashOf(bytes.subarray(8)) !== bytes.readBigUInt64BE(0)) return null;
  const [top, length, objects, content, missing] = Array.from({ length: 5 }, (_, i) => Number(bytes.readBigUInt64BE(8 + 8 * i))) as [number, number, number, number, number];
  return { top, length, objects, bytes: content, missing };
}
