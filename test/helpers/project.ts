/** What the tidy tests look at: the project's files as text. No tests here. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './run.js';

/** Files under version control or about to be, that exist, relative to the root. */
export function projectFiles(pattern: RegExp): string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: projectRoot, encoding: 'utf8' });
  return listed.split('\n').filter((path) => pattern.test(path) && existsSync(join(projectRoot, path))).sort();
}

export function read(path: string): string {
  return readFileSync(join(projectRoot, path), 'utf8');
}

export const SOURCES = /^(lib|cli|native|bench|test|scripts)\/.*\.(ts|mjs|cc|h)$/;
