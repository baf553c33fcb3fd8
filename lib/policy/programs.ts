/** Values of the policy file that name programs, as `--exe` does. */
import { compileProgramGlob, type ProgramGlob } from '../program.js';

/** One pattern or a list of them. @throws what `fail` throws */
export function programsOf(value: unknown, key: string, fail: (reason: string) => never): ProgramGlob[] {
  const patterns = Array.isArray(value) ? value as unknown[] : [value];
  if (patterns.length === 0) fail(`${key} lists no program`);
  return patterns.map((pattern) => {
    if (typeof pattern !== 'string' || pattern === '') return fail(`${key} is a pattern for programs in quotes, like "psql*" or "/usr/lib/postgresql/**", or a list of them`);
    try {
      return compileProgramGlob(pattern);
    } catch (error) {
      return fail((error as Error).message);
    }
  });
}
