/**
 * Shell patterns for names and paths of history. Guarantees: a name that is not UTF-8 can be matched (`\xHH` in a pattern
 * is that byte, `?` is one character or one byte that belongs to none); newlines are characters like others; matching
 * takes at most the product of both lengths, whatever the pattern.
 */
import { RewindError } from './errors.js';
import type { Name } from './history/types.js';
import { parseName, safeForTerminal } from './paths.js';

/** Does a path, given by its names from the root, match? */
export interface PathGlob {
  matches(path: readonly Name[]): boolean;
  /** Can the last name of a path that matches be this one? For a scan over names, before their paths are known. */
  mayEnd(name: Name): boolean;
}

type Token = '*' | '?' | { negated: boolean; ranges: [number, number][] } | { point: number };

/** One glob for each name of a path; null is `**`: any number of names. */
type Part = Token[] | null;

/**
 * `*`, `?`, `[a-z]`, `[!a-z]`, `\` before a special character. Without a slash the last name must match; with one the
 * whole path from the root, where `*` stays within a name and `**` between slashes stands for any number of directories.
 * @throws ERR_USAGE
 */
export function compileGlob(pattern: string): PathGlob {
  const names = pattern.split('/');
  const whole = names.length > 1;
  const wanted = whole ? names.filter((name) => name !== '' && name !== '.') : names;
  if (pattern === '' || wanted.length === 0) throw bad(pattern, 'it names nothing');
  if (wanted.includes('..')) throw bad(pattern, '".." is the name of no file');
  const parts = wanted.map((name): Part => (whole && name === '**' ? null : tokensOf(name, pattern)));
  const last = parts.at(-1) as Part;
  const mayEnd = (name: Name): boolean => last === null || match(last, pointsOf(name), fits);
  return { mayEnd, matches: whole ? (path) => match(parts.map((part) => part ?? '*'), path.map(pointsOf), nameFits) : (path) => path.length > 0 && mayEnd(path.at(-1) as Name) };
}

function bad(pattern: string, why: string): RewindError {
  return new RewindError('ERR_USAGE', `the pattern ${safeForTerminal(JSON.stringify(pattern))} cannot be used: ${why}`, 'Patterns are like those of a shell: "*.ts", "src/**/test?.[ch]"; a \\ takes the meaning from the character after it.');
}

/** Code points of a name; a byte that is no part of a character is itself, out of the range of characters. */
function pointsOf(name: Name): number[] {
  const points: number[] = [];
  if (!/[\x80-\xff]/.test(name)) {
    for (let i = 0; i < name.length; i++) points.push(name.charCodeAt(i));
    return points;
  }
  for (const [run] of name.matchAll(CHARACTER)) {
    if (run.length === 1) points.push(run < '\x80' ? run.charCodeAt(0) : STRAY + run.charCodeAt(0));
    else points.push(Buffer.from(run, 'latin1').toString('utf8').codePointAt(0) as number);
  }
  return points;
}

const STRAY = 0x110000;
/** One well-formed UTF-8 sequence over one char a byte (Unicode 15, table 3-7), else one byte. */
const CHARACTER = new RegExp(
  '[\\xc2-\\xdf][\\x80-\\xbf]|\\xe0[\\xa0-\\xbf][\\x80-\\xbf]|[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}|\\xed[\\x80-\\x9f][\\x80-\\xbf]' +
  '|\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}|[\\xf1-\\xf3][\\x80-\\xbf]{3}|\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2}|[^]', 'g',
);

/** What is special is told apart before `\xHH` become bytes, so that such a byte is never special. */
function tokensOf(text: string, pattern: string): Token[] {
  const tokens: Token[] = [];
  let literal = '';
  const flush = (): void => {
    for (const point of pointsOf(parseName(literal))) tokens.push({ point });
    literal = '';
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at] as string;
    if (char === '*' || char === '?') {
      flush();
      if (char === '?' || tokens.at(-1) !== '*') tokens.push(char);
    } else if (char === '[') {
      flush();
      const end = endOfSet(text, at, pattern);
      tokens.push(setOf(text.slice(at + 1, end), pattern));
      at = end;
    } else if (char === '\\' && !/^\\x[0-9a-fA-F]{2}/.test(text.slice(at, at + 4))) {
      if (++at === text.length) throw bad(pattern, 'the \\ at the end of a name stands before nothing');
      const escaped = String.fromCodePoint(text.codePointAt(at) as number);
      flush();
      for (const point of pointsOf(Buffer.from(escaped, 'utf8').toString('latin1'))) tokens.push({ point });
      at += escaped.length - 1;
    } else {
      literal += char;
    }
  }
  flush();
  return tokens;
}

function endOfSet(text: string, begin: number, pattern: string): number {
  let at = begin + 1;
  if (text[at] === '!' || text[at] === '^') at++;
  for (let first = true; at < text.length; at++, first = false) {
    if (text[at] === ']' && !first) return at;
    if (text[at] === '\\') at++;
  }
  throw bad(pattern, `the set ${text.slice(begin)} has no "]"`);
}

function setOf(body: string, pattern: string): Token {
  const negated = body[0] === '!' || body[0] === '^';
  const bytes = parseName((negated ? body.slice(1) : body).replace(/\\(?!x[0-9a-fA-F]{2})([^])/g, (_, char: string) => `${char}\0`));
  // A zero byte, which no name has, marks a character that a backslash stood before: it makes no range.
  const points = pointsOf(bytes);
  const ranges: [number, number][] = [];
  for (let i = 0; i < points.length; i++) {
    const from = points[i] as number;
    if (from === 0) continue;
    const skip = points[i + 1] === 0 ? 1 : 0;
    const to = points[i + skip + 2];
    if (points[i + skip + 1] === HYPHEN && points[i + skip + 2] !== undefined && points[i + skip + 2] !== 0) {
      if ((to as number) < from) throw bad(pattern, `the set [${body}] has a range that ends before it begins`);
      ranges.push([from, to as number]);
      i += skip + 2;
    } else {
      ranges.push([from, from]);
    }
  }
  return { negated, ranges };
}

const HYPHEN = 0x2d;

function fits(token: Exclude<Token, '*'>, point: number): boolean {
  if (token === '?') return true;
  if ('point' in token) return token.point === point;
  return token.negated !== token.ranges.some(([from, to]) => point >= from && point <= to);
}

const nameFits = (part: Token[], name: number[]): boolean => match(part, name, fits);

/** Greedy, falling back to the last star only: for a star that can take one item at a time no other needs another try. */
function match<T, I>(tokens: readonly (T | '*')[], items: readonly I[], one: (token: Exclude<T, '*'>, item: I) => boolean): boolean {
  let token = 0;
  let star = -1;
  let resume = 0;
  for (let item = 0; item < items.length;) {
    const next = tokens[token];
    if (next === '*') {
      star = token++;
      resume = item;
    } else if (next !== undefined && one(next as Exclude<T, '*'>, items[item] as I)) {
      token++;
      item++;
    } else if (star >= 0) {
      token = star + 1;
      item = ++resume;
    } else {
      return false;
    }
  }
  while (tokens[token] === '*') token++;
  return token === tokens.length;
}
