/**
 * The policy file: TOML text -> rules. Guarantees: a file is taken whole or refused whole, with the line and the reason;
 * an unknown key is an error, never ignored; reading it touches nothing.
 */
import { parse, TomlError } from 'smol-toml';
import { RewindError } from '../errors.js';
import { parseCold, type ColdRules } from './cold.js';
import { DEFAULT_RULES } from './defaults.js';
import { parseGroups, type Group } from './groups.js';
import { KEEP_KEYS, parseKeep, type KeepRule } from './keeping.js';
import { Lines, type Fail } from './lines.js';
import { matcherOf } from './matcher.js';
import { patternsOf } from './pattern.js';
import { parseRecovery, RECOVERY_KEYS, type RecoveryRule } from './recovery.js';
import { DEFAULT_POINTS, parsePoints, type PointRules } from './points.js';
import { DEFAULT_RETENTION, parseRetention, type RetentionRules } from './retention.js';
import { DEFAULT_SCRUB, parseScrub, type ScrubRules } from './scrub.js';
import { DEFAULT_TRIPS, parseTrips, type TripRules } from './trips.js';

/** How the content of a file is captured; docs/policy.md says what each means. */
export type Capture = 'each-write' | 'on-close' | 'none';

/** `integrity`: it fails, and nothing unrecorded happens. `work`: it is made, and history has a gap. */
export type OnFull = 'integrity' | 'work';

export const CAPTURES: readonly Capture[] = ['none', 'on-close', 'each-write'];

/** One rule, in the order in which rules are tried: the last that matches decides. */
export interface Rule {
  pattern: string;
  capture: Capture;
  /** Who says so: `default`, or the file and line. */
  by: string;
  /** Line in the policy file; null for a default. */
  line: number | null;
}

/** A rule, point, group or installer of the file that is switched off: its patterns, its name, or its programs. */
export interface PausedRule { patterns: string[]; by: string; line: number }

/** A policy that can be in force. */
export interface Policy {
  rules: Rule[];
  /** What becomes of damaged files; of these, too, the last that matches decides. */
  recovery: RecoveryRule[];
  paused: PausedRule[];
  /** How often content of files that stay open under `on-close` is captured, in seconds. */
  interval: number;
  /** What becomes of a change that the store has no room for, or cannot take. */
  onFull: OnFull;
  /** Which points are made by themselves. */
  points: PointRules;
  /** What is too much at once. */
  trips: TripRules;
  /** Named sets of files. */
  groups: Group[];
  /** What of history is kept, and how long. */
  retention: RetentionRules;
  /** What of it is kept otherwise, in the order of the file: the last that has a path decides. */
  keeping: KeepRule[];
  /** How often all of the store is read, and how fast. */
  scrub: ScrubRules;
  /** Where content goes that no recent instant needs; null: it stays. */
  cold: ColdRules | null;
}

/** What applies when there is no file. */
export const DEFAULT_POLICY: Policy = { rules: [...DEFAULT_RULES], recovery: [], paused: [], interval: 10, onFull: 'integrity', points: DEFAULT_POINTS, trips: DEFAULT_TRIPS, groups: [], retention: DEFAULT_RETENTION, keeping: [], scrub: DEFAULT_SCRUB, cold: null };

const MAX_INTERVAL = 86_400;
export const FILE_KEYS = ['defaults', 'interval', 'on_full', 'rule', 'points', 'point', 'installer', 'trip', 'group', 'retention', 'scrub', 'cold'];

/** `keepOut`: directories that nothing of the store's goes to: see [cold]. @throws ERR_POLICY naming `path`, the line and the reason */
export function parsePolicy(text: string, path: string, keepOut: readonly string[] = []): Policy {
  const where = new Lines(text);
  const fail = (line: number, reason: string): never => {
    throw new RewindError('ERR_POLICY', `${path}:${line}: ${reason}`, 'Nothing was changed: the policy that was in force stays. See docs/policy.md, or `rewind policy edit`.');
  };
  const table = parseToml(text, fail);
  for (const key of Object.keys(table)) if (!FILE_KEYS.includes(key)) fail(where.ofKey(key), `"${key}" is not known here: defaults, interval, on_full, [[rule]], [points], [[point]], [[installer]], [trip], [[group]], [retention], [scrub] or [cold] was expected`);
  const { defaults = true, interval = DEFAULT_POLICY.interval, rule = [], on_full: onFull = DEFAULT_POLICY.onFull } = table;
  if (typeof defaults !== 'boolean') fail(where.ofKey('defaults'), 'defaults must be true or false');
  if (typeof interval !== 'number' || !(interval >= 1 && interval <= MAX_INTERVAL)) fail(where.ofKey('interval'), `interval must be a number of seconds from 1 to ${MAX_INTERVAL}`);
  if (onFull !== 'integrity' && onFull !== 'work') fail(where.ofKey('on_full'), `on_full is ${JSON.stringify(onFull)}: "integrity" or "work" was expected`);
  if (!Array.isArray(rule)) fail(where.ofKey('rule'), 'rules are written [[rule]], with two brackets');
  const read = (rule as unknown[]).map((one, i) => ruleOf(one, path, (key) => where.ofTable('rule', i, key), fail));
  const inForce = read.filter(({ paused }) => !paused);
  const groups = parseGroups(table['group'], where, fail);
  return {
    rules: [...defaults ? DEFAULT_RULES : [], ...inForce.flatMap(({ capture }) => capture)], recovery: inForce.flatMap(({ recovery }) => recovery),
    interval: interval as number, onFull: onFull as OnFull,
    points: parsePoints(table['points'], table['point'], table['installer'], where, fail), trips: parseTrips(table['trip'], where, fail),
    groups, retention: parseRetention(table['retention'], where, fail),
    keeping: [...inForce.flatMap(({ keeping }) => keeping), ...groups.flatMap((group) => keptGroup(group, path))].sort((a, b) => a.line - b.line), scrub: parseScrub(table['scrub'], where, fail),
    cold: parseCold(table['cold'], keepOut, where, fail),
    paused: [...read.filter(({ paused }) => paused).map(({ patterns, by, line }) => ({ patterns, by, line })), ...pausedOthers(table, path, where)],
  };
}

function keptGroup({ name, include, keep, has }: Group, path: string): KeepRule[] {
  return keep === null ? [] : [{ ...keep, patterns: include, group: name, by: `${path}:${keep.line}`, has }];
}

/** Of tables that were read, and so are right. */
function pausedOthers(file: Record<string, unknown>, path: string, where: Lines): PausedRule[] {
  const words = { point: 'name', group: 'name', installer: 'exe' } as const;
  return (Object.keys(words) as (keyof typeof words)[]).flatMap((kind) => ((file[kind] ?? []) as Record<string, unknown>[]).flatMap((one, i) => {
    const line = where.ofTable(kind, i, words[kind]);
    return one['paused'] === true ? [{ patterns: [one[words[kind]]].flat().map(String), by: `${path}:${line}`, line }] : [];
  }));
}

function parseToml(text: string, fail: Fail): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return fail(error.line, `column ${error.column}: ${error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '')}`);
  }
}

/** What one table says: for each of its patterns a rule of capture, of recovery, or both; for all of them how long they are kept. */
interface Table { patterns: string[]; by: string; line: number; paused: boolean; capture: Rule[]; recovery: RecoveryRule[]; keeping: KeepRule[] }

export const RULE_KEYS = ['match', 'capture', ...RECOVERY_KEYS, ...KEEP_KEYS, 'paused', 'note'];

function ruleOf(one: unknown, path: string, line: (key: string) => number, fail: Fail): Table {
  if (typeof one !== 'object' || one === null) return fail(line(''), 'a rule is a table: [[rule]], then match and capture, recover or keep');
  const table = one as Record<string, unknown>;
  const { match, capture, paused = false } = table;
  for (const key of Object.keys(table)) if (!RULE_KEYS.includes(key)) fail(line(key), `"${key}" is not known in a rule: ${RULE_KEYS.slice(0, -1).join(', ')} or note was expected`);
  if (match === undefined) fail(line(''), 'the rule has no match');
  if (typeof paused !== 'boolean') return fail(line('paused'), 'paused must be true or false');
  if (capture !== undefined && !CAPTURES.includes(capture as Capture)) fail(line('capture'), `capture is ${JSON.stringify(capture)}: "each-write", "on-close" or "none" was expected`);
  const recovery = parseRecovery(table, line, fail);
  const keep = parseKeep(table, line, fail);
  if (capture === undefined && recovery === null && keep === null) fail(line(''), 'the rule has neither capture nor recover nor keep');
  const patterns = patternsOf(match, (reason) => fail(line('match'), reason));
  const at = { by: `${path}:${line('match')}`, line: line('match') };
  return {
    patterns, paused, ...at,
    capture: capture === undefined ? [] : patterns.map((pattern) => ({ pattern, capture: capture as Capture, ...at })),
    recovery: recovery === null ? [] : patterns.map((pattern) => ({ pattern, ...recovery, ...at })),
    keeping: keep === null ? [] : [{ ...keep, patterns, group: null, by: `${path}:${line('keep')}`, line: line('keep'), has: matcherOf(patterns) }],
  };
}
