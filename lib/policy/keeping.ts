/**
 * How long the content of some paths is kept: `keep` and its buckets in a `[[rule]]` or a `[[group]]`, beside the table
 * `[retention]`. Guarantees as for the rest of the policy file (file.ts); docs/retention.md says what each key means.
 */
import { createHash } from 'node:crypto';
import type { Fail } from './lines.js';
import { periodOf } from './values.js';

/** The last state of each of these is kept for a time, once the window is over. */
export const BUCKETS = ['hour', 'day', 'week', 'month', 'year'] as const;
export type Bucket = (typeof BUCKETS)[number];

/** Times in milliseconds; Infinity: for ever. */
export interface Schedule {
  /** Everything is kept for so long. */
  windowMs: number;
  bucketMs: Record<Bucket, number>;
}

/** A schedule of some paths. */
export interface KeepRule extends Schedule {
  /** Its patterns, or the name of its group. */
  patterns: readonly string[];
  group: string | null;
  /** The file and line. */
  by: string;
  line: number;
  /** Does it count for this path (its bytes, from the root of the tree)? */
  has(path: Buffer, directory: boolean): boolean;
}

/** Keys of a rule or a group that belong here. */
export const KEEP_KEYS = ['keep', ...BUCKETS] as const;

/** A bucket that is not named keeps nothing: what a rule says is all that is kept. null when it says nothing. @throws what `fail` throws */
export function parseKeep(one: Record<string, unknown>, line: (key: string) => number, fail: Fail): Schedule | null {
  const { keep, capture } = one;
  const bucket = BUCKETS.find((name) => one[name] !== undefined);
  if (keep === undefined) return bucket === undefined ? null : fail(line(bucket), `${bucket} says nothing without keep`);
  if (capture === 'none') return fail(line('keep'), 'of what is not captured (capture = "none") there is nothing to keep');
  const period = (key: string): number => periodOf(one[key]) ?? fail(line(key), `${key} is ${JSON.stringify(one[key])}: a time like "7d" (s, m, h or d), "forever" or "never" was expected`);
  return { windowMs: period('keep'), bucketMs: Object.fromEntries(BUCKETS.map((name) => [name, one[name] === undefined ? 0 : period(name)])) as Record<Bucket, number> };
}

const periods = ({ windowMs, bucketMs }: Schedule): number[] => [windowMs, ...BUCKETS.map((bucket) => bucketMs[bucket])];

/** Does it keep whatever the other one keeps? */
export const keepsAll = (one: Schedule, other: Schedule): boolean => periods(other).every((period, i) => periods(one)[i]! >= period);

/** Names the schedule of the table. */
export const TABLE = '';

/** Decides for paths; made once for each policy. */
export class KeepPolicy {
  /** By name: `TABLE`, and of the others their periods. */
  readonly schedules: ReadonlyMap<string, Schedule>;
  /** Another one when a rule is another. */
  readonly version: string;
  private readonly lastFirst: readonly KeepRule[];
  private readonly names = new Map<KeepRule, string>();

  /** `rules`: as the file has them. */
  constructor(readonly table: Schedule, readonly rules: readonly KeepRule[]) {
    this.lastFirst = [...rules].reverse();
    const schedules = new Map<string, Schedule>([[TABLE, table]]);
    for (const rule of rules) {
      const name = keepsAll(rule, table) && keepsAll(table, rule) ? TABLE : periods(rule).join(' ');
      this.names.set(rule, name);
      if (!schedules.has(name)) schedules.set(name, rule);
    }
    this.schedules = schedules;
    const said = [periods(table).join(' '), ...rules.map((rule) => [rule.group, rule.patterns, periods(rule).join(' ')])];
    this.version = createHash('sha256').update(JSON.stringify(said)).digest('hex').slice(0, 16);
  }

  /** The last that has the path; null when none has it: the table. */
  rule(path: Buffer, directory: boolean): KeepRule | null {
    return this.lastFirst.find((rule) => rule.has(path, directory)) ?? null;
  }

  /** The name of the schedule of a file that lay at these paths: the longest. null: none keeps all that the others keep. */
  longest(paths: readonly Buffer[]): string | null {
    const names = new Set(paths.map((path) => this.nameOf(this.rule(path, false))));
    const schedules = [...names].map((name) => this.schedules.get(name)!);
    return [...names].find((_, i) => schedules.every((other) => keepsAll(schedules[i]!, other))) ?? null;
  }

  /** Has it a schedule of its own, as a file or with all that lies below it? */
  isNamed(path: Buffer): boolean {
    return path.length > 0 && [false, true].some((directory) => this.nameOf(this.rule(path, directory)) !== TABLE);
  }

  nameOf(rule: KeepRule | null): string {
    return rule === null ? TABLE : this.names.get(rule)!;
  }
}
