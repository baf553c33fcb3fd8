/**
 * The part of the policy file that says how often the daemon reads all of the store by itself, and how fast: `[scrub]`.
 * Guarantees as for the rest of the policy file (file.ts); docs/verify.md says what each key means.
 */
import type { Fail, Lines } from './lines.js';
import { bytesOf, secondsOf } from './values.js';

export interface ScrubRules {
  /** From the end of one to the beginning of the next, in milliseconds; Infinity: never. */
  everyMs: number;
  /** At most so many bytes are read in a second. */
  rateBytes: number;
}

export const DEFAULT_SCRUB: ScrubRules = { everyMs: 30 * 86_400_000, rateBytes: 16 << 20 };

/** Keys of the table. */
export const SCRUB_KEYS = ['every', 'rate'];

/** @throws what `fail` throws */
export function parseScrub(table: unknown, where: Lines, fail: Fail): ScrubRules {
  if (table === undefined) return DEFAULT_SCRUB;
  if (typeof table !== 'object' || table === null || Array.isArray(table)) return fail(where.ofKey('scrub'), 'scrub is one table: [scrub]');
  const { every, rate, ...others } = table as Record<string, unknown>;
  const line = (key: string): number => where.inTable('scrub', key);
  for (const key of Object.keys(others)) fail(line(key), `"${key}" is not known in [scrub]: ${SCRUB_KEYS.join(', ')} was expected`);
  const seconds = every === undefined ? DEFAULT_SCRUB.everyMs / 1000 : every === 'never' ? Infinity : secondsOf(every);
  if (seconds === null || seconds <= 0) return fail(line('every'), `every is ${JSON.stringify(every)}: a time like "30d" (s, m, h or d) or "never" was expected`);
  const bytes = rate === undefined ? DEFAULT_SCRUB.rateBytes : bytesOf(rate);
  if (bytes === null || bytes <= 0) return fail(line('rate'), `rate is ${JSON.stringify(rate)}: a size like "16M" was expected (K, M, G or T)`);
  return { everyMs: seconds * 1000, rateBytes: bytes };
}
