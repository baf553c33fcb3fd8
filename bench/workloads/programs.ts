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

/** Nothing of what these patterns match is captured from now on, where somebody captures at all. */
async function leaveOut(run: Run, ...match: string[]): Promise<void> {
  const { tree } = run.subject;
  if (tree === undefined) return;
  fs.writeFileSync(path.join(tree.store, 'policy.toml'), `[[rule]]\nmatch = ${JSON.stringify(match)}\ncapture = "none"\n`);
  await until('the policy is in force', async () => (await tree.control('policy', { paths: match.map((pattern) => ({ path: pattern.slice(0, -1), directory: true })) }))['capture'] === 'none');
}

export const programs: readonly Workload[] = [
  {
    name: 'git',
    rows: ['git status', 'git status, cold', 'git checkout'].map(seconds),
    where: DISK,
    on: 'no-script',
    async run(run) {
      const repository = path.join(await run.fresh(), 'repository');
      const git = (...args: string[]): Promise<string> => must('git', ['-C', repository, ...args], { env: GIT_ENV, timeoutMs: 300_000 });
      await must('git', ['clone', '-q', '--no-hardlinks', await run.material.repository(), repository], { env: GIT_ENV, timeoutMs: 300_000 });
      await git('checkout', '-q', 'old');
      // An index of the same second as the files makes git read them all again.
      await sleep(1100);
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
  {
    name: 'left out',
    rows: [...['npm ci, node_modules left out', 'rm -rf node_modules, left out'].map(seconds), { name: 'first read, left out', unit: 'MiB/s', digits: 0 }],
    where: DISK,
    on: 'raw-and-rewindfs',
    async run(run) {
      const area = await run.fresh();
      await leaveOut(run, 'node_modules/', 'media/');
      const project = await run.material.npm();
      await shell(`cp ${project}/package.json ${project}/package-lock.json ${area}`);
      await run.program('npm ci, node_modules left out', 'npm', ['ci', '--offline', ...NPM_ARGUMENTS], { cwd: area });
      await run.program('rm -rf node_modules, left out', 'rm', ['-rf', 'node_modules'], { cwd: area });
      const media = path.join(area, 'media');
      fs.mkdirSync(media);
      await work('sequential', media, 256);
      await run.rate('first read, left out', 'read-all', path.join(media, 'sequential'), 1);
    },
  },
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
