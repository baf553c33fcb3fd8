/**
 * An archive without its end, read from the beginning: what of it is whole. Guarantees: memory is that of the names in it;
 * only frames with the checksum that they were written with count, up to the first that has another.
 */
import type { FileHandle } from 'node:fs/promises';
import { RewindError } from '../errors.js';
import type { Name, NodeId } from '../history/types.js';
import { safeForTerminal, showPath } from '../paths.js';
import { S_IFDIR } from '../recovery/compare.js';
import { damaged } from './errors.js';
import { BLOCK_BYTES, decodeFrame, decodeFrameHead, END_BYTES, FIRST_LINE, FRAME_HEAD, Kind } from './format.js';
import { decodeListing, typeOf, unpackNodes, type ArchiveNode, type Extent } from './records.js';

/** Blocks of content that are kept for the listings that lie in them. */
const KEPT_BLOCKS = 64;

/** What a scan found. */
export interface Scanned {
  /** Bytes that are whole from the beginning on. */
  whole: number;
  size: number;
  /** More follows, which is no frame, or not as it was written: not cut short, damaged. */
  damage: string | null;
  /** Objects that are whole, and where the last of them lies; null when that is not known. */
  objects: number;
  last: Name[] | null;
}

/** Reads frames until one is not whole. */
export async function scan(handle: FileHandle, size: number): Promise<Scanned> {
  const found: Scanned = { whole: Math.min(size, FIRST_LINE.length), size, damage: null, objects: 0, last: null };
  const names = new Names();
  try {
    for (let next = await nextFrame(handle, found.whole, size); next; next = await nextFrame(handle, found.whole, size)) {
      if (next.kind === Kind.Content) names.block(next.number, next.bytes);
      if (next.kind === Kind.Nodes) {
        const nodes = [...unpackNodes(next.bytes)];
        for (const node of nodes) found.last = names.node(node);
        found.objects += nodes.length;
      }
      found.whole += next.length;
      if (next.kind !== Kind.Top) continue;
      if (size - found.whole >= END_BYTES) found.damage = 'its end is not as it was written';
      break;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw error;
    found.damage = (error as Error).message;
  }
  return found;
}

interface Frame { kind: Kind; number: number; bytes: Buffer; length: number }

/** null: the file ends within it. @throws Broken, and what decoding throws */
async function nextFrame(handle: FileHandle, at: number, size: number): Promise<Frame | null> {
  if (at + FRAME_HEAD > size) return null;
  const { buffer } = await handle.read(Buffer.alloc(FRAME_HEAD), 0, FRAME_HEAD, at);
  const head = decodeFrameHead(buffer);
  const length = FRAME_HEAD + head.stored;
  if (at + length > size) return null;
  const frame = await handle.read(Buffer.alloc(length), 0, length, at);
  return { kind: head.kind, number: head.number, bytes: decodeFrame(frame.buffer, head), length };
}

/** Where objects lie, as far as the directories that came before them say. */
class Names {
  private readonly blocks = new Map<number, Buffer>();
  private readonly above = new Map<NodeId, { parent: NodeId; name: Name }>();

  block(number: number, bytes: Buffer): void {
    this.blocks.set(number, bytes);
    if (this.blocks.size > KEPT_BLOCKS) this.blocks.delete(this.blocks.keys().next().value!);
  }

  node({ node, attr, listed, extents }: ArchiveNode): Name[] | null {
    if (typeOf(attr.mode) === S_IFDIR && listed <= KEPT_BLOCKS * BLOCK_BYTES) {
      const listing = Buffer.concat(extents.map((extent) => this.contentOf(extent)));
      if (listing.length === listed) for (const entry of decodeListing(listing)) this.above.set(entry.node, { parent: node, name: entry.name });
    }
    return this.pathOf(node);
  }

  private contentOf({ length, block, at }: Extent): Buffer {
    const blocks = Array.from({ length: Math.ceil((at + length) / BLOCK_BYTES) }, (_, i) => this.blocks.get(block! + i) ?? Buffer.alloc(0));
    return Buffer.concat(blocks).subarray(at, at + length);
  }

  private pathOf(node: NodeId): Name[] | null {
    const path: Name[] = [];
    for (let at = this.above.get(node); at; at = this.above.get(at.parent)) {
      path.unshift(at.name);
      if (path.length > 4096) return null;
    }
    return path.length > 0 ? path : null;
  }
}

/** What to say of an archive without its end. */
export function tellCut(file: string, { whole, size, damage, objects, last }: Scanned): RewindError {
  if (damage !== null) return damaged(file, whole, damage);
  const upTo = last === null ? '' : `, the last of them ${safeForTerminal(showPath(last))}`;
  return new RewindError('ERR_ARCHIVE_CUT', `${safeForTerminal(file)} is cut short: it ends after ${size} bytes, of which ${whole} are whole; they describe ${objects} objects${upTo}`,
    'Whoever wrote it was stopped, or its disk was full: take another copy, or export again.');
}
