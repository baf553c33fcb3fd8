/**
 * Content: writes, truncations, holes -> block entries, cuts and content. Guarantees: a block's state at seq n is its
 * entries at or before n, newest full one first, with the patches after it laid over; a cut says that everything before it
 * reads as zero within its range. Equal content is stored once (found by XXH64, confirmed by its bytes). A chain of
 * patches is bounded: chains.ts replaces the newest entry of one that has grown too long by a full one.
 */
import { blockKey, cutKey, u64Key } from '../history/keys.js';
import type { NodeId, Seq } from '../history/types.js';
import { BLOCK_BYTES, CONTENT_HEAD, encodeBlock, INLINE_BYTES, type BlockEntry } from '../history/values.js';
import { hashOf } from './pieces.js';
import type { Record } from './record.js';
import { blockId, type Bound, type FoldState, type Piece } from './state.js';

/** End of a cut that has none: up to the end of the file, however long it becomes. */
export const NO_END = Number.MAX_SAFE_INTEGER;
/** A longer chain of patches than this, in number or in bytes, is replaced by a full entry. */
export const MAX_CHAIN = 64;
export const MAX_CHAIN_BYTES = 2 * BLOCK_BYTES;
/** Up to this many blocks, zeroing a range gives every block an entry; above, one cut covers all. */
const MAX_ZEROED_BLOCKS = 256;

const NOTHING = Buffer.alloc(0);

/** Modes of fallocate(2). */
const Mode = { Punch: 2, Collapse: 8, Zero: 16, Insert: 32 } as const;

export function foldWrite(state: FoldState, record: Record, bound: Bound): void {
  for (const piece of state.looked.pieces.get(record.seq) ?? []) putPiece(state, record, bound, piece);
  if (record.attrAt === 0 && bound.size >= 0) bound.size = Math.max(bound.size, record.offset + record.payloadBytes);
}

export function foldTruncate(state: FoldState, record: Record, bound: Bound): void {
  if (bound.size < 0 || bound.size > record.length) cut(state, bound.node, record.length, NO_END, record.seq);
  bound.size = record.length;
}

export function foldFallocate(state: FoldState, record: Record, bound: Bound): void {
  const mode = record.aux;
  // The writes that follow bring the content that collapse and insert have moved.
  if (movesContent(mode)) cut(state, bound.node, record.offset, NO_END, record.seq);
  else if (mode & (Mode.Punch | Mode.Zero)) zeroRange(state, bound, record.offset, record.offset + record.length, record.seq);
}

/** Does fallocate(2) with this mode move content to other places? */
export const movesContent = (mode: number): boolean => (mode & (Mode.Collapse | Mode.Insert)) !== 0;

/** A symlink's target is its content. */
export function foldLinkTarget(state: FoldState, bound: Bound, target: Buffer, seq: Seq): void {
  const data = target.length <= INLINE_BYTES ? target : { content: storeContent(state, target, 0n) };
  state.sink.put('blocks', blockKey(bound.node, 0, seq), encodeBlock({ kind: 'full', depth: 0, chainBytes: 0, offset: 0, length: target.length, data }));
}

/** From seq on, what was in [from, to) before reads as zero. */
export function cut(state: FoldState, node: NodeId, from: number, to: number, seq: Seq): void {
  state.sink.put('cuts', cutKey(node, seq, from), u64Key(to));
  state.images.zero(node, from, to);
}

/** Where a piece's bytes are kept. */
export function dataOf(state: FoldState, piece: Piece): BlockEntry['data'] {
  if (piece.zero) return null;
  const { bytes } = piece;
  if (piece.length <= INLINE_BYTES) return bytes;
  if (piece.hash === undefined) return { content: storeContent(state, bytes, 0n) };
  const known = state.content(piece.hash);
  if (known !== undefined && known.bytes.equals(bytes)) return { content: known.id };
  const id = storeContent(state, bytes, piece.hash);
  state.fresh.set(piece.hash, { id, bytes });
  return { content: id };
}

/** New content; with a hash (not 0) it can be found again. */
export function storeContent(state: FoldState, bytes: Buffer, hash: bigint): number {
  const id = state.meta.nextContent++;
  const value = state.arena.take(CONTENT_HEAD + bytes.length);
  value[0] = 0;
  value.writeBigUInt64BE(hash, 1);
  bytes.copy(value, CONTENT_HEAD);
  const key = u64Key(id);
  state.sink.put('content', key, value);
  if (hash !== 0n) state.sink.put('hashes', value.subarray(1, CONTENT_HEAD), key);
  return id;
}

function putPiece(state: FoldState, record: Record, bound: Bound, piece: Piece): void {
  const start = piece.block * BLOCK_BYTES;
  const end = start + piece.offset + piece.length;
  const id = blockId(bound.node, piece.block);
  const hot = state.images.isHot(record.ino, piece.block);
  // What reaches the end of the file as it was before leaves nothing of the block to be seen.
  const whole = piece.offset === 0 && (piece.length === BLOCK_BYTES || (bound.size >= 0 && end >= bound.size));
  if (whole) {
    putFull(state, bound.node, piece.block, record.seq, piece.length, dataOf(state, piece));
    if (hot) state.images.set(id, bound.node, piece.block, piece.zero ? null : piece.bytes);
    return;
  }
  // Beyond the end as it was before nothing is to be seen: no chain there.
  if (bound.size >= 0 && start >= bound.size) {
    state.heads.set(id, { seq: record.seq, depth: 0, chainBytes: 0 });
    if (hot) state.images.set(id, bound.node, piece.block, null);
  }
  putPatch(state, bound.node, piece, record.seq);
}

function putFull(state: FoldState, node: NodeId, block: number, seq: Seq, length: number, data: BlockEntry['data']): void {
  state.sink.put('blocks', blockKey(node, block, seq), encodeBlock({ kind: 'full', depth: 0, chainBytes: 0, offset: 0, length, data }));
  state.heads.set(blockId(node, block), { seq, depth: 0, chainBytes: 0 });
}

function putPatch(state: FoldState, node: NodeId, piece: Piece, seq: Seq): void {
  const id = blockId(node, piece.block);
  const head = state.heads.get(id);
  const depth = (head?.depth ?? 0) + 1;
  const chainBytes = (head?.chainBytes ?? 0) + piece.length;
  const tooLong = depth >= MAX_CHAIN || chainBytes > MAX_CHAIN_BYTES;
  state.images.patch(id, piece.offset, piece.length, piece.zero ? null : piece.bytes);
  const image = tooLong ? state.images.get(id) : undefined;
  if (image !== undefined) {
    const bytes = trimZeroes(image);
    putFull(state, node, piece.block, seq, bytes.length, keep(state, bytes));
    return;
  }
  const entry = { kind: 'patch' as const, depth, chainBytes, offset: piece.offset, length: piece.length, data: dataOf(state, piece) };
  state.sink.put('blocks', blockKey(node, piece.block, seq), encodeBlock(entry));
  state.heads.set(id, { seq, depth, chainBytes });
  if (tooLong) state.overlong.set(id, { node, block: piece.block });
}

/** Where the bytes of a block made here are kept. */
export function keep(state: FoldState, bytes: Buffer): BlockEntry['data'] {
  if (bytes.length === 0) return null;
  return bytes.length <= INLINE_BYTES ? Buffer.from(bytes) : { content: storeContent(state, bytes, hashOf(bytes)) };
}

/** A block without the zeroes at its end, which a full entry need not hold. */
export function trimZeroes(block: Buffer): Buffer {
  let length = block.length;
  while (length > 0 && block[length - 1] === 0) length--;
  return block.subarray(0, length);
}

function zeroRange(state: FoldState, bound: Bound, from: number, to: number, seq: Seq): void {
  const end = bound.size >= 0 ? Math.min(to, bound.size) : to;
  if (end <= from) return;
  const last = Math.floor((end - 1) / BLOCK_BYTES);
  const first = Math.floor(from / BLOCK_BYTES);
  if (last - first >= MAX_ZEROED_BLOCKS) {
    cut(state, bound.node, from, end, seq);
    return;
  }
  for (let block = first; block <= last; block++) {
    const start = block * BLOCK_BYTES;
    const offset = Math.max(from - start, 0);
    const length = Math.min(end - start, BLOCK_BYTES) - offset;
    if (length === BLOCK_BYTES) {
      putFull(state, bound.node, block, seq, length, null);
      state.images.zero(bound.node, start, start + BLOCK_BYTES);
    } else {
      putPatch(state, bound.node, { block, offset, length, bytes: NOTHING, zero: true }, seq);
    }
  }
}
