/**
 * The part of the policy file that says where content goes that no recent instant needs, and when: `[cold]`. Guarantees as for
 * the rest of the policy file (file.ts); docs/cold.md says what each key means.
 */
import { normalize } from 'node:path';
import type { Fail, Lines } from './lines.js';
import { secondsOf } from './values.js';

export interface ColdRules {
  /** An absolute path. */
  directory: string;
  /** All instants that are younger need nothing that lies there. */
  afterMs: number;
}

/** Keys of the table. */
export const COLD_KEYS = ['directory', 'after'];

/** null: no content goes anywhere. `keepOut`: directories that it must not go to, the tree's and the store's own. @throws what `fail` throws */
export function parseCold(table: unknown, keepOut: readonly string[], where: Lines, fail: Fail): ColdRules | null {
  if (table === undefined) return null;
  if (typeof table !== 'object' || table === null || Array.isArray(table)) return fail(where.ofKey('cold'), 'cold is one table: [cold]');
  const { directory, after, ...others } = table as Record<string, unknown>;
  const line = (key: string): number => where.inTable('cold', key);
  for (const key of Object.keys(others)) if (!COLD_KEYS.includes(key)) fail(line(key), `"${key}" is not known in [cold]: ${COLD_KEYS.join(', ')} was expected`);
  if (typeof directory !== 'string' || !directory.startsWith('/')) return fail(line('directory'), `directory ${said(directory)}: an absolute path like "/mnt/archive" was expected`);
  const seconds = secondsOf(after);
  if (seconds === null) return fail(line('after'), `after ${said(after)}: a time like "90d" (s, m, h or d) was expected`);
  const within = keepOut.find((one) => holds(one, directory));
  if (within !== undefined) return fail(line('directory'), `directory is ${directory}, which lies in ${within}: name one elsewhere, outside of the tree and of the store`);
  return { directory, afterMs: seconds * 1000 };
}

const said = (value: unknown): string => (value === undefined ? 'is missing' : `is ${JSON.stringify(value)}`);

/** Is a path a directory, or does it lie in it? */
const holds = (directory: string, path: string): boolean => `${normalize(path)}/`.startsWith(directory === '/' ? '/' : `${directory}/`);
