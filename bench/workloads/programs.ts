/** Real work on disk, by the clock: what a developer waits for. */
import fs from 'node:fs';
import path from 'node:path';
import { must, shell, sleep, until } from '../../test/helpers/run.js';
import { GIT_ENV } from '../material/git.js';
import { NPM_ARGUMENTS } from '../material/npm.js';
import { secondsOf, work, type Run, type Workload } from '../run.js';
import { dropCaches } from '../subjects.js';

const seconds = (name: string) => ({ name, unit: 's', digits: 2, lessIsBetter: true });
const DISK = ['disk'] as const;

type Capture = 'none' | 'on-close';

/** What these patterns match is captured in this way from now on, where somebody captures at all. */
async function captureBy(run: Run, capture: Capture, match: string[]): Promise<void> {
  const { tree } = run.subject;
  if (tree === undefined) return;
  fs.writeFileSync(path.join(tree.store, 'policy.toml'), `[[rule]]\nmatch = ${JSON.stringify(match)}\ncapture = "${capture}"\n`);
  await until('the policy is in force', async () => (await tree.control('policy', { paths: match.map((pattern) => ({ path: pattern.slice(0, -1), directory: true })) }))['capture'] === capture);
}

/** An installation whose packages are captured in this way, and a large file, read when no cache has it. */
async function underPolicy(run: Run, capture: Capture, [install, remove, read]: readonly [string, string, string]): Promise<void> {
  const area = await run.fresh();
  await captureBy(run, capture, ['node_modules/', 'media/']);
  const project = await run.material.npm();
  await shell(`cp ${project}/package.json ${project}/package-lock.json ${area}`);
  await run.program(install, 'npm', ['ci', '--offline', ...NPM_ARGUMENTS], { cwd: area });
  await run.program(remove, 'rm', ['-rf', 'node_modules'], { cwd: area });
  const media = path.join(area, 'media');
  fs.mkdirSync(media);
  await work('sequential', media, 256);
  await run.quiet();
  await dropCaches(3);
  await run.rate(read, 'read-all', path.join(media, 'sequential'), 1);
}

function policyWorkload(name: string, capture: Capture, rows: readonly [string, string, string]): Workload {
  const [install, remove, read] = rows;
  return { name, rows: [seconds(install), seconds(remove), { name: read, unit: 'MiB/s', digits: 0 }], where: DISK, on: 'raw-and-rewindfs', run: (run) => underPolicy(run, capture, rows) };
}

export const programs: readonly Workload[] = [
  {
    name: 'git',
    rows: ['git status, after a checkout', 'git status', 'git status, cold', 'git checkout'].map(seconds),
    where: DISK,
    on: 'no-script',
    async run(run) {
      const repository = path.join(await run.fresh(), 'repository');
      const git = (...args: string[]): Promise<string> => must('git', ['-C', repository, ...args], { env: GIT_ENV, timeoutMs: 300_000 });
      await must('git', ['clone', '-q', '--no-hardlinks', await run.material.repository(), repository], { env: GIT_ENV, timeoutMs: 300_000 });
      await git('checkout', '-q', 'old');
      await sleep(1100);
      // The index is of the same second as the files: git reads them all once more, after which the kernel asks once for the
      // times of what was read.
      await run.seconds('git status, after a checkout', () => git('status', '--porcelain'));
      await git('status', '--porcelain');
      await run.seconds('git status', () => git('status', '--porcelain'));
      await run.quiet();
      await dropCaches();
      await run.seconds('git status, cold', () => git('status', '--porcelain'));
      await run.seconds('git checkout', () => git('checkout', '-q', 'new'));
      if ((await git('status', '--porcelain')) !== '') throw new Error('the checkout left differences');
    },
  },
  {
    name: 'npm',
    rows: ['npm ci', 'rm -rf node_modules'].map(seconds),
    where: DISK,
    on: 'no-script',
    async run(run) {
      const area = await run.fresh();
      const project = await run.material.npm();
      await shell(`cp ${project}/package.json ${project}/package-lock.json ${area}`);
      await run.program('npm ci', 'npm', ['ci', '--offline', ...NPM_ARGUMENTS], { cwd: area });
      await run.program('rm -rf node_modules', 'rm', ['-rf', 'node_modules'], { cwd: area });
    },
  },
  policyWorkload('left out', 'none', ['npm ci, node_modules left out', 'rm -rf node_modules, left out', 'first read, left out']),
  policyWorkload('on close', 'on-close', ['npm ci, node_modules on close', 'rm -rf node_modules, on close', 'first read, on close']),
  {
    name: 'make',
    rows: [seconds('make -j2')],
    where: DISK,
    on: 'no-script',
    async run(run) {
      const area = await run.fresh();
      await shell(`cp ${await run.material.program()}/* ${area}`);
      await run.program('make -j2', 'make', ['-s', '-j2'], { cwd: area });
      await must('./program', [], { cwd: area });
    },
  },
  {
    name: 'sqlite',
    rows: [seconds('sqlite, one-row transactions')],
    where: DISK,
    on: 'no-script',
    async run(run) {
      const area = await run.fresh();
      const database = path.join(area, 'test.db');
      const sqlite = (input: string): Promise<string> => must('sqlite3', ['-bail', database], { input, timeoutMs: 1_800_000 });
      await sqlite('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, value INTEGER);');
      const { transactions } = run.scale;
      const inserts = Array.from({ length: transactions }, (_, i) => `INSERT INTO t VALUES (${i}, 'name ${i}', ${(i * 7919) % 1000});\n`).join('');
      await run.take('sqlite, one-row transactions', async () => ({ value: await secondsOf(() => sqlite(inserts)), operations: transactions }));
      if ((await sqlite('SELECT count(*) FROM t; PRAGMA integrity_check;')).trim() !== `${transactions}\nok`) throw new Error('the database is not whole');
    },
  },
];
