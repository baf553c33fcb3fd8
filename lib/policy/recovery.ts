/**
 * The part of a `[[rule]]` that says what becomes of a file that is damaged: `recover`, `retries`, `timeout`, `check`.
 * Guarantees as for the rest of the policy file (file.ts); docs/policy.md says what each key means.
 */
import { native } from '../native.js';
import type { Fail } from './lines.js';
import { compilePattern } from './pattern.js';
import { secondsOf } from './values.js';

/** Who may put a damaged file back. */
export type Recover = 'manual' | 'notified' | 'automatic';
export const RECOVERS: readonly Recover[] = ['manual', 'notified', 'automatic'];

/** What applies to a file. */
export interface Recovery {
  recover: Recover;
  /** How often it is tried. */
  retries: number;
  /** How long one try, and a read that fails, may take, in milliseconds. */
  timeoutMs: number;
  /** How often the content of such files is compared with history, in milliseconds; null: never. */
  checkMs: number | null;
}

/** One rule; as of the rules for capture, the last that matches decides. */
export interface RecoveryRule extends Recovery {
  pattern: string;
  /** The file and line. */
  by: string;
  line: number;
}

/** What applies where no rule says otherwise. */
export const DEFAULT_RECOVERY: Recovery = { recover: 'notified', retries: 3, timeoutMs: 10_000, checkMs: null };
/** Of `automatic`, when its rule does not say. */
const DEFAULT_CHECK_MS = 86_400_000;
const MAX_RETRIES = 100;
const MAX_TIMEOUT_MS = 600_000;

/** Keys of a rule that belong here. */
export const RECOVERY_KEYS = ['recover', 'retries', 'timeout', 'check'] as const;

/** null when the rule says nothing of recovery. @throws what `fail` throws */
export function parseRecovery(one: Record<string, unknown>, line: (key: string) => number, fail: Fail): Recovery | null {
  const { recover, retries = DEFAULT_RECOVERY.retries, timeout, check, capture } = one;
  if (recover === undefined) {
    const key = RECOVERY_KEYS.find((name) => one[name] !== undefined);
    return key === undefined ? null : fail(line(key), `${key} says nothing without recover`);
  }
  if (!RECOVERS.includes(recover as Recover)) fail(line('recover'), `recover is ${JSON.stringify(recover)}: "manual", "notified" or "automatic" was expected`);
  if (recover === 'automatic' && capture === 'none') fail(line('recover'), 'what is not captured (capture = "none") cannot be put back');
  if (check !== undefined && recover !== 'automatic') fail(line('check'), 'check goes with recover = "automatic" only');
  if (!(Number.isInteger(retries) && (retries as number) >= 1 && (retries as number) <= MAX_RETRIES)) fail(line('retries'), `retries is a whole number from 1 to ${MAX_RETRIES}`);
  const milliseconds = (key: string, value: unknown): number => {
    const seconds = secondsOf(value);
    return seconds === null ? fail(line(key), `${key} is ${JSON.stringify(value)}: a time like "10s" was expected (s, m, h or d)`) : seconds * 1000;
  };
  const timeoutMs = timeout === undefined ? DEFAULT_RECOVERY.timeoutMs : milliseconds('timeout', timeout);
  if (timeoutMs > MAX_TIMEOUT_MS) fail(line('timeout'), `timeout is ${JSON.stringify(timeout)}: at most "${MAX_TIMEOUT_MS / 60_000}m" was expected`);
  const checkMs = recover !== 'automatic' || check === 'never' ? null : check === undefined ? DEFAULT_CHECK_MS : milliseconds('check', check);
  return { recover: recover as Recover, retries: retries as number, timeoutMs, checkMs };
}

/** Decides for paths; made once for each list of rules. */
export class RecoveryPolicy {
  private readonly compiled;

  constructor(readonly rules: readonly RecoveryRule[]) {
    this.compiled = rules.map(({ pattern, by }) => ({ ...compilePattern(pattern), capture: 0, pattern, by }));
  }

  /** The rule for a file at a path from the root of the tree (its bytes); null when none matches: DEFAULT_RECOVERY. */
  rule(path: Buffer): RecoveryRule | null {
    return this.rules[native.policyRule(this.compiled, path, false)] ?? null;
  }

  of(path: Buffer): Recovery {
    return this.rule(path) ?? DEFAULT_RECOVERY;
  }

  /** Are there files that are put back without anybody asking? */
  get automatic(): readonly RecoveryRule[] {
    return this.rules.filter(({ recover }) => recover === 'automatic');
  }
}
