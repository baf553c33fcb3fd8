/** The part of the policy file that says what is too much at once: `[trip]`. docs/points.md says what each key means. */
import type { Fail, Lines } from './lines.js';
import { secondsOf } from './values.js';

/** What is noticed. */
export const ALARMS = ['deletion', 'encryption', 'renaming'] as const;
export type Alarm = (typeof ALARMS)[number];

export interface TripRules {
  withinNs: bigint;
  /** So many files within that time; 0: never. */
  deletion: number;
  encryption: number;
  renaming: number;
  /** Of these the writers are blocked: they may change nothing more until somebody releases them. */
  block: readonly Alarm[];
  /** A command for the shell, told what happened in its environment. */
  hook: string | null;
}

export const DEFAULT_TRIPS: TripRules = { withinNs: 10_000_000_000n, deletion: 1000, encryption: 50, renaming: 200, block: [], hook: null };

const MAX_LIMIT = 1_000_000;

/** @throws what `fail` throws */
export function parseTrips(trip: unknown, where: Lines, fail: Fail): TripRules {
  const table = trip ?? {};
  if (typeof table !== 'object' || Array.isArray(table)) return fail(where.ofKey('trip'), 'trip is a table: [trip], then within, deletion, encryption, renaming, block or hook');
  const { within = '10s', block = false, hook, ...others } = table as Record<string, unknown>;
  const limits = { ...DEFAULT_TRIPS };
  for (const [key, value] of Object.entries(others)) {
    const limit = ALARMS.find((one) => one === key);
    if (!limit) return fail(where.ofKey(key), `"${key}" is not known in [trip]: within, ${ALARMS.join(', ')}, block or hook was expected`);
    if (!(Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_LIMIT)) return fail(where.ofKey(key), `${key} is a number of files from 0 (never) to ${MAX_LIMIT}`);
    limits[limit] = value as number;
  }
  const seconds = secondsOf(within);
  if (seconds === null) return fail(where.ofKey('within'), `within is ${JSON.stringify(within)}: a time like "10s" was expected (s, m, h or d)`);
  if (hook !== undefined && (typeof hook !== 'string' || hook.trim() === '')) return fail(where.ofKey('hook'), 'hook is a command in quotes');
  return { ...limits, withinNs: BigInt(seconds) * 1_000_000_000n, block: blockOf(block, (reason) => fail(where.ofKey('block'), reason)), hook: hook ?? null };
}

function blockOf(block: unknown, fail: (reason: string) => never): readonly Alarm[] {
  if (typeof block === 'boolean') return block ? ALARMS : [];
  const known = (one: unknown): one is Alarm => ALARMS.some((alarm) => alarm === one);
  if (Array.isArray(block) && block.every(known)) return block;
  return fail(`block is ${JSON.stringify(block)}: true, false or a list of ${ALARMS.map((one) => `"${one}"`).join(', ')} was expected`);
}
