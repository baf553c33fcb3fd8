/** The columns of the table: what is done in a subject's directory, and the figure that comes of it. */
import fs from 'node:fs';
import path from 'node:path';
import { must, projectRoot, shell } from '../test/helpers/run.js';
import { dropCaches } from './subjects.js';

export interface Column {
  name: string;
  unit: string;
  /** Of times, less is better. */
  lessIsBetter?: boolean;
  digits: number;
}

export const columns: readonly Column[] = [
  { name: '4 KiB writes', unit: '/s', digits: 0 },
  { name: 'creates', unit: '/s', digits: 0 },
  { name: 'stats, cold', unit: '/s', digits: 0 },
  { name: 'open+read', unit: '/s', digits: 0 },
  { name: 'renames', unit: '/s', digits: 0 },
  { name: 'unlinks', unit: '/s', digits: 0 },
  { name: 'sequential write', unit: 'MiB/s', digits: 0 },
  { name: 'sequential write, fdatasync', unit: 'MiB/s', digits: 0 },
  { name: 'untar', unit: 's', lessIsBetter: true, digits: 2 },
  { name: 'grep -r', unit: 's', lessIsBetter: true, digits: 2 },
  { name: 'rm -rf', unit: 's', lessIsBetter: true, digits: 2 },
];

export interface Scale {
  writes: number;
  files: number;
  sequentialMiB: number;
}

/** One figure of the worker. */
export async function work(test: string, directory: string, count: number, timeoutMs = 300_000): Promise<number> {
  return Number(await must(path.join(projectRoot, 'build/bench-worker'), [test, directory, String(count)], { timeoutMs }));
}

async function seconds(act: () => Promise<unknown>): Promise<number> {
  const started = process.hrtime.bigint();
  await act();
  return Number(process.hrtime.bigint() - started) / 1e9;
}

/** An archive of 10,900 small files in 1,090 directories, made once: sizes as in a source tree. */
export async function archive(directory: string): Promise<string> {
  const tree = path.join(directory, 'source');
  let x = 12_345;
  const next = (): number => (x = (Math.imul(x, 1_103_515_245) + 12_345) & 0x7fffffff);
  for (let d = 0; d < 1090; d++) {
    const inner = path.join(tree, `part${d % 40}`, `dir${d}`);
    fs.mkdirSync(inner, { recursive: true });
    for (let f = 0; f < 10; f++) {
      const size = Math.min(200_000, Math.floor(300 * 2 ** ((next() % 1000) / 140)));
      const line = `static int value_${d}_${f} = ${next()}; /* a line as sources have them */\n`;
      fs.writeFileSync(path.join(inner, `file${f}.c`), line.repeat(Math.ceil(size / line.length)).slice(0, size));
    }
  }
  const file = path.join(directory, 'source.tar');
  await must('tar', ['-cf', file, '-C', directory, 'source']);
  await must('rm', ['-rf', tree]);
  return file;
}

/** One round of all columns in an empty directory; leaves it empty. */
export async function round(directory: string, tarball: string, scale: Scale): Promise<Record<string, number>> {
  const out: Record<string, number> = {};
  const area = path.join(directory, 'area');
  const fresh = async (): Promise<void> => {
    await must('rm', ['-rf', area], { timeoutMs: 300_000 });
    fs.mkdirSync(area);
  };
  await fresh();
  out['4 KiB writes'] = await work('small-writes', area, scale.writes);
  await fresh();
  out['creates'] = await work('creates', area, scale.files);
  await fresh();
  await work('prepare', area, scale.files);
  dropCaches();
  out['stats, cold'] = await work('stats', area, scale.files);
  out['open+read'] = await work('reads', area, scale.files);
  out['renames'] = await work('renames', area, scale.files);
  out['unlinks'] = await work('unlinks', area, scale.files);
  await fresh();
  out['sequential write'] = await work('sequential', area, scale.sequentialMiB);
  await fresh();
  out['sequential write, fdatasync'] = await work('sequential-synced', area, scale.sequentialMiB);
  await fresh();
  out['untar'] = await seconds(() => must('tar', ['-xf', tarball, '-C', area], { timeoutMs: 300_000 }));
  out['grep -r'] = await seconds(() => shell(`grep -r no_such_word ${area} || true`, { timeoutMs: 300_000 }));
  out['rm -rf'] = await seconds(() => must('rm', ['-rf', area], { timeoutMs: 300_000 }));
  return out;
}
