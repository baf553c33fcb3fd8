/**
 * The tables of an archive: where each block lies, and in which block each object is described. They are cut into pages, so
 * that who looks for one reads the top and one page. Guarantee: what was encoded is what is decoded; a table that leads
 * beyond the archive, or is not in order, is refused.
 */
import { Packer, Unpacker } from '../history/packing.js';
import type { NodeId } from '../history/types.js';
import { Broken, FRAME_HEAD } from './format.js';

/** Entries of a page. */
export const PAGE = 4096;
/** No block is longer. */
const MOST_AT = 2 ** 32 - 1;

/** A frame: where it begins, and its bytes. */
export interface Place { at: number; length: number }

/** A page of the index: its place, and the first object in it. */
export interface IndexPlace extends Place { first: NodeId }

/** The top of the tables. */
export interface Top {
  blocks: number;
  places: Place[];
  nodes: number;
  index: IndexPlace[];
}

/** Places in the order of the file: each by how far it is from the end of the one before. */
function packPlaces(packer: Packer, places: readonly Place[], more: (i: number) => void = () => undefined): void {
  let end = 0;
  places.forEach(({ at, length }, i) => {
    packer.reserve(64);
    packer.varint(at - end);
    packer.varint(length);
    more(i);
    end = at + length;
  });
}

function unpackPlaces(from: Unpacker, count: number, before: number, more: (i: number) => void = () => undefined): Place[] {
  const places: Place[] = [];
  let end = 0;
  for (let i = 0; i < count; i++) {
    const at = end + from.varint();
    const length = from.varint();
    end = at + length;
    if (length < FRAME_HEAD || end > before) throw new Broken(`a table that leads to byte ${end}, it lies at ${before}`);
    places.push({ at, length });
    more(i);
  }
  return places;
}

export function encodePlaces(places: readonly Place[]): Buffer {
  const packer = new Packer(1 << 12);
  packPlaces(packer, places);
  return Buffer.from(packer.packed());
}

/** @param before where the page itself lies @throws Broken */
export function decodePlaces(bytes: Buffer, count: number, before: number): Place[] {
  return ended(bytes, (from) => unpackPlaces(from, count, before));
}

/** Where an object is described: in which block, from which of its bytes on. */
export interface Described { node: NodeId; block: number; at: number }

/** Objects ascending. */
export function encodeIndex(entries: readonly Described[]): Buffer {
  const packer = new Packer(1 << 12);
  let before = 0;
  for (const { node, block, at } of entries) {
    packer.reserve(32);
    packer.varint(node - before);
    packer.varint(block);
    packer.varint(at);
    before = node;
  }
  return Buffer.from(packer.packed());
}

/** A page of the index. */
export class IndexPage {
  private readonly nodes: Float64Array;
  private readonly blocks: Uint32Array;
  private readonly offsets: Uint32Array;

  /** @param count entries @param blocks how many there are @throws Broken, and what an Unpacker throws */
  constructor(bytes: Buffer, count: number, blocks: number) {
    [this.nodes, this.blocks, this.offsets] = [new Float64Array(count), new Uint32Array(count), new Uint32Array(count)];
    ended(bytes, (from) => {
      let node = 0;
      for (let i = 0; i < count; i++) {
        const [step, block, at] = [from.varint(), from.varint(), from.varint()];
        node += step;
        if (step === 0 || !Number.isSafeInteger(node) || block >= blocks || at > MOST_AT) throw new Broken('an index that is not in order');
        [this.nodes[i], this.blocks[i], this.offsets[i]] = [node, block, at];
      }
    });
  }

  find(node: NodeId): Described | null {
    let [low, high] = [0, this.nodes.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.nodes[middle]! < node) low = middle + 1;
      else high = middle;
    }
    return this.nodes[low] === node ? { node, block: this.blocks[low]!, at: this.offsets[low]! } : null;
  }
}

export function encodeTop({ blocks, places, nodes, index }: Top): Buffer {
  const packer = new Packer(1 << 12);
  packer.varint(blocks);
  packPlaces(packer, places);
  packer.reserve(16);
  packer.varint(nodes);
  packPlaces(packer, index, (i) => packer.varint(index[i]!.first));
  return Buffer.from(packer.packed());
}

/** @param before where the top itself lies @throws Broken */
export function decodeTop(bytes: Buffer, before: number): Top {
  return ended(bytes, (from) => {
    const blocks = from.varint();
    const places = unpackPlaces(from, Math.ceil(blocks / PAGE), before);
    const nodes = from.varint();
    const firsts: NodeId[] = [];
    const pages = unpackPlaces(from, Math.ceil(nodes / PAGE), before, () => firsts.push(from.varint()));
    if (firsts.some((first, i) => first <= (firsts[i - 1] ?? 0))) throw new Broken('an index that is not in order');
    return { blocks, places, nodes, index: pages.map((place, i) => ({ ...place, first: firsts[i]! })) };
  });
}

function ended<T>(bytes: Buffer, decode: (from: Unpacker) => T): T {
  const from = new Unpacker(bytes);
  const value = decode(from);
  if (from.more) throw new Broken('a table with more than it says');
  return value;
}
