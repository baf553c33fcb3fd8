/**
 * The table of recoveries: every attempt to put a file back, over restarts. Guarantees: what was told as begun is in the
 * file before it begins; the file is replaced whole; what failed for good stays until the same path is recovered or its
 * program says that it is well; the table is bounded.
 */
import { readFile } from 'node:fs/promises';
import { replaceFile } from '../replace.js';
import type { RecoveryRow } from './protocol.js';

export type Job = Omit<RecoveryRow, 'type'>;

/** Ended jobs that are kept, at most; those that failed go last. */
const KEPT = 1000;

interface Stored { next: number; jobs: Job[]; checked: Record<string, string> }

export class JobTable {
  private writing: Promise<void> = Promise.resolve();
  private readonly ended = new Set<(job: Job) => void>();

  private constructor(private readonly file: string, private readonly stored: Stored) {}

  /** A table that cannot be read begins anew: it tells of recoveries, none depends on it. */
  static async load(file: string): Promise<JobTable> {
    const text = await readFile(file, 'utf8').catch(() => '');
    try {
      const { next, jobs, checked } = JSON.parse(text) as Stored;
      if (Number.isSafeInteger(next) && Array.isArray(jobs) && typeof checked === 'object' && checked !== null) return new JobTable(file, { next, jobs, checked });
    } catch {
      // none yet, or not ours
    }
    return new JobTable(file, { next: 1, jobs: [], checked: {} });
  }

  /** The newest first. */
  all(): Job[] {
    return [...this.stored.jobs].reverse();
  }

  /** Paths whose newest recovery failed for good, with that. */
  failed(): Job[] {
    const newest = new Map(this.stored.jobs.map((job) => [job.path, job]));
    return [...newest.values()].filter(({ result }) => result === 'failed');
  }

  running(path?: string): Job[] {
    return this.stored.jobs.filter((job) => job.result === 'running' && (path === undefined || job.path === path));
  }

  async begin(job: Omit<Job, 'id'>): Promise<Job> {
    const begun = { id: this.stored.next++, ...job };
    this.stored.jobs.push(begun);
    await this.save();
    return begun;
  }

  /** Takes effect at once; resolves when it is on the disk. */
  async update(job: Job, change: Partial<Job>): Promise<void> {
    Object.assign(job, change);
    if (job.result !== 'running') for (const listener of this.ended) listener(job);
    await this.save();
  }

  /** The files of these are well: what failed for them is no matter any more. */
  async settle(paths: readonly string[]): Promise<void> {
    const failed = this.failed().filter(({ path }) => paths.includes(path));
    for (const job of failed) Object.assign(job, { result: 'dropped', note: `${job.note}; its program says that it is well` });
    if (failed.length > 0) await this.save();
  }

  /** When the files of a rule were last compared with history, in milliseconds since the epoch; null: never. */
  checkedAt(pattern: string): number | null {
    const at = this.stored.checked[pattern];
    return at === undefined ? null : Date.parse(at);
  }

  async noteCheck(patterns: readonly string[], at: Date): Promise<void> {
    for (const pattern of patterns) this.stored.checked[pattern] = at.toISOString();
    await this.save();
  }

  /** Told of every job that ends; answers how to end that. */
  onEnded(listener: (job: Job) => void): () => void {
    this.ended.add(listener);
    return () => { this.ended.delete(listener); };
  }

  private save(): Promise<void> {
    const { jobs } = this.stored;
    for (const result of ['dropped', 'recovered', 'failed']) {
      while (jobs.length > KEPT) {
        const at = jobs.findIndex((job) => job.result === result);
        if (at < 0) break;
        jobs.splice(at, 1);
      }
    }
    // One after the other, each with what there is by then.
    return (this.writing = this.writing.catch(() => undefined).then(() => replaceFile(this.file, JSON.stringify(this.stored))));
  }
}
