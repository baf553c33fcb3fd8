/** The part of the policy file that names sets of files: `[[group]]`. docs/policy.md says what each key means. */
import { KEEP_KEYS, parseKeep, type Schedule } from './keeping.js';
import type { Fail, Lines } from './lines.js';
import { matcherOf } from './matcher.js';
import { patternsOf } from './pattern.js';
import { secondsOf } from './values.js';

/** How the view of a group shows what is no member: not at all, or its name and attributes, but never its content. */
export const GROUP_VIEWS = ['members', 'names'] as const;

/** A named set of files. A file may be in many. */
export interface Group {
  name: string;
  note: string;
  include: readonly string[];
  exclude: readonly string[];
  /** A point so often when a member changed, in milliseconds; null: none. */
  everyMs: number | null;
  view: (typeof GROUP_VIEWS)[number];
  /** How long content of its members is kept, and the line that says so; null: as without it. */
  keep: (Schedule & { line: number }) | null;
  /** Is this path (its bytes, from the root of the tree) a member? What lies below a member is one, unless it is excluded. */
  has(path: Buffer, directory: boolean): boolean;
  /** Is it, with all that lies below it, no member? */
  excludes(path: Buffer, directory: boolean): boolean;
}

const NAME = /^[\p{L}\p{N}_][\p{L}\p{N}_.-]{0,127}$/u;
export const GROUP_KEYS = ['name', 'note', 'include', 'exclude', 'every', 'view', ...KEEP_KEYS, 'paused'];

/** @throws what `fail` throws */
export function parseGroups(group: unknown, where: Lines, fail: Fail): Group[] {
  if (group !== undefined && !Array.isArray(group)) return fail(where.ofKey('group'), 'groups are written [[group]], with two brackets');
  const groups: Group[] = [];
  for (const [i, one] of ((group ?? []) as unknown[]).entries()) {
    const line = (key: string): number => where.ofTable('group', i, key);
    const parsed = groupOf(one as Record<string, unknown>, line, fail);
    if (groups.some(({ name }) => name === parsed.name)) fail(line('name'), `there is a group "${parsed.name}" already`);
    groups.push(parsed);
  }
  return groups.filter((_, i) => (group as Record<string, unknown>[])[i]!['paused'] !== true);
}

function groupOf(one: Record<string, unknown>, line: (key: string) => number, fail: Fail): Group {
  if (typeof one !== 'object' || one === null) return fail(line(''), 'a group is a table: [[group]], then name and include');
  for (const key of Object.keys(one)) if (!GROUP_KEYS.includes(key)) fail(line(key), `"${key}" is not known in a group: ${GROUP_KEYS.join(', ')} were expected`);
  const { name, note = '', include, exclude = [], every, view = 'members', paused = false } = one;
  if (typeof name !== 'string' || !NAME.test(name)) return fail(line('name'), 'the group has no name of letters, digits and . _ -');
  if (typeof note !== 'string') return fail(line('note'), 'note is a text in quotes');
  if (typeof paused !== 'boolean') return fail(line('paused'), 'paused must be true or false');
  if (include === undefined) return fail(line(''), 'the group has no include: it would be empty');
  const shown = GROUP_VIEWS.find((known) => known === view);
  if (!shown) return fail(line('view'), `view is ${JSON.stringify(view)}: ${GROUP_VIEWS.map((known) => `"${known}"`).join(' or ')} was expected`);
  const seconds = every === undefined ? null : secondsOf(every);
  if (every !== undefined && seconds === null) fail(line('every'), `every is ${JSON.stringify(every)}: a time like "10m" was expected (s, m, h or d)`);
  const keep = parseKeep(one, line, fail);
  const patterns = (key: string, value: unknown): string[] =>
    (Array.isArray(value) && value.length === 0 && key === 'exclude' ? [] : patternsOf(value, (reason) => fail(line(key), reason.replace(/^match/, key))));
  const [included, excluded] = [patterns('include', include), patterns('exclude', exclude)];
  const [includes, excludes] = [matcherOf(included), matcherOf(excluded)];
  return {
    name, note, include: included, exclude: excluded, everyMs: seconds === null ? null : seconds * 1000, view: shown, excludes,
    keep: keep && { ...keep, line: line('keep') },
    has: (path, directory) => path.length > 0 && includes(path, directory) && !excludes(path, directory),
  };
}
