/**
 * Frames: bytes that say how many they are, of which kind, and what they hash to; archives (lib/archive) and the files of cold
 * content (cold/file.ts) are made of them. Guarantees: what was encoded is what is decoded; a frame of which one bit differs
 * is refused; none takes more memory than its kind may, whatever its lengths say.
 */
import { hashOf } from './hash.js';
import { compress, decompress } from './zstd.js';

/** Bytes of a frame before what it holds: XXH64 of all that follows, u8 kind, u8 codec, u16 zero, u32 number, u32 bytes that follow, u32 bytes that they are once decoded. */
export const FRAME_HEAD = 24;
const CODEC_PLAIN = 0;
const CODEC_ZSTD = 1;
const LEVEL = 3;

/** Most bytes that a frame of each kind may hold, decoded; of other kinds there are none. */
export type MostBytes = Readonly<Record<number, number>>;

/** What the bytes of a file of frames cannot mean; where they lie is added by who reads them. */
export class Broken extends Error {}

/** What a frame says of itself. */
export interface FrameHead { kind: number; codec: number; number: number; stored: number; raw: number }

/** A frame. What is larger compressed lies there as it is, and so does all of which that is said beforehand. */
export function encodeFrame(kind: number, number: number, bytes: Buffer, plain = false): Buffer {
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
export function headIn(bytes: Buffer, mostBytes: MostBytes): FrameHead {
  const head = { kind: bytes.readUInt8(8), codec: bytes.readUInt8(9), number: bytes.readUInt32BE(12), stored: bytes.readUInt32BE(16), raw: bytes.readUInt32BE(20) };
  const most = mostBytes[head.kind];
  if (most === undefined || head.codec > CODEC_ZSTD || bytes.readUInt16BE(10) !== 0) throw new Broken('no frame');
  if (head.raw > most || head.stored > most) throw new Broken(`a frame of ${Math.max(head.raw, head.stored)} bytes, at most ${most} may be in one of its kind`);
  return head;
}

/** What a whole frame holds. @throws Broken */
export function bytesIn(frame: Buffer, head: FrameHead, mostBytes: MostBytes): Buffer {
  if (frame.length !== FRAME_HEAD + head.stored) throw new Broken(`a frame of ${frame.length} bytes that says it has ${FRAME_HEAD + head.stored}`);
  if (hashOf(frame.subarray(8)) !== frame.readBigUInt64BE(0)) throw new Broken('a frame with another checksum than it was written with');
  const stored = frame.subarray(FRAME_HEAD);
  const bytes = head.codec === CODEC_PLAIN ? stored : decompress(stored, mostBytes[head.kind]!);
  if (bytes.length !== head.raw) throw new Broken(`a frame that holds ${bytes.length} bytes and says ${head.raw}`);
  return bytes;
}
