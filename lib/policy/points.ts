/**
 * The part of the policy file that says which points are made by themselves: `[points]` and `[[point]]`. Guarantees as for
 * the rest of it (file.ts); docs/points.md says what each key means.
 */
import { anyOf, type ProgramGlob } from '../program.js';
import type { Fail, Lines } from './lines.js';
import { matcherOf } from './matcher.js';
import { patternsOf } from './pattern.js';
import { DEFAULT_INSTALLERS, parseInstallers, type Installer } from './installers.js';
import { programsOf } from './programs.js';
import { remoteOf, type Remote } from './remote.js';
import { secondsOf } from './values.js';

/** A point before writes that matter. What is null asks nothing. */
export interface PointRule {
  name: string;
  note: string;
  /** Is this path (its bytes, from the root of the tree) one that is meant? */
  path: ((path: Buffer, directory: boolean) => boolean) | null;
  /** Is this writer such a program? */
  exe: ProgramGlob | null;
  uid: number | null;
  /** Whom the writer's family has, or had within `withinNs`, a connection with. */
  remote: Remote | null;
  /** So many matching changes within this time. */
  count: number;
  withinNs: bigint;
  /** Changes that follow each other within this time are one burst, with one point. */
  quietNs: bigint;
}

export interface PointRules {
  /** A point so often when something changed, in milliseconds; null: none. */
  everyMs: number | null;
  /** Before and after one of these installs or removes something. */
  installers: readonly Installer[];
  points: PointRule[];
}

export const DEFAULT_POINTS: PointRules = { everyMs: null, installers: DEFAULT_INSTALLERS, points: [] };

const NS_PER_S = 1_000_000_000n;
const NAME = /^[\p{L}\p{N}_][\p{L}\p{N}_.-]{0,127}$/u;
export const POINT_KEYS = ['name', 'note', 'match', 'exe', 'user', 'host', 'port', 'count', 'within', 'quiet', 'paused'];

export const POINTS_KEYS = ['every', 'install', 'defaults'] as const;

/** @throws what `fail` throws */
export function parsePoints(points: unknown, point: unknown, installer: unknown, where: Lines, fail: Fail): PointRules {
  const table = points ?? {};
  if (typeof table !== 'object' || Array.isArray(table)) fail(where.ofKey('points'), 'points is a table: [points], then every, install or defaults');
  const { every, install = true, defaults = true, ...others } = table as Record<string, unknown>;
  for (const key of Object.keys(others)) fail(where.inTable('points', key), `"${key}" is not known in [points]: ${POINTS_KEYS.slice(0, -1).join(', ')} or defaults was expected`);
  if (typeof install !== 'boolean') fail(where.inTable('points', 'install'), 'install must be true or false');
  if (typeof defaults !== 'boolean') fail(where.inTable('points', 'defaults'), 'defaults must be true or false');
  const seconds = every === undefined ? null : secondsOf(every);
  if (every !== undefined && seconds === null) fail(where.inTable('points', 'every'), `every is ${JSON.stringify(every)}: a time like "10m" was expected (s, m, h or d)`);
  if (point !== undefined && !Array.isArray(point)) fail(where.ofKey('point'), 'rules for points are written [[point]], with two brackets');
  const rules = ((point ?? []) as unknown[]).map((one, i) => ruleOf(one as Record<string, unknown>, (key) => where.ofTable('point', i, key), fail));
  const installers = parseInstallers(installer, defaults as boolean, where, fail);
  return { everyMs: seconds === null ? null : seconds * 1000, installers: install === true ? installers : [], points: rules.filter((_, i) => (point as Record<string, unknown>[])[i]!['paused'] !== true) };
}

function ruleOf(one: Record<string, unknown>, line: (key: string) => number, fail: Fail): PointRule {
  for (const key of Object.keys(one)) if (!POINT_KEYS.includes(key)) fail(line(key), `"${key}" is not known in a point: ${POINT_KEYS.join(', ')} were expected`);
  const { name, note = '', match, exe, user, host, port, count = 1, within = '1m', quiet = '1m', paused = false } = one;
  if (typeof paused !== 'boolean') fail(line('paused'), 'paused must be true or false');
  if (typeof name !== 'string' || !NAME.test(name)) fail(line('name'), 'the point has no name of letters, digits and . _ -');
  if (typeof note !== 'string') fail(line('note'), 'note is a text in quotes');
  const remote = remoteOf(host, port, (key, reason) => fail(line(key), reason));
  if (match === undefined && exe === undefined && user === undefined && remote === null) fail(line(''), 'the point has neither match nor exe nor user nor host nor port: it would be made at every write');
  if (user !== undefined && !(Number.isInteger(user) && (user as number) >= 0)) fail(line('user'), 'user is the number of a user, as `id -u` tells it');
  if (!(Number.isInteger(count) && (count as number) >= 1 && (count as number) <= 1_000_000)) fail(line('count'), 'count is a whole number from 1 to 1000000');
  const nanoseconds = (key: string, value: unknown): bigint => {
    const seconds = secondsOf(value);
    return seconds === null ? fail(line(key), `${key} is ${JSON.stringify(value)}: a time like "30s" was expected (s, m, h or d)`) : BigInt(seconds) * NS_PER_S;
  };
  return {
    name: name as string, note: note as string,
    path: match === undefined ? null : matcherOf(patternsOf(match, (reason) => fail(line('match'), reason))),
    exe: exe === undefined ? null : anyOf(programsOf(exe, 'exe', (reason) => fail(line('exe'), reason))),
    uid: user === undefined ? null : user as number, remote,
    count: count as number, withinNs: nanoseconds('within', within), quietNs: nanoseconds('quiet', quiet),
  };
}
