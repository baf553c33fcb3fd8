/**
 * Which instants history still answers for. Guarantees: an instant is either kept, and reads as it always did, or lies
 * between two that are, and is told from them; what is said here is written in the batch that makes it so.
 */
import type { NodeId, Seq } from './types.js';
import { corrupt } from './values.js';

export const META_RETENTION = Buffer.from('retention');

/** Instants between `from` and `to` are merged: both ends are kept, 0 = nothing before. */
export interface Stretch {
  from: Seq;
  to: Seq;
  /** Why it was given up, and when it was merged (ISO 8601). Older ones do not say. */
  why?: string;
  at?: string;
}

/** Stretches that were given up at one time and can still be taken back: nothing of them is deleted yet. */
export interface Trashed {
  id: number;
  /** When, in nanoseconds since the epoch, and when they go for good. */
  timeNs: bigint;
  untilNs: bigint;
  /** In words: `schedule`, `size`, `rollback` ... */
  reason: string;
  stretches: Stretch[];
}

/** Where work that was begun stands, so that it is gone on with and not begun again. */
export interface Work { stretch: Stretch; /** Objects up to this one are done. */ node: NodeId }

/** What is given up by and by. */
export interface Forgetting {
  /** Merged for good, ascending. */
  merged: Stretch[];
  /** To be merged; hidden already. */
  due: Stretch[];
  trash: Trashed[];
  work: Work | null;
}

/** What a schedule gives up by itself: content of the files that it counts for. Their names and attributes stay. */
export interface Part extends Forgetting {
  /** Its name (lib/policy/keeping.ts): '' for that of all files that no rule names. */
  schedule: string;
  /** Of the rules that decide which files those are. */
  version: string;
  /** What was merged under other rules: of no file more is known than that some of it may be gone. */
  before: Stretch[];
}

/** What of the timeline is given up. */
export interface ThinnedTimeline {
  /** Stretches that were merged, of whose changes the last of each kind stand for all, ascending. */
  done: Stretch[];
  /** Work that was begun: links from this record on are done. */
  work: { stretch: Stretch; seq: Seq } | null;
  /** Entries that were deleted since its families were rewritten last. */
  loose: number;
}

/** Of the whole tree, and by schedule what is given up beyond that. */
export interface Retention extends Forgetting {
  parts: Part[];
  timeline: ThinnedTimeline;
  /** Contents that were made by merging have ids of their own, from here on. */
  nextContent: number;
  /** Content may be in history that nothing names any more. */
  unswept: boolean;
  /** Entries that were deleted since it was looked for such content last; when that was, in milliseconds since the epoch (0: it has to be done now). */
  loose: number;
  sweptMs: number;
}

/** Ids of contents below are given by the extractor. */
export const MERGED_CONTENT = 2 ** 52;

export const NOTHING_MERGED: Readonly<Retention> = Object.freeze({ merged: [], due: [], trash: [], work: null, parts: [], timeline: { done: [], work: null, loose: 0 }, nextContent: MERGED_CONTENT, unswept: false, loose: 0, sweptMs: 0 });

/** An instant that is not answered for: the nearest that are, and until when it can be had back (null: it is gone). */
export interface Hidden extends Stretch { untilNs: bigint | null }

export function encodeRetention(retention: Retention): Buffer {
  return Buffer.from(JSON.stringify(retention, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)));
}

export function decodeRetention(value: Buffer): Retention {
  try {
    const raw = { ...NOTHING_MERGED, ...JSON.parse(value.toString('utf8')) as Retention };
    return { ...raw, trash: raw.trash.map(ofText), parts: raw.parts.map((part) => ({ ...part, trash: part.trash.map(ofText) })) };
  } catch {
    throw corrupt('a retention that cannot be read');
  }
}

const ofText = (one: Trashed): Trashed => ({ ...one, timeNs: BigInt(one.timeNs), untilNs: BigInt(one.untilNs) });

/** The stretch of a list (ascending, apart) that an instant lies within, its ends left out. */
export function within(stretches: readonly Stretch[], seq: Seq): Stretch | null {
  let [low, high] = [0, stretches.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stretches[middle]!.to <= seq) low = middle + 1;
    else high = middle;
  }
  const found = stretches[low];
  return found !== undefined && found.from < seq ? found : null;
}

/** Both lists as one, ascending and apart: a stretch that lies in another is left out. Stretches never cross each other. */
export function union(...lists: (readonly Stretch[])[]): Stretch[] {
  const all = lists.flat().sort((a, b) => a.from - b.from || b.to - a.to);
  const apart: Stretch[] = [];
  for (const stretch of all) if (stretch.to > (apart.at(-1)?.to ?? -1)) apart.push(stretch);
  return apart;
}

/** Does it lie in one of these? */
export const isInside = ({ from, to }: Stretch, stretches: readonly Stretch[]): boolean => stretches.some((one) => one.from <= from && one.to >= to);

/** Why an instant is not answered for; null when it is. */
export type Hiding = (seq: Seq) => Hidden | null;

/**
 * The ends of stretches are kept instants. `named`: asked for a path that a rule names; what only the schedule of all others
 * gives up is no reason then.
 */
export function hidingOf(retention: Retention, named: boolean): Hiding {
  const table = named ? undefined : retention.parts.find(({ schedule }) => schedule === '');
  const trash = [...retention.trash, ...table?.trash ?? []];
  const gone = union(retention.merged, table?.before ?? [], table?.merged ?? [], retention.due, table?.due ?? []);
  const all = union(gone, ...trash.map(({ stretches }) => stretches));
  return (seq) => {
    const everywhere = within(all, seq);
    if (everywhere === null) return null;
    const until = trash.filter(({ stretches }) => within(stretches, seq) !== null).map(({ untilNs }) => untilNs);
    const untilNs = within(gone, seq) !== null || until.length === 0 ? null : until.reduce((a, b) => (a < b ? a : b));
    return { from: everywhere.from, to: everywhere.to, untilNs };
  };
}
