/**
 * Bytes of the few blocks that one batch patches again and again, so that the fold can write a full entry in the middle of
 * the batch. Guarantee: an image is the block as the fold would read it now, or there is none; those that the next batch
 * patches as often stay.
 */
import type { NodeId } from '../history/types.js';
import { BLOCK_BYTES } from '../history/values.js';
import { blockId, type BlockId } from './ids.js';
import type { Piece } from './pieces.js';

interface Image { node: NodeId; block: number; bytes: Buffer }

/** A block is hot when a batch brings this many patches with content of their own, or this many bytes, for it: few can be. */
export const HOT_PATCHES = 64;
export const HOT_BYTES = 4 * BLOCK_BYTES;

export class Images {
  /** `blockId` of inode numbers and blocks hot in this batch: a hint, it says nothing of which object bears the number. */
  private hot: ReadonlySet<BlockId> = new Set();
  private readonly images = new Map<BlockId, Image>();

  /** For another batch: its hot blocks, and which images of before are of one of them. */
  begin(hot: ReadonlySet<BlockId>, kept: ReadonlySet<BlockId>): void {
    this.hot = hot;
    for (const id of this.images.keys()) if (!kept.has(id)) this.images.delete(id);
  }

  isHot(ino: number, block: number): boolean {
    return this.hot.size > 0 && this.hot.has(blockId(ino, block));
  }

  get(id: BlockId): Buffer | undefined {
    return this.images.get(id)?.bytes;
  }

  /** The block holds these bytes, then zeroes. */
  set(id: BlockId, node: NodeId, block: number, content: Buffer | null): void {
    const bytes = this.images.get(id)?.bytes ?? Buffer.alloc(BLOCK_BYTES);
    bytes.fill(0, content?.length ?? 0);
    content?.copy(bytes);
    this.images.set(id, { node, block, bytes });
  }

  patch(id: BlockId, { offset, length, zero, bytes, at }: Piece): void {
    const image = this.images.size === 0 ? undefined : this.images.get(id);
    if (image === undefined) return;
    if (zero) image.bytes.fill(0, offset, offset + length);
    else bytes.copy(image.bytes, offset, at, at + length);
  }

  /** [from, to) of the file is zero from now on. */
  zero(node: NodeId, from: number, to: number): void {
    for (const image of this.images.values()) {
      if (image.node !== node) continue;
      const start = image.block * BLOCK_BYTES;
      const [first, end] = [Math.max(from - start, 0), Math.min(to - start, BLOCK_BYTES)];
      if (first < end) image.bytes.fill(0, first, end);
    }
  }

  /** What lay under the images has come to light only now: they are no longer known. */
  drop(node: NodeId): void {
    for (const [id, image] of this.images) if (image.node === node) this.images.delete(id);
  }
}
