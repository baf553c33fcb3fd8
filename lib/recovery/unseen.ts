/**
 * What was first seen by a walk that went on with one cut short, and may have been there before: at an earlier instant
 * neither that it was nor that it was not is known. Guarantee: a name of which history knows something earlier is not
 * among it, nor is anything once a first walk was complete.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Change, NodeId, Seq, Slot } from '../history/types.js';
import { slotKey } from './places.js';

export interface Unseen {
  /** By `slotKey`: names. */
  slots: ReadonlySet<string>;
  /** What they led to then. */
  nodes: ReadonlySet<NodeId>;
}

const NOTHING: Unseen = { slots: new Set(), nodes: new Set() };

/** Mounts at which the first walk was not complete yet. */
async function goingOn(history: HistoryReader): Promise<Seq[]> {
  return (await history.gaps()).filter(({ reason }) => reason === 'baseline-incomplete').map(({ seq }) => seq);
}

/** What was first seen after `then`, not after `now`. Nothing is asked of the changes between unless a walk was cut short. */
export async function unseenBetween(history: HistoryReader, then: Seq, now: Seq): Promise<Unseen> {
  const mounts = await goingOn(history);
  const between = mounts.filter((seq) => seq > then && seq <= now);
  if (between.length === 0) return NOTHING;
  const slots = new Set<string>();
  const nodes = new Set<NodeId>();
  for (const mount of between) {
    for await (const change of history.changes(mount - 1, mount)) {
      if (!isFinding(change) || await firstSeen(history, change) !== mount) continue;
      slots.add(slotKey(change.parent, change.name));
      nodes.add(change.node);
    }
  }
  return { slots, nodes };
}

/** The mount at which a name was first seen, when nothing says what it was at `then`; else null. */
export async function unseenSlot(history: HistoryReader, slot: Slot, then: Seq): Promise<Seq | null> {
  const first = await firstSeen(history, slot);
  return first !== null && first > then && (await goingOn(history)).includes(first) ? first : null;
}

async function firstSeen(history: HistoryReader, { parent, name }: Slot): Promise<Seq | null> {
  const [first] = await history.nameHistory(parent, name);
  return first?.since ?? null;
}

const isFinding = (change: Change): change is Change & Slot =>
  change.unmounted && change.marker === 'create' && change.parent !== undefined && change.name !== undefined;
