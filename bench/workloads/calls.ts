/** Calls, one client: each kind by itself, and the three programs that are nothing but calls. */
import path from 'node:path';
import { must, shell } from '../../test/helpers/run.js';
import { work, type Workload } from '../run.js';
import { dropCaches } from '../subjects.js';

const BOTH = ['memory', 'disk'] as const;
const perSecond = (name: string) => ({ name, unit: '/s', digits: 0 });
const seconds = (name: string) => ({ name, unit: 's', digits: 2, lessIsBetter: true });

export const calls: readonly Workload[] = [
  {
    name: 'data',
    rows: [perSecond('4 KiB writes'), { name: 'sequential write', unit: 'MiB/s', digits: 0 }, { name: 'sequential write, fdatasync', unit: 'MiB/s', digits: 0 }],
    where: BOTH,
    on: 'all',
    async run(run) {
      await run.rate('4 KiB writes', 'small-writes', await run.fresh(), run.scale.writes);
      const mebibytes = run.where === 'memory' ? Math.min(512, run.scale.sequentialMiB) : run.scale.sequentialMiB;
      await run.rate('sequential write', 'sequential', await run.fresh(), mebibytes);
      await run.rate('sequential write, fdatasync', 'sequential-synced', await run.fresh(), mebibytes);
    },
  },
  {
    name: 'names',
    rows: ['creates', 'stats, cold', 'open+read', 'renames', 'unlinks'].map(perSecond),
    where: BOTH,
    on: 'all',
    async run(run) {
      const { files } = run.scale;
      await run.rate('creates', 'creates', await run.fresh(), files);
      const area = await run.fresh();
      await work('prepare', area, files);
      await run.quiet();
      await dropCaches();
      await run.rate('stats, cold', 'stats', area, files);
      await run.rate('open+read', 'reads', area, files);
      await run.rate('renames', 'renames', area, files);
      await run.rate('unlinks', 'unlinks', area, files);
    },
  },
  {
    name: 'tree',
    rows: ['untar', 'grep -r', 'rm -rf'].map(seconds),
    where: BOTH,
    on: 'all',
    async run(run) {
      const { file, files } = await run.material.archive();
      const area = await run.fresh();
      await run.seconds('untar', () => must('tar', ['-xf', file, '-C', area], { timeoutMs: 300_000 }), files);
      await run.seconds('grep -r', () => shell(`grep -r no_such_word ${area} || true`, { timeoutMs: 300_000 }), files);
      await run.seconds('rm -rf', () => must('rm', ['-rf', area], { timeoutMs: 300_000 }), files);
    },
  },
  {
    name: 'second read',
    rows: [{ name: 'second read, a large file', unit: 'MiB/s', digits: 0 }, perSecond('second read, 4 KiB of an open file'), perSecond('second read, small files')],
    where: ['disk'],
    on: 'all',
    async run(run) {
      const area = await run.fresh();
      await work('sequential', area, 256);
      const file = path.join(area, 'sequential');
      await work('read-all', file, 1);
      await run.rate('second read, a large file', 'read-all', file, 8);
      await run.rate('second read, 4 KiB of an open file', 'preads', file, 200_000);
      await work('prepare', area, 1000);
      await work('reads', area, 1000);
      await run.rate('second read, small files', 'reads', area, 1000);
    },
  },
];
