/** A payload cut at block boundaries, with the hash of every piece that is worth looking for elsewhere. */
import type { Patch } from '../history/blocks.js';
import { hashOf } from '../history/hash.js';
import { BLOCK_BYTES } from '../history/values.js';
import type { Record } from './record.js';

/** A part of a payload that lies in one block. Its bytes lie in the payload; `content` is known once they are stored apart. */
export interface Piece extends Patch {
  block: number;
  /** XXH64, when it is long enough to look for a duplicate. */
  hash: bigint | null;
}

/** Its bytes, without copying. */
export const bytesOf = ({ bytes, at, length }: Piece): Buffer => bytes.subarray(at, at + length);

/** Shorter data is not looked up: the entry that shares it would cost about as much. */
const MIN_SHARED_BYTES = 4096;
const ZEROES = Buffer.alloc(BLOCK_BYTES);

/** The pieces of a write's or base-data's payload, ascending. */
export function piecesOf(record: Record): Piece[] {
  const end = record.offset + record.payloadBytes;
  const first = pieceAt(record, record.offset, end);
  if (first.length === record.payloadBytes) return [first];
  const pieces = [first];
  for (let from = record.offset + first.length; from < end;) {
    const piece = pieceAt(record, from, end);
    pieces.push(piece);
    from += piece.length;
  }
  return pieces;
}

/** From there on up to `end`, or to the end of the block. */
function pieceAt(record: Record, from: number, end: number): Piece {
  const block = Math.floor(from / BLOCK_BYTES);
  const length = Math.min(end, (block + 1) * BLOCK_BYTES) - from;
  const at = record.payloadAt + from - record.offset;
  const zero = isZero(record.raw, at, length);
  const hash = !zero && length >= MIN_SHARED_BYTES ? hashOf(record.raw.subarray(at, at + length)) : null;
  return { seq: record.seq, block, offset: from - block * BLOCK_BYTES, length, zero, content: 0, bytes: record.raw, at, hash };
}

/** As much of a piece as lies before `length`. */
export function cutPiece(piece: Piece, length: number): Piece {
  if (piece.length <= length) return piece;
  const { bytes, at } = piece;
  const zero = isZero(bytes, at, length);
  return { ...piece, length, zero, hash: !zero && length >= MIN_SHARED_BYTES ? hashOf(bytes.subarray(at, at + length)) : null };
}

function isZero(bytes: Buffer, at: number, length: number): boolean {
  return bytes[at] === 0 && bytes[at + length - 1] === 0 && bytes.compare(ZEROES, 0, length, at, at + length) === 0;
}
