/**
 * What a rollback is asked to do: paths as typed, some with an instant of their own (`docs@14:59`), or a plan file. A name
 * that holds an `@` and exists is that name; `\x40` is an `@` that is nothing else.
 */
import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { RewindError } from '../lib/errors.js';
import { parseName, safeForTerminal } from '../lib/paths.js';
import { place, type Tree } from './ask.js';
import type { Arguments } from './command.js';

/** A path as the daemon takes it, and the instant that it goes to. */
export interface AskedPart {
  path: string;
  to: string;
}

/** What the command line, or a plan file, names. */
export interface Asked {
  /** Go all to one instant. */
  paths: string[];
  to?: string;
  parts: AskedPart[];
  /** `now` of the plan that a file holds. */
  planned_at?: number;
}

/** Divides what was typed into paths and paths with an instant. */
export async function readParts(tree: Tree, args: Arguments, typed: readonly string[]): Promise<Pick<Asked, 'paths' | 'parts'>> {
  const paths: string[] = [];
  const parts: AskedPart[] = [];
  for (const word of typed) {
    const at = word.lastIndexOf('@');
    const divided = at > 0 && at < word.length - 1 && at > word.lastIndexOf('/') && !(await exists(tree, word));
    if (divided) parts.push({ path: await place(tree, args, word.slice(0, at)), to: word.slice(at + 1) });
    else paths.push(await place(tree, args, word));
  }
  return { paths, parts };
}

async function exists({ found }: Tree, word: string): Promise<boolean> {
  const bytes = (path: string): Buffer => Buffer.from(parseName(path), 'latin1');
  for (const path of [word, join(found.mountpoint ?? found.tree, word)]) if (await lstat(bytes(path)).then(() => true, () => false)) return true;
  return false;
}

/** Reads a plan: TOML, or what `--dry-run --json` printed. Its paths count from the root of the tree. @throws ERR_USAGE naming the place */
export async function readPlanFile(file: string): Promise<Asked> {
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new RewindError('ERR_USAGE', `The plan ${safeForTerminal(file)} cannot be read: ${cause.message}`, 'Name a file: TOML, or what `rewind rollback ... --dry-run --json` printed.', { cause });
  });
  return /^\s*\{/.test(text) ? fromRows(file, text) : fromToml(file, text);
}

const wrong = (file: string, line: number | null, what: string): never => {
  throw new RewindError('ERR_USAGE', `${safeForTerminal(file)}${line === null ? '' : `:${line}`}: ${what}`, 'Nothing was changed. docs/recovery.md says what a plan file holds.');
};

function fromRows(file: string, text: string): Asked {
  const asked: Asked = { paths: [], parts: [] };
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    let row: Record<string, unknown>;
    try {
      row = JSON.parse(line) as Record<string, unknown>;
    } catch {
      return wrong(file, i + 1, 'this line is not JSON');
    }
    const seq = (row['at'] as { seq?: unknown } | undefined)?.seq;
    if (row['type'] === 'part' && (typeof row['path'] !== 'string' || !Number.isSafeInteger(seq))) wrong(file, i + 1, 'a part has a path, and a seq in its "at"');
    if (row['type'] === 'part') asked.parts.push({ path: row['path'] as string, to: `#${String(seq)}` });
    if (row['type'] === 'plan' && Number.isSafeInteger(row['now'])) asked.planned_at = row['now'] as number;
  }
  if (asked.parts.length === 0 || asked.planned_at === undefined) wrong(file, null, 'this is no whole plan: it has no line of type "part", or none of type "plan"');
  return asked;
}

function fromToml(file: string, text: string): Asked {
  let table: Record<string, unknown>;
  try {
    table = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return wrong(file, error.line, error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, ''));
  }
  const { to, part = [], ...others } = table;
  for (const key of Object.keys(others)) wrong(file, null, `"${key}" is not known here: to or [[part]] was expected`);
  if (to !== undefined && typeof to !== 'string') wrong(file, null, 'to must be a time in quotes, like "05:00"');
  if (!Array.isArray(part)) return wrong(file, null, 'parts are written [[part]], with two brackets');
  const parts = part.map((one: unknown, i): AskedPart => {
    const { path, to: at, ...more } = one as Record<string, unknown>;
    for (const key of Object.keys(more)) wrong(file, null, `"${key}" is not known in part ${i + 1}: path or to was expected`);
    if (typeof path !== 'string' || typeof at !== 'string') return wrong(file, null, `part ${i + 1} needs a path and a to, both in quotes`);
    return { path, to: at };
  });
  if (to === undefined && parts.length === 0) wrong(file, null, 'it names nothing to go back to');
  return { paths: [], to: to as string | undefined, parts };
}
