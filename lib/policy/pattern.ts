/**
 * A gitignore pattern -> the form that the engine evaluates (native/live/policy.h): one glob for each name of a path.
 * Guarantees: what git reads as a pattern means the same here (a table of examples is held against `git check-ignore`);
 * what git would silently never match is refused with a reason.
 */

/** A pattern as the engine takes it. */
export interface CompiledPattern {
  /** Globs, one a name; `**` stands for any number of directories. Never empty. */
  parts: string[];
  /** Matches directories only (and so everything in them). */
  directory: boolean;
}

/** Why a pattern cannot be used. */
export class PatternError extends Error {}

/** @throws PatternError */
export function compilePattern(pattern: string): CompiledPattern {
  if (pattern === '') throw new PatternError('the pattern is empty');
  if (pattern.startsWith('!')) throw new PatternError('a pattern does not begin with "!": let a later rule say what it is to be instead ("\\!" is a name that begins so)');
  if (/[\0\n\r]/.test(pattern)) throw new PatternError('a pattern is one line');
  const directory = pattern.endsWith('/');
  const body = directory ? pattern.slice(0, -1) : pattern;
  const names = body.split('/').map((name) => (/^\*{2,}$/.test(name) ? '**' : name));
  const anchored = names.length > 1;
  if (names[0] === '') names.shift();
  if (names.length === 0 || names.some((name) => name === '')) throw new PatternError('a name between two slashes is missing');
  for (const name of names) checkGlob(name);
  // git reads such a "**" now as one star, now as directories, by what stands before it.
  if (anchored && names.some((name) => name !== '**' && name.includes('**'))) throw new PatternError('"**" stands alone between slashes; within a name one "*" says the same');
  // Two "**" in a row say no more than one.
  const parts = (anchored ? names : ['**', names[0] === '**' ? '*' : names[0]!]).filter((name, i, all) => name !== '**' || all[i - 1] !== '**');
  return { parts, directory };
}

function checkGlob(glob: string): void {
  if (glob === '.' || glob === '..') throw new PatternError(`"${glob}" is never the name of a file`);
  for (let at = 0; at < glob.length; at++) {
    if (glob[at] === '\\') {
      if (++at === glob.length) throw new PatternError('a backslash at the end of a name escapes nothing');
    } else if (glob[at] === '[') {
      at = endOfSet(glob, at);
    }
  }
}

const CLASSES = ['alnum', 'alpha', 'blank', 'cntrl', 'digit', 'graph', 'lower', 'print', 'punct', 'space', 'upper', 'xdigit'];

/** The place of the `]` that ends the set which begins here. */
function endOfSet(glob: string, begin: number): number {
  let at = begin + 1;
  if (glob[at] === '!' || glob[at] === '^') at++;
  for (let first = true; at < glob.length; first = false) {
    if (glob[at] === ']' && !first) return at;
    const named = /^\[:([^\]]*):\]/.exec(glob.slice(at));
    if (named) {
      if (!CLASSES.includes(named[1]!)) throw new PatternError(`[:${named[1]}:] is no class of characters`);
      at += named[0].length;
    } else {
      at += glob[at] === '\\' ? 2 : 1;
    }
  }
  throw new PatternError(`the set ${glob.slice(begin)} has no "]"`);
}

/** A value of `match`: one pattern or a list of them, each of them right. */
export function patternsOf(match: unknown, fail: (reason: string) => never): string[] {
  const patterns = Array.isArray(match) ? match as unknown[] : [match];
  if (patterns.length === 0) fail('match lists no pattern');
  return patterns.map((pattern) => {
    if (typeof pattern !== 'string') return fail('match is a pattern or a list of patterns, each in quotes');
    try {
      compilePattern(pattern);
    } catch (error) {
      if (error instanceof PatternError) fail(`${JSON.stringify(pattern)}: ${error.message}`);
      throw error;
    }
    return pattern;
  });
}
