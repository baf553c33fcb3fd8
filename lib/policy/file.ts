/**
 * The policy file: TOML text -> rules. Guarantees: a file is taken whole or refused whole, with the line and the reason;
 * an unknown key is an error, never ignored; reading it touches nothing.
 */
import { parse, TomlError } from 'smol-toml';
import { RewindError } from '../errors.js';
import { DEFAULT_RULES } from './defaults.js';
import { compilePattern, PatternError } from './pattern.js';

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
}

/** What applies when there is no file. */
export const DEFAULT_POLICY: Policy = { rules: [...DEFAULT_RULES], interval: 10 };

const MAX_INTERVAL = 86_400;

/** @throws ERR_POLICY naming `path`, the line and the reason */
export function parsePolicy(text: string, path: string): Policy {
  const where = new Lines(text);
  const fail = (line: number, reason: string): never => {
    throw new RewindError('ERR_POLICY', `${path}:${line}: ${reason}`, 'Nothing was changed: the policy that was in force stays. See docs/policy.md, or `rewind policy edit`.');
  };
  const table = parseToml(text, fail);
  for (const key of Object.keys(table)) if (!['defaults', 'interval', 'rule'].includes(key)) fail(where.ofKey(key), `"${key}" is not known here: defaults, interval or [[rule]] was expected`);
  const { defaults = true, interval = DEFAULT_POLICY.interval, rule = [] } = table;
  if (typeof defaults !== 'boolean') fail(where.ofKey('defaults'), 'defaults must be true or false');
  if (typeof interval !== 'number' || !(interval >= 1 && interval <= MAX_INTERVAL)) fail(where.ofKey('interval'), `interval must be a number of seconds from 1 to ${MAX_INTERVAL}`);
  if (!Array.isArray(rule)) fail(where.ofKey('rule'), 'rules are written [[rule]], with two brackets');
  const rules = (rule as unknown[]).flatMap((one, i) => rulesOf(one, path, (key) => where.ofRule(i, key), fail));
  return { rules: [...defaults ? DEFAULT_RULES : [], ...rules], interval: interval as number };
}

type Fail = (line: number, reason: string) => never;

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
  const patterns = Array.isArray(match) ? match as unknown[] : [match];
  if (patterns.length === 0) fail(line('match'), 'match lists no pattern');
  return patterns.map((pattern) => {
    if (typeof pattern !== 'string') return fail(line('match'), 'match is a pattern or a list of patterns, each in quotes');
    try {
      compilePattern(pattern);
    } catch (error) {
      if (error instanceof PatternError) fail(line('match'), `${JSON.stringify(pattern)}: ${error.message}`);
      throw error;
    }
    return { pattern, capture: capture as Capture, by: `${path}:${line('match')}`, line: line('match') };
  });
}

/** Finds the lines of keys in a text that is valid TOML: the parser tells places of errors only. */
class Lines {
  private readonly lines: string[];
  private readonly headers: number[];

  constructor(text: string) {
    this.lines = text.split('\n');
    this.headers = this.lines.flatMap((line, i) => (/^\s*\[\[\s*["']?rule["']?\s*\]\]/.test(line) ? [i] : []));
  }

  /** The line of a key at the top level; 1 when it cannot be told. */
  ofKey(key: string): number {
    return this.find(key, 0, this.lines.length) ?? 1;
  }

  /** The line of a key of the i-th rule, else that of the rule. */
  ofRule(index: number, key: string): number {
    const header = this.headers[index];
    if (header === undefined) return this.ofKey('rule');
    return this.find(key, header + 1, this.headers[index + 1] ?? this.lines.length) ?? header + 1;
  }

  private find(key: string, from: number, to: number): number | null {
    const pattern = new RegExp(`^\\s*(\\[\\[?\\s*)?["']?${key.replace(/[^\w-]/g, '\\$&')}["']?\\s*[\\].=]`);
    for (let i = from; key !== '' && i < to; i++) if (pattern.test(this.lines[i]!)) return i + 1;
    return null;
  }
}
