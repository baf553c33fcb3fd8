/** What a daemon is asked and what it costs: requests of the kernel by operation, CPU by thread. A speed is proved by counts. */
import fs from 'node:fs';
import type { MountedTree } from '../test/helpers/mount.js';
import { sleep } from '../test/helpers/run.js';
import type { Counts } from './model.js';

type Sums = Record<string, number>;

const TICKS_PER_SECOND = 100;
/** Releases and forgets come after the call that they belong to. */
const LATE_MS = 100;

/** Seconds of CPU by kind of thread: the engine's workers, the thread of JavaScript (extraction, views, control), others. */
function cpuSeconds(pid: number): Sums {
  const sums: Sums = { engine: 0, javascript: 0, others: 0 };
  for (const tid of fs.readdirSync(`/proc/${pid}/task`)) {
    let stat: string;
    try {
      stat = fs.readFileSync(`/proc/${pid}/task/${tid}/stat`, 'utf8');
    } catch {
      continue;  // it has ended
    }
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const kind = name.startsWith('rewind-') ? 'engine' : Number(tid) === pid ? 'javascript' : 'others';
    sums[kind]! += (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }
  return sums;
}

/** Both, now. */
async function now(tree: MountedTree): Promise<{ requests: Sums; cpu: Sums }> {
  const { requests } = await tree.control('status');
  return { requests: (requests ?? {}) as Sums, cpu: cpuSeconds(tree.daemon) };
}

function difference(before: Sums, after: Sums): Sums {
  const names = Object.keys(after).filter((name) => after[name]! > (before[name] ?? 0));
  return Object.fromEntries(names.map((name) => [name, after[name]! - (before[name] ?? 0)]));
}

/** Does `act`, and answers what the daemon did meanwhile. */
export async function counted<T extends { operations: number | null }>(tree: MountedTree, act: () => Promise<T>): Promise<{ answer: T; counts: Counts }> {
  const before = await now(tree);
  const answer = await act();
  await sleep(LATE_MS);
  const after = await now(tree);
  return { answer, counts: { operations: answer.operations, requests: difference(before.requests, after.requests), cpu: difference(before.cpu, after.cpu) } };
}

/** Peak and present resident memory of a process, in MiB. */
export function memoryMiB(pid: number): { now: number; peak: number } {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / 1024;
  return { now: Math.round(field('VmRSS')), peak: Math.round(field('VmHWM')) };
}
