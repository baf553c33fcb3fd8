/** A payload cut at block boundaries, with the hash of every piece that is worth looking for elsewhere. */
import xxhash from 'xxhash-wasm';
import { BLOCK_BYTES } from '../history/values.js';
import type { Record } from './record.js';
import type { Piece } from './state.js';

const { h64Raw } = await xxhash();

/** Shorter data is not looked up: the entry that shares it would cost about as much. */
const MIN_SHARED_BYTES = 4096;
const ZEROES = Buffer.alloc(BLOCK_BYTES);

/** XXH64 of these bytes; never 0, which means "not hashed". */
export const hashOf = (bytes: Buffer): bigint => h64Raw(bytes) || 1n;

/** The pieces of a write's or base-data's payload, ascending. */
export function piecesOf(record: Record): Piece[] {
  const pieces: Piece[] = [];
  const end = record.offset + record.payloadBytes;
  for (let from = record.offset; from < end;) {
    const block = Math.floor(from / BLOCK_BYTES);
    const length = Math.min(end, (block + 1) * BLOCK_BYTES) - from;
    const at = record.payloadAt + from - record.offset;
    const bytes = record.raw.subarray(at, at + length);
    const zero = isZero(bytes);
    const piece: Piece = { block, offset: from - block * BLOCK_BYTES, length, bytes, zero };
    if (!zero && length >= MIN_SHARED_BYTES) piece.hash = hashOf(bytes);
    pieces.push(piece);
    from += length;
  }
  return pieces;
}

function isZero(bytes: Buffer): boolean {
  return bytes[0] === 0 && bytes[bytes.length - 1] === 0 && bytes.compare(ZEROES, 0, bytes.length) === 0;
}
