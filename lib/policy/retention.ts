/**
 * The part of the policy file that says what of history is kept, and how long: `[retention]`. Guarantees as for the rest
 * of the policy file (file.ts); docs/retention.md says what each key means.
 */
import { BUCKETS, type Bucket, type Schedule } from './keeping.js';
import type { Fail, Lines } from './lines.js';
import { bytesOf, periodOf } from './values.js';

export interface RetentionRules extends Schedule {
  /** Every change is told of for so long; of what was merged and is older, the last ones. Infinity: for ever. */
  changesMs: number;
  /** What is given up can be taken back for so long. */
  trashMs: number;
  /** Above this the oldest is given up at once; null: no limit. */
  maxBytes: number | null;
  /** The same below this much room on the store's disk. */
  minFreeBytes: number | null;
  /** Never given up for want of room. */
  atLeastMs: number;
}

const DAY = 86_400_000;

export const DEFAULT_RETENTION: RetentionRules = {
  windowMs: 7 * DAY,
  bucketMs: { hour: 14 * DAY, day: 90 * DAY, week: 365 * DAY, month: 5 * 365 * DAY, year: Infinity },
  changesMs: Infinity, trashMs: 7 * DAY, maxBytes: null, minFreeBytes: null, atLeastMs: DAY,
};

/** Keys of the table. */
export const RETENTION_KEYS = ['keep', ...BUCKETS, 'changes', 'trash', 'max_size', 'min_free', 'at_least'];

/** @throws what `fail` throws */
export function parseRetention(table: unknown, where: Lines, fail: Fail): RetentionRules {
  if (table === undefined) return DEFAULT_RETENTION;
  if (typeof table !== 'object' || table === null || Array.isArray(table)) return fail(where.ofKey('retention'), 'retention is one table: [retention]');
  const values = table as Record<string, unknown>;
  const line = (key: string): number => where.inTable('retention', key);
  for (const key of Object.keys(values)) if (!RETENTION_KEYS.includes(key)) fail(line(key), `"${key}" is not known in [retention]: ${RETENTION_KEYS.join(', ')} was expected`);
  const time = (key: string, otherwise: number): number => {
    const value = values[key];
    if (value === undefined) return otherwise;
    return periodOf(value) ?? fail(line(key), `${key} is ${JSON.stringify(value)}: a time like "7d" (s, m, h or d), "forever" or "never" was expected`);
  };
  const size = (key: string): number | null => {
    const value = values[key];
    if (value === undefined) return null;
    return bytesOf(value) ?? fail(line(key), `${key} is ${JSON.stringify(value)}: a size like "50G" was expected (K, M, G or T)`);
  };
  const [windowMs, changesMs] = [time('keep', DEFAULT_RETENTION.windowMs), time('changes', DEFAULT_RETENTION.changesMs)];
  if (changesMs < windowMs) fail(line('changes'), `changes is ${JSON.stringify(values['changes'])}, and keep is ${JSON.stringify(values['keep'] ?? '7d')}: changes must not be kept for less time than content`);
  return {
    windowMs, changesMs,
    bucketMs: Object.fromEntries(BUCKETS.map((bucket) => [bucket, time(bucket, DEFAULT_RETENTION.bucketMs[bucket])])) as Record<Bucket, number>,
    trashMs: time('trash', DEFAULT_RETENTION.trashMs),
    maxBytes: size('max_size'), minFreeBytes: size('min_free'), atLeastMs: time('at_least', DEFAULT_RETENTION.atLeastMs),
  };
}
