/**
 * Which instants a schedule keeps, and several together. Guarantees: pure but for the questions what seq a time has; a bucket
 * that ended in the window, and everything younger, is untouched; an instant that an earlier run has kept is kept, or lies
 * between two that are.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Stretch } from '../history/retained.js';
import type { NodeId, Seq } from '../history/types.js';
import { BUCKETS, type Bucket, type Schedule } from '../policy/keeping.js';

const NS_PER_MS = 1_000_000n;
/** A save that goes on at a bucket's end is looked for so many times, among so many changes. */
const MOST_SAVES = 8;
const MOST_CHANGES = 256;
/** What was opened longer ago is a log or a database: no state of it is more whole than another. */
const LONGEST_SAVE_NS = 60n * 1_000_000_000n;

/** Which instants were chosen for which: of the past that is no longer in the window nothing changes, and it is asked about every hour. */
export class Chosen {
  private known = new Map<Seq, Promise<Seq>>();
  private asked = new Map<Seq, Promise<Seq>>();

  at(history: HistoryReader, seq: Seq): Promise<Seq> {
    const instant = this.known.get(seq) ?? this.asked.get(seq) ?? betweenSaves(history, seq);
    this.asked.set(seq, instant);
    // What failed is asked again.
    instant.catch(() => { for (const map of [this.known, this.asked]) map.delete(seq); });
    return instant;
  }

  /** What was not asked about since the last call is forgotten. */
  age(): void {
    this.known = this.asked;
    this.asked = new Map();
  }
}

/** The beginnings of a bucket in local time, in (fromMs, toMs], the newest first. */
export function* boundaries(bucket: Bucket, fromMs: number, toMs: number): Generator<number> {
  const at = new Date(toMs);
  at.setMinutes(0, 0, 0);
  if (bucket !== 'hour') at.setHours(0);
  if (bucket === 'week') at.setDate(at.getDate() - (at.getDay() + 6) % 7);
  if (bucket === 'month' || bucket === 'year') at.setDate(1);
  if (bucket === 'year') at.setMonth(0);
  while (at.getTime() > fromMs) {
    yield at.getTime();
    switch (bucket) {
      case 'hour': at.setTime(at.getTime() - 3_600_000); break;
      case 'day': at.setDate(at.getDate() - 1); break;
      case 'week': at.setDate(at.getDate() - 7); break;
      case 'month': at.setMonth(at.getMonth() - 1); break;
      case 'year': at.setFullYear(at.getFullYear() - 1); break;
    }
  }
}

/**
 * The instants that a schedule keeps, ascending, up to the last that it chooses: all after that are kept. [] when it gives
 * nothing up. `also` are kept, too.
 */
export async function keptInstants(history: HistoryReader, schedule: Schedule, nowMs: number, limit: Seq, also: readonly Seq[], chosen: Chosen = new Chosen()): Promise<Seq[]> {
  const range = await history.range();
  const windowMs = nowMs - schedule.windowMs;
  if (range === null || !Number.isFinite(windowMs)) return [];
  const firstMs = Number(range.first.timeNs / NS_PER_MS);
  const kept = new Set<Seq>();
  for (const bucket of BUCKETS) {
    for (const boundary of boundaries(bucket, Math.max(firstMs, nowMs - schedule.bucketMs[bucket]), windowMs)) {
      const seq = await history.seqAt(BigInt(boundary) * NS_PER_MS - 1n);
      if (seq !== null && seq <= limit) kept.add(keptAlready(history, seq) ?? await chosen.at(history, seq));
    }
  }
  // What the oldest bucket began with; with no bucket left, what the window begins with.
  const begin = await history.seqAt(BigInt(windowMs) * NS_PER_MS);
  if (kept.size === 0 && begin !== null && begin <= limit) kept.add(begin);
  const last = Math.max(0, ...kept);
  return ascending([...kept, ...also.filter((seq) => seq < last && !history.hidden?.(seq, true))]);
}

/** Of what was given up nothing is decided anew: of its changes not all may be told any more. */
function keptAlready(history: HistoryReader, seq: Seq): Seq | null {
  const [hidden, before] = [history.hidden?.(seq, true), history.hidden?.(seq - 1, true)];
  return hidden?.from ?? (before?.to === seq ? seq : null);
}

/** What schedules keep together: all that any of them keeps. */
export function keptByAny(schedules: readonly (readonly Seq[])[]): Seq[] {
  const last = Math.min(...schedules.map((instants) => instants.at(-1) ?? 0));
  return ascending(schedules.flat().filter((seq) => seq <= last));
}

/** What lies between instants that are kept, oldest first. `first`: where history begins. */
export function stretchesBetween(instants: readonly Seq[], first: Seq): Stretch[] {
  return instants.map((to, i) => ({ from: instants[i - 1] ?? 0, to })).filter(({ from, to }) => to > Math.max(from, first - 1) + 1);
}

const ascending = (seqs: readonly Seq[]): Seq[] => [...new Set(seqs)].filter((seq) => seq > 0).sort((a, b) => a - b);

/** The last instant up to this one at which no save was half written: what people mean by a version. */
async function betweenSaves(history: HistoryReader, seq: Seq): Promise<Seq> {
  const sinceNs = (await history.timeOf(seq) ?? 0n) - LONGEST_SAVE_NS;
  let at = seq;
  for (let i = 0; i < MOST_SAVES; i++) {
    const begin = await openSaveAt(history, at, sinceNs);
    if (begin === null) return at;
    at = begin - 1;
  }
  return seq;
}

/** Where the newest save began that was going on at an instant; of those since that time. */
async function openSaveAt(history: HistoryReader, seq: Seq, sinceNs: bigint): Promise<Seq | null> {
  const long = new Set<Seq>();
  let looked = 0;
  for await (const { node, save } of history.changes(0, seq, { reverse: true })) {
    if (save === 0 || save >= seq || ++looked > MOST_CHANGES) return null;
    if (long.has(save)) continue;
    if ((await history.timeOf(save) ?? 0n) >= sinceNs) return await goesOn(history, node, save, seq) ? save : null;
    long.add(save);
  }
  return null;
}

async function goesOn(history: HistoryReader, node: NodeId, save: Seq, after: Seq): Promise<boolean> {
  for await (const later of history.nodeChanges(node, after, history.watermark())) return later.save === save;
  return false;
}
