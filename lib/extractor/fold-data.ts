/**
 * Content: writes, truncations, holes -> block entries, cuts and content. Guarantees: a block's state at seq n is its
 * entries at or before n, newest full one first, with the patches after it laid over; a cut says that everything before it
 * reads as zero within its range. Equal content is stored once (found by XXH64, confirmed by its bytes). A chain of
 * patches is bounded: chains.ts replaces the newest entry of one that has grown too long by a full one.
 */
import { encodeFull, type Patch } from '../history/blocks.js';
import { hashOf } from '../history/hash.js';
import { blockKey, cutKey, u64Key } from '../history/keys.js';
import type { NodeId, Seq } from '../history/types.js';
import { BLOCK_BYTES, Codec, CONTENT_HEAD, INLINE_BYTES } from '../history/values.js';
import { blockId, type BlockId } from './ids.js';
import { bytesOf, type Piece } from './pieces.js';
import { payloadOf, type Record } from './record.js';
import { roomFor } from './runs.js';
import type { Bound, FoldState } from './state.js';

/** End of a cut that has none: up to the end of the file, however long it becomes. */
export const NO_END = Number.MAX_SAFE_INTEGER;
/** A longer chain of patches than this, in look-ups or in bytes, is replaced by a full entry. */
export const MAX_CHAIN = 64;
export const MAX_CHAIN_BYTES = 2 * BLOCK_BYTES;
/** What a patch counts for beside its bytes. */
const PATCH_BYTES = 8;
/** Up to this many blocks, zeroing a range gives every block an entry; above, one cut covers all. */
const MAX_ZEROED_BLOCKS = 256;

const NOTHING = Buffer.alloc(0);

/** Modes of fallocate(2). */
const Mode = { Punch: 2, Collapse: 8, Zero: 16, Insert: 32 } as const;

export function foldWrite(state: FoldState, record: Record, bound: Bound): void {
  if (record.payloadBytes > 0) state.seal.bytes(bound.node, record.seq, record.offset, payloadOf(record));
  for (const piece of record.pieces) putPiece(state, record, bound, piece);
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
  putFull(state, bound.node, 0, kept(state, target, 0n, seq));
}

/** From seq on, what was in [from, to) before reads as zero. */
export function cut(state: FoldState, node: NodeId, from: number, to: number, seq: Seq): void {
  state.sink.put('cuts', cutKey(node, seq, from), u64Key(to));
  state.images.zero(node, from, to);
}

/** Bytes longer than an entry holds are stored as content, once for equal ones; `piece.content` says where. */
export function storePiece(state: FoldState, piece: Piece): void {
  if (!isStored(piece)) return;
  const bytes = bytesOf(piece);
  if (piece.hash === null) {
    piece.content = storeContent(state, bytes, 0n);
    return;
  }
  const known = state.contents.get(piece.hash);
  if (known !== undefined && known.bytes.equals(bytes) && state.mayReuse(known.id)) {
    piece.content = known.id;
    return;
  }
  piece.content = storeContent(state, bytes, piece.hash);
  state.contents.set(piece.hash, { id: piece.content, bytes }, 0);
}

const isStored = ({ zero, length }: Piece): boolean => !zero && length > INLINE_BYTES;

/** New content; with a hash (not 0) it can be found again. */
export function storeContent(state: FoldState, bytes: Buffer, hash: bigint): number {
  const id = state.meta.nextContent++;
  const value = state.arena.take(CONTENT_HEAD + bytes.length);
  value[0] = Codec.Plain;
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
    storePiece(state, piece);
    putFull(state, bound.node, piece.block, piece);
    if (hot) state.images.set(id, bound.node, piece.block, piece.zero ? null : bytesOf(piece));
    return;
  }
  // Beyond the end as it was before nothing is to be seen: no chain there.
  if (bound.size >= 0 && start >= bound.size) {
    state.heads.set(id, { seq: record.seq, depth: 0, chainBytes: 0, run: null });
    if (hot) state.images.set(id, bound.node, piece.block, null);
  }
  putPatch(state, bound.node, id, piece);
}

/** All of a block; what was before counts no more. */
export function putFull(state: FoldState, node: NodeId, block: number, patch: Patch): void {
  state.sink.put('blocks', blockKey(node, block, patch.seq), encodeFull(patch));
  state.heads.set(blockId(node, block), { seq: patch.seq, depth: 0, chainBytes: 0, run: null });
}

function putPatch(state: FoldState, node: NodeId, id: BlockId, piece: Piece): void {
  let head = state.heads.get(id);
  if (head === undefined) state.heads.set(id, head = { seq: 0, depth: 0, chainBytes: 0, run: null });
  const stored = isStored(piece);
  const run = roomFor(head, stored || piece.zero ? 0 : piece.length);
  const depth = head.depth + (run === null ? 1 : 0) + (stored ? 1 : 0);
  const chainBytes = head.chainBytes + piece.length + PATCH_BYTES;
  const tooLong = depth >= MAX_CHAIN || chainBytes > MAX_CHAIN_BYTES;
  state.images.patch(id, piece);
  const image = tooLong ? state.images.get(id) : undefined;
  if (image !== undefined) {
    putFull(state, node, piece.block, wholeBlock(state, image, piece.seq));
    return;
  }
  storePiece(state, piece);
  head.seq = piece.seq;
  head.depth = depth;
  head.chainBytes = chainBytes;
  state.runs.patch(head, run, node, piece);
  if (tooLong) state.overlong.set(id, { node, block: piece.block });
}

/** A block made here, as an entry holds it: without the zeroes at its end. */
export function wholeBlock(state: FoldState, block: Buffer, seq: Seq): Patch {
  const bytes = trimZeroes(block);
  return kept(state, bytes, bytes.length <= INLINE_BYTES ? 0n : hashOf(bytes), seq);
}

/** These bytes from the start of a block on, here or as content. */
function kept(state: FoldState, bytes: Buffer, hash: bigint, seq: Seq): Patch {
  const { length } = bytes;
  const patch: Patch = { seq, offset: 0, length, zero: length === 0, content: 0, bytes, at: 0 };
  if (length > INLINE_BYTES) patch.content = storeContent(state, bytes, hash);
  return patch;
}

function trimZeroes(block: Buffer): Buffer {
  let length = block.length;
  while (length > 0 && block[length - 1] === 0) length--;
  return block.subarray(0, length);
}

/** Where zeroing up to `to` ends in a file of this size, -1 when it is not known: beyond its end there is nothing to be zeroed. */
export const endOfZeroes = (to: number, size: number): number => (size >= 0 ? Math.min(to, size) : to);

function zeroRange(state: FoldState, bound: Bound, from: number, to: number, seq: Seq): void {
  const end = endOfZeroes(to, bound.size);
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
    const piece: Piece = { seq, block, offset, length, zero: true, content: 0, bytes: NOTHING, at: 0, hash: null };
    if (length === BLOCK_BYTES) {
      putFull(state, bound.node, block, piece);
      state.images.zero(bound.node, start, start + BLOCK_BYTES);
    } else {
      putPatch(state, bound.node, blockId(bound.node, block), piece);
    }
  }
}
