/**
 * Which object a node id of the kernel stands for. Guarantees: an id means one object for as long as the kernel holds
 * it; what nobody holds takes no memory; an object costs nothing here, only each instant that is looked at does.
 *
 * A node id is 24 bits of slot and 40 bits of node. A slot is one name under which an instant was looked up (two names
 * of one instant are two slots, because the kernel lets a directory have only one place), or all versions of one seq;
 * slot 0 holds the directories that exist only in the view, by a number of their own.
 */
import type { Name, NodeId, Seq } from '../history/types.js';
import type { Lens } from './lens.js';
import type { U64 } from './wire.js';

/** An instant that the kernel holds objects of. */
export interface Slot {
  readonly index: number;
  readonly key: string;
  readonly seq: Seq;
  /** What of the instant is shown; null: all. */
  readonly lens: Lens | null;
  /** Lookups that the kernel has not forgotten yet. */
  held: number;
}

/** A directory of the view itself: the list of points (no path), or what one path ever was. */
export interface Synthetic {
  readonly id: number;
  readonly key: string;
  readonly path: readonly Name[] | null;
  held: number;
}

/** What a node id stands for. */
export type Place =
  | { kind: 'synthetic'; directory: Synthetic }
  | { kind: 'object'; slot: Slot; node: NodeId };

/** Something that was handed to the kernel once, to be taken back when the answer did not arrive. */
export type Holder = Slot | Synthetic;

/** What tells the view's directories apart: that of no path, `@`, has no other's key. */
export const pathKey = (path: readonly Name[]): string => `~/${path.join('/')}`;

const SLOTS = 2 ** 24;
const TWO_32 = 2 ** 32;
const TWO_31 = 2 ** 31;

/** The node id of an object. */
export const nodeidOf = (slot: Slot, node: NodeId): U64 => ({
  hi: ((slot.index << 8) | (Math.floor(node / TWO_32) & 0xff)) >>> 0,
  lo: node % TWO_32,
});

/**
 * The inode number of an object: of node and instant, because programs take two files of one device with the same
 * number for the same file (`diff -r` would not even look into two states of a directory).
 */
export const inoOf = (node: NodeId, seq: Seq): U64 => ({ hi: seq % TWO_31, lo: node % TWO_32 });

/** The node id of a directory of the view itself. */
export const syntheticNodeid = (directory: Synthetic): U64 => ({ hi: 0, lo: directory.id });

/** The inode number of a directory of the view itself: a hash of its path (FNV-1a), below those of all instants. */
export function syntheticIno(key: string): U64 {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return { hi: 0, lo: (hash >>> 0) || 1 };
}

/** The table of one mounted view. */
export class NodeTable {
  readonly root: Synthetic = { id: 1, key: '@', path: null, held: 1 };
  private readonly slots = new Map<number, Slot>();
  private readonly slotsByKey = new Map<string, Slot>();
  private readonly synthetics = new Map<number, Synthetic>([[1, this.root]]);
  private readonly syntheticsByKey = new Map<string, Synthetic>();
  private lastSlot = 0;
  private lastSynthetic = 1;

  /** Slots and directories held, besides the root. */
  get size(): number {
    return this.slots.size + this.synthetics.size - 1;
  }

  /** The slot of an instant under this name, held once: to be handed out, or released. */
  holdSlot(name: string, seq: Seq, lens: (() => Lens) | null = null): Slot {
    const key = `${seq}/${name}`;
    const known = this.slotsByKey.get(key);
    if (known) return this.hold(known);
    do this.lastSlot = (this.lastSlot % (SLOTS - 1)) + 1; while (this.slots.has(this.lastSlot));
    const slot: Slot = { index: this.lastSlot, key, seq, lens: lens && lens(), held: 1 };
    this.slots.set(slot.index, slot);
    this.slotsByKey.set(key, slot);
    return slot;
  }

  /** The view's directory for a path, held once: to be handed out, or released. */
  holdPath(path: readonly Name[]): Synthetic {
    const key = pathKey(path);
    const known = this.syntheticsByKey.get(key);
    if (known) return this.hold(known);
    do this.lastSynthetic = (this.lastSynthetic % (TWO_32 - 1)) + 1; while (this.synthetics.has(this.lastSynthetic));
    const directory: Synthetic = { id: this.lastSynthetic, key, path, held: 1 };
    this.synthetics.set(directory.id, directory);
    this.syntheticsByKey.set(key, directory);
    return directory;
  }

  /** What a node id stands for, or null when nothing with it is held. */
  place(nodeid: U64): Place | null {
    const index = nodeid.hi >>> 8;
    if (index === 0) {
      const directory = this.synthetics.get(nodeid.lo);
      return directory ? { kind: 'synthetic', directory } : null;
    }
    const slot = this.slots.get(index);
    return slot ? { kind: 'object', slot, node: (nodeid.hi & 0xff) * TWO_32 + nodeid.lo } : null;
  }

  hold<H extends Holder>(holder: H): H {
    holder.held++;
    return holder;
  }

  /** The kernel lets go of `count` lookups of a node id. */
  forget(nodeid: U64, count: number): void {
    const place = this.place(nodeid);
    if (place) this.release(place.kind === 'object' ? place.slot : place.directory, count);
  }

  /** Takes back `count` lookups of what was held. */
  release(holder: Holder, count: number): void {
    holder.held = Math.max(0, holder.held - count);
    if (holder.held > 0 || holder === this.root) return;
    if ('index' in holder) {
      this.slots.delete(holder.index);
      this.slotsByKey.delete(holder.key);
    } else {
      this.synthetics.delete(holder.id);
      this.syntheticsByKey.delete(holder.key);
    }
  }
}
