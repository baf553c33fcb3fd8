/**
 * Which instants a schedule keeps. Guarantees: pure but for the questions what seq a time has; a bucket that ended in the
 * window, and everything younger, is untouched; an instant that an earlier run has kept is kept, or lies between two that are.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Stretch } from '../history/retained.js';
import type { Seq } from '../history/types.js';
import { BUCKETS, type Bucket, type RetentionRules } from '../policy/retention.js';

const NS_PER_MS = 1_000_000n;
/** A save that goes on at a bucket's end is looked for so many times. */
const MOST_SAVES = 8;

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

/** Stretches that the schedule gives up, oldest first: between each two instants that it keeps. `also` are kept, too. */
export async function givenUp(history: HistoryReader, rules: RetentionRules, nowMs: number, limit: Seq, also: readonly Seq[]): Promise<Stretch[]> {
  const range = await history.range();
  const windowMs = nowMs - rules.windowMs;
  if (range === null || !Number.isFinite(windowMs)) return [];
  const firstMs = Number(range.first.timeNs / NS_PER_MS);
  const kept = new Set<Seq>();
  for (const bucket of BUCKETS) {
    for (const boundary of boundaries(bucket, Math.max(firstMs, nowMs - rules.bucketMs[bucket]), windowMs)) {
      const seq = await history.seqAt(BigInt(boundary) * NS_PER_MS - 1n);
      if (seq !== null && seq <= limit) kept.add(history.hidden?.(seq)?.from ?? await betweenSaves(history, seq));
    }
  }
  // What the oldest bucket began with; with no bucket left, what the window begins with.
  const begin = await history.seqAt(BigInt(windowMs) * NS_PER_MS);
  if (kept.size === 0 && begin !== null && begin <= limit) kept.add(begin);
  const last = Math.max(0, ...kept);
  const instants = [...new Set([...kept, ...also.filter((seq) => seq < last && !history.hidden?.(seq))])].filter((seq) => seq > 0).sort((a, b) => a - b);
  return instants.map((to, i) => ({ from: instants[i - 1] ?? 0, to })).filter(({ from, to }) => to > Math.max(from, range.first.seq - 1) + 1);
}

/** The last instant up to this one at which no save was half written: what people mean by a version. */
async function betweenSaves(history: HistoryReader, seq: Seq): Promise<Seq> {
  let at = seq;
  for (let i = 0; i < MOST_SAVES; i++) {
    const begin = await openSaveAt(history, at);
    if (begin === null) return at;
    at = begin - 1;
  }
  return seq;
}

/** Where the save began that the newest change at an instant belongs to, when it goes on after it. */
async function openSaveAt(history: HistoryReader, seq: Seq): Promise<Seq | null> {
  for await (const { node, save } of history.changes(0, seq, { reverse: true })) {
    if (save === 0 || save >= seq) return null;
    for await (const later of history.nodeChanges(node, seq, history.watermark())) return later.save === save ? save : null;
    return null;
  }
  return null;
}
