/** What happens behind the calls: how fast changes become history, how far it stays behind, what memory it takes. */
import path from 'node:path';
import { sleep } from '../../test/helpers/run.js';
import { memoryMiB } from '../observe.js';
import { caughtUp, progress, work, type Run, type Workload } from '../run.js';
import { dropCaches } from '../subjects.js';

const BOTH = ['memory', 'disk'] as const;
const MEBIBYTES = 512;
const PACE = 20_000;
const SAMPLE_MS = 50;

interface Sample {
  atMs: number;
  seq: number;
  extracted: number;
}

/** How long ago, at the last sample, the last record that is in history was appended; 0 when all are. */
export function lagSeconds(samples: readonly Sample[]): number {
  const last = samples.at(-1)!;
  if (last.extracted >= last.seq) return 0;
  const next = samples.findIndex(({ seq }) => seq > last.extracted);
  const [before, after] = [samples[Math.max(0, next - 1)]!, samples[next]!];
  const share = after.seq > before.seq ? (last.extracted - before.seq) / (after.seq - before.seq) : 0;
  return (last.atMs - (before.atMs + Math.max(0, share) * (after.atMs - before.atMs))) / 1000;
}

/** The most that history is behind while `act` runs. */
async function mostBehind(run: Run, act: Promise<unknown>): Promise<number> {
  const samples: Sample[] = [];
  let most = 0;
  let running = true;
  const ended = act.finally(() => { running = false; });
  while (running) {
    samples.push(await progress(run.tree));
    most = Math.max(most, lagSeconds(samples));
    await sleep(SAMPLE_MS);
  }
  await ended;
  return most;
}

export const history: readonly Workload[] = [
  {
    name: 'large writes into history',
    rows: [{ name: 'large writes until in history', unit: 'MiB/s', digits: 0 }, { name: 'of which after the last write', unit: 's', digits: 2, lessIsBetter: true }, { name: 'a view reads', unit: 'MiB/s', digits: 0 }],
    where: BOTH,
    on: 'rewindfs',
    async run(run) {
      const mebibytes = Math.min(MEBIBYTES, run.scale.sequentialMiB);
      await run.quiet();
      const started = performance.now();
      await work('sequential', run.directory, mebibytes);
      const written = performance.now();
      await caughtUp(run.tree);
      const ended = performance.now();
      run.note('large writes until in history', mebibytes / ((ended - started) / 1000));
      run.note('of which after the last write', (ended - written) / 1000);
      const { seq } = await progress(run.tree);
      await dropCaches();
      run.note('a view reads', (await work('read-all', path.join(run.directory, '.snapshots', `@#${seq}`, 'sequential'), 1)).rate);
    },
  },
  {
    name: 'small records into history',
    rows: [{ name: '100-byte writes', unit: '/s', digits: 0 }, { name: 'small records taken and put into history', unit: '/s', digits: 0 }, { name: 'memory of the daemon after them, peak', unit: 'MiB', digits: 0, lessIsBetter: true }],
    where: BOTH,
    on: 'rewindfs',
    once: true,
    async run(run) {
      const before = await progress(run.tree);
      await run.rate('100-byte writes', 'tiny-writes', run.directory, run.scale.records);
      await caughtUp(run.tree);
      const after = await progress(run.tree);
      run.note('small records taken and put into history', (after.extracted - before.extracted) / ((after.atMs - before.atMs) / 1000));
      run.note('memory of the daemon after them, peak', memoryMiB(run.tree.daemon).peak);
    },
  },
  {
    name: 'lag',
    rows: [{ name: 'history behind at 20,000 records/s, most', unit: 's', digits: 2, lessIsBetter: true }, { name: 'records/s that the paced writers reached', unit: '/s', digits: 0 }],
    where: BOTH,
    on: 'rewindfs',
    once: true,
    async run(run) {
      await run.quiet();
      const writing = work('paced', run.directory, PACE * run.scale.pacedSeconds);
      run.note('history behind at 20,000 records/s, most', await mostBehind(run, writing));
      run.note('records/s that the paced writers reached', (await writing).rate);
    },
  },
];
