/** The part of the policy file that says what is too much at once: `[trip]`. docs/points.md says what each key means. */
import { anyOf, compileProgramGlob, type ProgramGlob } from '../program.js';
import type { Fail, Lines } from './lines.js';
import { matcherOf } from './matcher.js';
import { patternsOf } from './pattern.js';
import { CACHES } from './defaults.js';
import { programsOf } from './programs.js';
import { secondsOf } from './values.js';

/** What is noticed. */
export const ALARMS = ['deletion', 'encryption', 'overwriting', 'renaming'] as const;
export type Alarm = (typeof ALARMS)[number];

export interface TripRules extends Record<Alarm, number> {
  withinNs: bigint;
  /** Does the deletion of this file (its bytes, from the root of the tree) not count? */
  spares(path: Buffer, directory: boolean): boolean;
  /** Is this a program that takes only away what it can bring back? Of it nothing but encryption counts. */
  trusts: ProgramGlob;
  /** Of these the writers are blocked: they may change nothing more until somebody releases them. */
  block: readonly Alarm[];
  /** A command for the shell, told what happened in its environment. */
  hook: string | null;
}

/** What tools make again; docs/points.md lists it. */
export const SPARED: readonly string[] = [
  'node_modules/', 'bower_components/', 'site-packages/', '.venv/', 'venv/', '.tox/', 'target/', 'build/', 'dist/', 'out/', 'obj/', '.next/', '.nuxt/', '.gradle/', 'CMakeFiles/',
  ...CACHES, '*.o', '*.obj', '*.class', '*.pyc',
];

/** Version control: what it takes out of the tree it keeps. */
export const TRUSTED: readonly string[] = ['git', 'hg', 'svn', 'jj'];

/** So many files within the time; 0: never. */
const LIMITS: Record<Alarm, number> = { deletion: 1000, encryption: 50, overwriting: 200, renaming: 200 };

export const DEFAULT_TRIPS: TripRules = { ...LIMITS, withinNs: 10_000_000_000n, spares: matcherOf(SPARED), trusts: anyOf(TRUSTED.map(compileProgramGlob)), block: [], hook: null };

const MAX_LIMIT = 1_000_000;
export const TRIP_KEYS = ['within', ...ALARMS, 'spare', 'trust', 'block', 'hook'] as const;

/** @throws what `fail` throws */
export function parseTrips(trip: unknown, where: Lines, fail: Fail): TripRules {
  const table = trip ?? {};
  if (typeof table !== 'object' || Array.isArray(table)) return fail(where.ofKey('trip'), `trip is a table: [trip], then ${TRIP_KEYS.join(', ')}`);
  const { within = '10s', spare, trust, block = false, hook, ...others } = table as Record<string, unknown>;
  const limits = { ...LIMITS };
  for (const [key, value] of Object.entries(others)) {
    const limit = ALARMS.find((one) => one === key);
    if (!limit) return fail(where.inTable('trip', key), `"${key}" is not known in [trip]: ${TRIP_KEYS.slice(0, -1).join(', ')} or hook was expected`);
    if (!(Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_LIMIT)) return fail(where.inTable('trip', key), `${key} is a number of files from 0 (never) to ${MAX_LIMIT}`);
    limits[limit] = value as number;
  }
  const seconds = secondsOf(within);
  if (seconds === null) return fail(where.inTable('trip', 'within'), `within is ${JSON.stringify(within)}: a time like "10s" was expected (s, m, h or d)`);
  if (hook !== undefined && (typeof hook !== 'string' || hook.trim() === '')) return fail(where.inTable('trip', 'hook'), 'hook is a command in quotes');
  const failAt = (key: string) => (reason: string): never => fail(where.inTable('trip', key), reason);
  return {
    ...limits, withinNs: BigInt(seconds) * 1_000_000_000n,
    spares: spare === undefined ? DEFAULT_TRIPS.spares : matcherOf(isNone(spare) ? [] : patternsOf(spare, (reason) => failAt('spare')(reason.replace(/^match/, 'spare')))),
    trusts: trust === undefined ? DEFAULT_TRIPS.trusts : anyOf(isNone(trust) ? [] : programsOf(trust, 'trust', failAt('trust'))),
    block: blockOf(block, failAt('block')), hook: hook ?? null,
  };
}

const isNone = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

function blockOf(block: unknown, fail: (reason: string) => never): readonly Alarm[] {
  if (typeof block === 'boolean') return block ? ALARMS : [];
  const known = (one: unknown): one is Alarm => ALARMS.some((alarm) => alarm === one);
  if (Array.isArray(block) && block.every(known)) return block;
  return fail(`block is ${JSON.stringify(block)}: true, false or a list of ${ALARMS.map((one) => `"${one}"`).join(', ')} was expected`);
}
