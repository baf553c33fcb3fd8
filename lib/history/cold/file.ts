/**
 * The bytes of a file of cold content, as docs/cold.md says: a first line, a frame that says whose it is, and a frame for each
 * content, which holds its value as the database held it. Guarantee: what cannot be one is refused, and what belongs to
 * another file, store or content is told from what was asked for.
 */
import { Broken, bytesIn, encodeFrame, FRAME_HEAD, headIn, type FrameHead, type MostBytes } from '../frame.js';
import { getU64, putU64 } from '../keys.js';
import { BLOCK_BYTES, CONTENT_HEAD, dictionaryOf } from '../values.js';

const FIRST_LINE = Buffer.from('rewindfs cold 1\n');

/** Beside the kinds of an archive. What is erased was a content, and is nothing now. */
export const enum ColdKind { Head = 1, Content = 7, Erased = 8 }

const ID_BYTES = 8;
/** A value: at most a block as it is, or in a frame of zstd that is no larger by much. */
const MOST_VALUE_BYTES = 2 * BLOCK_BYTES;
const MOST_BYTES: MostBytes = { [ColdKind.Head]: 256, [ColdKind.Content]: ID_BYTES + MOST_VALUE_BYTES, [ColdKind.Erased]: ID_BYTES + MOST_VALUE_BYTES };

/** Bytes with which any beginning of a file can be read. */
export const MOST_FILE_HEAD = FIRST_LINE.length + FRAME_HEAD + MOST_BYTES[ColdKind.Head]!;
/** Bytes of any frame, at most and at least. */
export const MOST_FRAME = FRAME_HEAD + MOST_BYTES[ColdKind.Content]!;
export const LEAST_FRAME = FRAME_HEAD;

/** Whose a file is: the store's id, its number there, and what tells it from another one of that number (a copy of the store may go on by itself). */
export interface ColdOwner { store: string; file: number; tag: string }

export function encodeFileHead({ store, file, tag }: ColdOwner): Buffer {
  return Buffer.concat([FIRST_LINE, encodeFrame(ColdKind.Head, file, Buffer.from(`${JSON.stringify({ store, tag })}\n`), true)]);
}

/** Whose a file is, and how many bytes say so; from its first MOST_FILE_HEAD bytes. @throws Broken */
export function decodeFileHead(bytes: Buffer): ColdOwner & { length: number } {
  if (!bytes.subarray(0, FIRST_LINE.length).equals(FIRST_LINE) || bytes.length < FIRST_LINE.length + FRAME_HEAD) throw new Broken('no file of cold content');
  const frame = bytes.subarray(FIRST_LINE.length);
  const head = headIn(frame, MOST_BYTES);
  if (head.kind !== ColdKind.Head) throw new Broken('a file that does not say whose it is');
  const { store, tag } = JSON.parse(bytesIn(frame.subarray(0, FRAME_HEAD + head.stored), head, MOST_BYTES).toString()) as Partial<ColdOwner>;
  if (typeof store !== 'string' || typeof tag !== 'string') throw new Broken('a file that does not say whose it is');
  return { store, tag, file: head.number, length: FIRST_LINE.length + FRAME_HEAD + head.stored };
}

/** The frame of a content. */
export function encodeContentFrame(file: number, id: number, value: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(ID_BYTES + value.length);
  putU64(bytes, id, 0);
  value.copy(bytes, ID_BYTES);
  return encodeFrame(ColdKind.Content, file, bytes, true);
}

/** A frame as long as this one, of which nothing is left. */
export const erasedFrame = (file: number, length: number): Buffer => encodeFrame(ColdKind.Erased, file, Buffer.alloc(length - FRAME_HEAD), true);

/** The head of a frame of contents. @throws Broken */
export function decodeContentHead(bytes: Buffer, file: number): FrameHead {
  const head = headIn(bytes, MOST_BYTES);
  if (head.kind === ColdKind.Head || head.number !== file) throw new Broken('no frame of this file');
  return head;
}

/** The content that a frame holds; null when it was erased. @throws Broken */
export function decodeContentFrame(frame: Buffer, file: number): { id: number; value: Buffer } | null {
  const head = decodeContentHead(frame, file);
  const bytes = bytesIn(frame, head, MOST_BYTES);
  if (head.kind === ColdKind.Erased) return null;
  if (bytes.length < ID_BYTES + CONTENT_HEAD) throw new Broken('a frame too short for content');
  return { id: getU64(bytes, 0), value: bytes.subarray(ID_BYTES) };
}

/** The value that a reference stands for. @throws Broken */
export function valueIn(frame: Buffer, file: number, id: number, reference: Buffer): Buffer {
  const found = decodeContentFrame(frame, file);
  if (found === null) throw new Broken(`what was content ${id} until it was erased`);
  const { id: there, value } = found;
  if (there !== id) throw new Broken(`content ${there}, expected ${id}`);
  if (!value.subarray(1, CONTENT_HEAD).equals(reference.subarray(1, CONTENT_HEAD)) || dictionaryOf(value) !== dictionaryOf(reference)) throw new Broken(`content ${id} with another hash or base than it had`);
  return value;
}
