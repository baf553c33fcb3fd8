/** A small project as there are many: some ten dependencies of its own, and with theirs thousands of files. */
import fs from 'node:fs';
import path from 'node:path';
import { must, projectRoot } from '../../test/helpers/run.js';

/** Of what rewindfs itself depends on, so that npm's cache has most of it. */
const DEPENDENCIES = ['@types/node', '@types/yargs', 'ava', 'chrono-node', 'diff', 'typescript', 'xxhash-wasm', 'yargs'];

export const NPM_ARGUMENTS = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier'];

interface Lock {
  packages: Record<string, { version: string }>;
}

/** A directory with package.json and package-lock.json; every package is in npm's cache afterwards. */
export async function npmProject(directory: string): Promise<string> {
  const lock = JSON.parse(fs.readFileSync(path.join(projectRoot, 'package-lock.json'), 'utf8')) as Lock;
  const dependencies = Object.fromEntries(DEPENDENCIES.map((name) => [name, lock.packages[`node_modules/${name}`]!.version]));
  fs.writeFileSync(path.join(directory, 'package.json'), JSON.stringify({ name: 'project', version: '1.0.0', private: true, dependencies }));
  await must('npm', ['install', '--prefer-offline', ...NPM_ARGUMENTS], { cwd: directory, timeoutMs: 300_000 });
  await must('rm', ['-rf', path.join(directory, 'node_modules')]);
  return directory;
}
