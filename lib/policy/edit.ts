/**
 * Changes single rules in the text of a policy file. Guarantees: nothing else in the text changes, comments included; the
 * result is read again and says exactly what was meant, or there is an error and no result.
 */
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'smol-toml';
import { RewindError } from '../errors.js';
import { DEFAULT_RULES } from './defaults.js';
import { parsePolicy } from './file.js';
import { Lines } from './lines.js';

/** What is done to a rule: paused, resumed, removed, or keys set (null takes one away). */
export type RuleChange = 'pause' | 'resume' | 'remove' | Record<string, string | number | boolean | null>;

/** The new text, and the lines of the tables that were changed. */
export interface Edited { text: string; lines: number[]; patterns: string[] }

/** Tables that have words of their own. */
const KINDS = ['rule', 'point', 'group', 'installer'] as const;

interface Table { kind: (typeof KINDS)[number]; index: number; value: Record<string, unknown> }

type Values = Record<string, unknown>;

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === undefined ? [] : [value]);

/** Of a rule its patterns, of a point its name, too; of a group its name, of an installer its programs. */
const wordsOf = ({ kind, value }: Table): unknown[] => ({
  rule: list(value['match']), point: [...list(value['match']), value['name']], group: [value['name']], installer: list(value['exe']),
})[kind];

/**
 * Changes the rules that list a pattern, the points and groups of that name, and the installers of that program. Keys are
 * set in the last of them; when there is none, a new rule at the end gets them. @throws ERR_POLICY when the text, or what becomes of it, is not a right policy file; ERR_USAGE
 */
export function editRules(text: string, path: string, pattern: string, change: RuleChange): Edited {
  parsePolicy(text, path);
  const before = parse(text);
  const all: Table[] = KINDS.flatMap((kind) => (list(before[kind]) as Values[]).map((value, index) => ({ kind, index, value })));
  const found = all.filter((table) => wordsOf(table).includes(pattern));
  const changes = typeof change === 'string' ? null : change;
  if (found.length === 0 && changes) return addRule(text, path, pattern, changes);
  if (found.length === 0) throw noRule(pattern, path);
  const chosen = changes ? found.slice(-1) : found;
  const lines = text.split('\n');
  const where = new Lines(text);
  const spans = chosen.map((table) => ({ table, ...where.spanOf(table.kind, table.index) }));
  // From the end, so that the lines before keep their numbers.
  for (const { begin, end } of [...spans].sort((a, b) => b.begin - a.begin)) {
    if (change === 'remove') lines.splice(begin, end - begin);
    else lines.splice(begin, end - begin, ...withKeys(lines.slice(begin, end), keysOf(change)));
  }
  const edited = lines.join('\n');
  expectMeant(edited, path, before, chosen, change);
  return { text: edited, lines: spans.map(({ begin }) => begin + 1), patterns: chosen.flatMap(wordsOf).filter((word) => typeof word === 'string') };
}

const keysOf = (change: Exclude<RuleChange, 'remove'>): Record<string, string | number | boolean | null> =>
  (change === 'pause' ? { paused: true } : change === 'resume' ? { paused: null } : change);

function noRule(pattern: string, path: string): RewindError {
  if (DEFAULT_RULES.some((rule) => rule.pattern === pattern)) {
    return new RewindError('ERR_USAGE', `${pattern} is a built-in rule, which no file lists`, `A rule of your own outweighs it: rewind policy set '${pattern}' capture=each-write`);
  }
  return new RewindError('ERR_USAGE', `${path} has no rule for ${pattern}`, 'Write it as the file does; `rewind policy show` lists the rules and groups.');
}

function addRule(text: string, path: string, pattern: string, keys: Record<string, string | number | boolean | null>): Edited {
  const table = ['[[rule]]', `match = ${JSON.stringify(pattern)}`, ...Object.entries(keys).filter(([, value]) => value !== null).map(([key, value]) => `${key} = ${JSON.stringify(value)}`)];
  const head = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  const edited = `${head}${head.trim() === '' ? '' : '\n'}${table.join('\n')}\n`;
  parsePolicy(edited, path);
  return { text: edited, lines: [edited.split('\n').length - table.length], patterns: [pattern] };
}

/** The lines of a table with keys set, or taken away. */
function withKeys(table: string[], keys: Record<string, string | number | boolean | null>): string[] {
  let lines = table;
  for (const [key, value] of Object.entries(keys)) {
    const at = lines.findIndex((line) => new RegExp(`^\\s*["']?${key}["']?\\s*=`).test(line));
    const line = value === null ? [] : [`${key} = ${JSON.stringify(value)}`];
    lines = at < 0 ? [...lines, ...line] : [...lines.slice(0, at), ...line, ...lines.slice(at + 1)];
  }
  return lines;
}

function expectMeant(text: string, path: string, before: Values, chosen: readonly Table[], change: RuleChange): void {
  const wanted = (kind: Table['kind']): unknown[] => (list(before[kind]) as Values[]).flatMap((value, index) => {
    if (!chosen.some((table) => table.kind === kind && table.index === index)) return [value];
    if (change === 'remove') return [];
    return [Object.fromEntries(Object.entries({ ...value, ...keysOf(change) }).filter(([, one]) => one !== null))];
  });
  let after: Values;
  try {
    after = parse(text);
  } catch {
    after = {};
  }
  const others = (file: Values): Values => Object.fromEntries(Object.entries(file).filter(([key]) => !KINDS.some((kind) => kind === key)));
  const meant = KINDS.every((kind) => isDeepStrictEqual(plain(list(after[kind])), plain(wanted(kind)))) && isDeepStrictEqual(plain(others(after)), plain(others(before)));
  if (!meant) throw new RewindError('ERR_POLICY', `${path} is written in a way that cannot be changed from outside`, 'Nothing was changed. Change it by hand: rewind policy edit');
  parsePolicy(text, path);
}

/** Without prototypes, in an order of keys that says nothing. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value, (_, one: unknown) => (
  typeof one === 'object' && one !== null && !Array.isArray(one) ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1))) : one
))) as unknown;
