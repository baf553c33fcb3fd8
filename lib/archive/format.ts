/**
 * The bytes of an archive, as docs/archive.md says: a first line, frames, and an end of fixed length. Guarantees: what was
 * encoded is what is decoded; a frame or an end of which one bit differs is refused; nothing takes more memory than its kind
 * of frame may, whatever its lengths say.
 */
import { Broken, bytesIn, encodeFrame, FRAME_HEAD, headIn, type FrameHead as AnyFrameHead, type MostBytes } from '../history/frame.js';
import { hashOf } from '../history/hash.js';

export { Broken, encodeFrame, FRAME_HEAD };

/** Of this format. Another one has another number. */
export const FIRST_LINE = Buffer.from('rewindfs archive 1\n');
/** What every archive begins with, whatever its format. */
const ANY_FIRST_LINE = /^rewindfs archive (\d{1,9})\n/;

/** Bytes of content in a block. */
export const BLOCK_BYTES = 128 << 10;

/** What a frame holds. Content and nodes are blocks, numbered together; the pages of each table count for themselves. */
export const enum Kind { Head = 1, Content = 2, Nodes = 3, Places = 4, Index = 5, Top = 6 }

/** Most bytes that a frame may hold, decoded. */
const MOST_BYTES: MostBytes & Record<Kind, number> = {
  [Kind.Head]: 1 << 20, [Kind.Content]: BLOCK_BYTES, [Kind.Nodes]: 64 << 20, [Kind.Places]: 1 << 20, [Kind.Index]: 1 << 20, [Kind.Top]: 64 << 20,
};

/** Most bytes of any frame, as it lies there. */
export const mostFrameBytes = (kind: Kind): number => FRAME_HEAD + MOST_BYTES[kind];

/** The number of the format that these bytes begin with; null when they begin no archive. */
export function formatOf(bytes: Buffer): number | null {
  const match = ANY_FIRST_LINE.exec(bytes.toString('latin1', 0, 40));
  return match && Number(match[1]);
}

/** What a frame says of itself. */
export interface FrameHead extends AnyFrameHead { kind: Kind }

/** The head of a frame, of which no more need be there. @throws Broken */
export const decodeFrameHead = (bytes: Buffer): FrameHead => headIn(bytes, MOST_BYTES);

/** What a whole frame holds. @throws Broken */
export const decodeFrame = (frame: Buffer, head: FrameHead): Buffer => bytesIn(frame, head, MOST_BYTES);

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
