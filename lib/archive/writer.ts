/**
 * Makes an archive, piece by piece: content and objects go in, frames come out, in an order in which whatever an object
 * names lies before it. Guarantees: what waits is bounded, whatever the size of a file; nothing but the table of objects
 * (24 bytes each) and one line for each 4,096 blocks is kept to the end.
 */
import { Packer } from '../history/packing.js';
import type { NodeId } from '../history/types.js';
import { BLOCK_BYTES, encodeEnd, encodeFrame, END_BYTES, FIRST_LINE, Kind, type End } from './format.js';
import { encodeHead, type Head } from './head.js';
import { packNode, type ArchiveNode, type Extent } from './records.js';
import { encodeIndex, encodePlaces, encodeTop, PAGE, type IndexPlace, type Place } from './tables.js';

/** Objects are written down when they, or their content since the last that were, come to so many bytes. */
const NODES_BYTES = 64 << 10;
const CONTENT_BYTES = 4 << 20;

export class ArchiveWriter {
  private out: Buffer[] = [];
  private at = 0;
  private blocks = 0;
  /** Small content that shares a block, not written yet. */
  private shared: Buffer[] = [];
  private sharedBytes = 0;
  private readonly nodes = new Packer();
  private waiting: { node: NodeId; at: number }[] = [];
  /** Content of what is written down. */
  private described = 0;
  /** Of the page that is being filled, and those that are written. */
  private places: Place[] = [];
  private readonly pages: Place[] = [];
  private readonly indexed = { node: [] as NodeId[], block: [] as number[], at: [] as number[] };
  private readonly sum: Pick<End, 'objects' | 'bytes' | 'missing'> = { objects: 0, bytes: 0, missing: 0 };

  /** @param encode makes a frame: `encodeFrame`, but for who wants a wrong one */
  constructor(head: Head, private readonly encode: typeof encodeFrame = encodeFrame) {
    this.put(FIRST_LINE);
    this.frame(Kind.Head, 0, encodeHead(head));
  }

  /** What is written since this was asked last. */
  take(): Buffer[] {
    const { out } = this;
    this.out = [];
    return out;
  }

  /** Content of a file from `offset` on, as extents of it. A piece of a larger file begins at a multiple of a block in its stretch. */
  content(offset: number, bytes: Buffer): Extent[] {
    if (bytes.length === 0) return [];
    if (bytes.length < BLOCK_BYTES) return [this.share(offset, bytes)];
    this.flushShared();
    const block = this.blocks;
    // What does not compress at its beginning is not tried further on: that would be most of the work, for nothing.
    let plain = false;
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      const part = bytes.subarray(at, at + BLOCK_BYTES);
      plain = this.block(Kind.Content, part, plain) > part.length;
    }
    this.sum.bytes += bytes.length;
    return [{ offset, length: bytes.length, block, at: 0 }];
  }

  /** An object whose content is all here. */
  node(one: ArchiveNode): void {
    this.waiting.push({ node: one.node, at: this.nodes.length });
    packNode(this.nodes, one);
    this.sum.objects++;
    if (one.missing !== null && one.attr.size > 0) this.sum.missing++;
    if (this.nodes.length >= NODES_BYTES || this.sum.bytes - this.described >= CONTENT_BYTES) this.flushNodes();
  }

  /** Nothing comes any more. */
  end(): void {
    this.flushNodes();
    if (this.places.length > 0) this.placesPage();
    const index = this.writeIndex();
    const top = this.at;
    this.frame(Kind.Top, 0, encodeTop({ blocks: this.blocks, places: this.pages, nodes: this.indexed.node.length, index }));
    this.put(encodeEnd({ top, length: this.at + END_BYTES, ...this.sum }));
  }

  private share(offset: number, bytes: Buffer): Extent {
    if (this.sharedBytes + bytes.length > BLOCK_BYTES) this.flushShared();
    const extent = { offset, length: bytes.length, block: this.blocks, at: this.sharedBytes };
    this.shared.push(bytes);
    this.sharedBytes += bytes.length;
    this.sum.bytes += bytes.length;
    return extent;
  }

  private flushShared(): void {
    if (this.sharedBytes === 0) return;
    this.block(Kind.Content, Buffer.concat(this.shared));
    this.shared = [];
    this.sharedBytes = 0;
  }

  /** What objects name is whole before they are. */
  private flushNodes(): void {
    this.flushShared();
    if (this.waiting.length === 0) return;
    for (const { node, at } of this.waiting) {
      this.indexed.node.push(node);
      this.indexed.block.push(this.blocks);
      this.indexed.at.push(at);
    }
    this.block(Kind.Nodes, this.nodes.packed());
    this.nodes.clear();
    this.waiting = [];
    this.described = this.sum.bytes;
  }

  /** Answers how many bytes it takes. */
  private block(kind: Kind.Content | Kind.Nodes, bytes: Buffer, plain = false): number {
    const place = this.frame(kind, this.blocks++, bytes, plain);
    this.places.push(place);
    if (this.places.length === PAGE) this.placesPage();
    return place.length;
  }

  private placesPage(): void {
    this.pages.push(this.frame(Kind.Places, this.pages.length, encodePlaces(this.places)));
    this.places = [];
  }

  private writeIndex(): IndexPlace[] {
    const { node, block, at } = this.indexed;
    const order = Uint32Array.from(node.keys()).sort((a, b) => node[a]! - node[b]!);
    const pages: IndexPlace[] = [];
    for (let from = 0; from < order.length; from += PAGE) {
      const entries = Array.from(order.subarray(from, from + PAGE), (i) => ({ node: node[i]!, block: block[i]!, at: at[i]! }));
      pages.push({ ...this.frame(Kind.Index, pages.length, encodeIndex(entries)), first: entries[0]!.node });
    }
    return pages;
  }

  private frame(kind: Kind, number: number, bytes: Buffer, plain = false): Place {
    const frame = this.encode(kind, number, bytes, plain);
    const place = { at: this.at, length: frame.length };
    this.put(frame);
    return place;
  }

  private put(bytes: Buffer): void {
    this.out.push(bytes);
    this.at += bytes.length;
  }
}
