/**
 * One workload on one subject. Guarantees: before a figure is taken, what came before it is over: history has caught up and
 * the disk is quiet; every command has a time-out; with rewindfs the requests behind each figure are kept with it.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { MountedTree } from '../test/helpers/mount.js';
import { must, projectRoot, sleep } from '../test/helpers/run.js';
import type { Scope } from '../test/helpers/scope.js';
import type { Material } from './material.js';
import { type Counts, entry, type Result, type Row, type Scale, type Where } from './model.js';
import { counted } from './observe.js';
import type { Subject, SubjectKind } from './subjects.js';

/** On which subjects a workload makes sense: `no-script` leaves out those that are too slow for real work. */
export type On = 'all' | 'no-script' | 'raw-and-rewindfs' | 'rewindfs';

export interface Workload {
  name: string;
  rows: readonly Row[];
  where: readonly Where[];
  on: On;
  /** Once in a run, however many rounds: it takes long, or is steady. */
  once?: boolean;
  run(run: Run): Promise<void>;
}

interface Figure {
  value: number;
  operations: number | null;
}

const LONG_MS = 1_800_000;

/** seq that is in history, and that which was acknowledged, now. */
export async function progress(tree: MountedTree): Promise<{ atMs: number; seq: number; extracted: number }> {
  const status = await tree.control('status');
  return { atMs: performance.now(), seq: status['seq'] as number, extracted: status['extracted_seq'] as number };
}

/** Resolves to how long history takes to catch up, in seconds. */
export async function caughtUp(tree: MountedTree): Promise<number> {
  const start = await progress(tree);
  let last = start;
  while (last.extracted < start.seq) {
    await sleep(5);
    last = await progress(tree);
  }
  return (last.atMs - start.atMs) / 1000;
}

export class Run {
  constructor(readonly kind: SubjectKind, readonly subject: Subject, readonly where: Where, readonly scale: Scale, readonly material: Material, readonly scope: Scope, private readonly result: Result) {}

  get directory(): string {
    return this.subject.directory;
  }

  /** Only where the workload is on rewindfs alone. */
  get tree(): MountedTree {
    return this.subject.tree!;
  }

  /** An empty directory in the subject. */
  async fresh(): Promise<string> {
    const area = path.join(this.directory, 'area');
    await must('rm', ['-rf', area], { timeoutMs: LONG_MS });
    fs.mkdirSync(area);
    return area;
  }

  note(row: string, value: number): void {
    (entry(this.result.figures, this.where, row)[this.kind.name] ??= []).push(value);
  }

  /** Waits until nothing of before is left to do. */
  async quiet(): Promise<void> {
    if (this.subject.tree?.mounted) await caughtUp(this.subject.tree);
    if (this.where === 'disk') await must('sync', [], { timeoutMs: 300_000 });
  }

  /** Takes a figure; answers what rewindfs did for it. */
  async take(row: string, act: () => Promise<Figure>): Promise<Counts | undefined> {
    await this.quiet();
    const { tree } = this.subject;
    if (tree === undefined) {
      this.note(row, (await act()).value);
      return undefined;
    }
    const { answer, counts } = await counted(tree, act);
    this.note(row, answer.value);
    entry(this.result.counts, this.where, row)[this.kind.name] = counts;
    return counts;
  }

  /** What the worker reaches, a second. */
  async rate(row: string, test: string, directory: string, count: number): Promise<void> {
    await this.take(row, async () => {
      const { rate, done } = await work(test, directory, count);
      return { value: rate, operations: done };
    });
  }

  /** How long something takes. */
  async seconds(row: string, act: () => Promise<unknown>, operations: number | null = null): Promise<void> {
    await this.take(row, async () => ({ value: await secondsOf(act), operations }));
  }

  /** How long a program takes. */
  async program(row: string, command: string, args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv; input?: string } = {}): Promise<void> {
    await this.seconds(row, () => must(command, args, { timeoutMs: LONG_MS, ...options }));
  }
}

export async function secondsOf(act: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await act();
  return (performance.now() - started) / 1000;
}

/** One test of the worker, by itself. */
export async function work(test: string, directory: string, count: number): Promise<{ rate: number; done: number; evenness: number }> {
  const [rate, done, evenness] = (await must(path.join(projectRoot, 'build/bench-worker'), [test, directory, String(count)], { timeoutMs: LONG_MS })).split(' ').map(Number);
  return { rate: rate!, done: done!, evenness: evenness! };
}
