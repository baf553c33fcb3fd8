/**
 * The policy file: TOML text -> rules. Guarantees: a file is taken whole or refused whole, with the line and the reason;
 * an unknown key is an error, never ignored; reading it touches nothing.
 */
import { parse, TomlError } from 'smol-toml';
import { RewindError } from '../errors.js';
import { DEFAULT_RULES } from './defaults.js';
import { Lines, type Fail } from './lines.js';
import { patternsOf } from './pattern.js';
import { DEFAULT_POINTS, parsePoints, type PointRules } from './points.js';
import { DEFAULT_TRIPS, parseTrips, type TripRules } from './trips.js';

/** How the content of a file is captured; docs/policy.md says what each means. */
export type Capture = 'each-write' | 'on-close' | 'none';

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

/** A policy that can be in force. */
export interface Policy {
  rules: Rule[];
  /** How often content of files that stay open under `on-close` is captured, in seconds. */
  interval: number;
  /** Which points are made by themselves. */
  points: PointRules;
  /** What is too much at once. */
  trips: TripRules;
}

/** What applies when there is no file. */
export const DEFAULT_POLICY: Policy = { rules: [...DEFAULT_RULES], interval: 10, points: DEFAULT_POINTS, trips: DEFAULT_TRIPS };

const MAX_INTERVAL = 86_400;
const KEYS = ['defaults', 'interval', 'rule', 'points', 'point', 'trip'];

/** @throws ERR_POLICY naming `path`, the line and the reason */
export function parsePolicy(text: string, path: string): Policy {
  const where = new Lines(text);
  const fail = (line: number, reason: string): never => {
    throw new RewindError('ERR_POLICY', `${path}:${line}: ${reason}`, 'Nothing was changed: the policy that was in force stays. See docs/policy.md, or `rewind policy edit`.');
  };
  const table = parseToml(text, fail);
  for (const key of Object.keys(table)) if (!KEYS.includes(key)) fail(where.ofKey(key), `"${key}" is not known here: defaults, interval, [[rule]], [points], [[point]] or [trip] was expected`);
  const { defaults = true, interval = DEFAULT_POLICY.interval, rule = [] } = table;
  if (typeof defaults !== 'boolean') fail(where.ofKey('defaults'), 'defaults must be true or false');
  if (typeof interval !== 'number' || !(interval >= 1 && interval <= MAX_INTERVAL)) fail(where.ofKey('interval'), `interval must be a number of seconds from 1 to ${MAX_INTERVAL}`);
  if (!Array.isArray(rule)) fail(where.ofKey('rule'), 'rules are written [[rule]], with two brackets');
  const rules = (rule as unknown[]).flatMap((one, i) => rulesOf(one, path, (key) => where.ofTable('rule', i, key), fail));
  return { rules: [...defaults ? DEFAULT_RULES : [], ...rules], interval: interval as number, points: parsePoints(table['points'], table['point'], where, fail), trips: parseTrips(table['trip'], where, fail) };
}

function parseToml(text: string, fail: Fail): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return fail(error.line, `column ${error.column}: ${error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '')}`);
  }
}

function rulesOf(one: unknown, path: string, line: (key: string) => number, fail: Fail): Rule[] {
  if (typeof one !== 'object' || one === null) return fail(line(''), 'a rule is a table: [[rule]], then match and capture');
  const { match, capture, ...others } = one as Record<string, unknown>;
  for (const key of Object.keys(others)) if (key !== 'note') fail(line(key), `"${key}" is not known in a rule: match, capture or note was expected`);
  if (match === undefined) fail(line(''), 'the rule has no match');
  if (capture === undefined) fail(line(''), 'the rule has no capture');
  if (!CAPTURES.includes(capture as Capture)) fail(line('capture'), `capture is ${JSON.stringify(capture)}: "each-write", "on-close" or "none" was expected`);
  return patternsOf(match, (reason) => fail(line('match'), reason)).map((pattern) => ({ pattern, capture: capture as Capture, by: `${path}:${line('match')}`, line: line('match') }));
}
