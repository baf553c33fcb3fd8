/** What is measured, and what comes of it: plain data, so that a table, a bar and a file of figures say the same. */

export type Where = 'memory' | 'disk';

/** A figure by name. */
export interface Row {
  name: string;
  unit: string;
  digits: number;
  /** Of times and sizes, less is better. */
  lessIsBetter?: boolean;
}

/** How much work a run does. */
export interface Scale {
  writes: number;
  files: number;
  sequentialMiB: number;
  gitFiles: number;
  units: number;
  transactions: number;
  records: number;
  viewFiles: number;
  mountFiles: number;
  pacedSeconds: number;
}

export const FULL: Scale = { writes: 200_000, files: 10_000, sequentialMiB: 1024, gitFiles: 4000, units: 40, transactions: 10_000, records: 1_000_000, viewFiles: 20_000, mountFiles: 1_000_000, pacedSeconds: 45 };
export const QUICK: Scale = { writes: 10_000, files: 1_000, sequentialMiB: 128, gitFiles: 300, units: 4, transactions: 100, records: 100_000, viewFiles: 1_000, mountFiles: 5_000, pacedSeconds: 3 };

/** What the daemon did while a figure was taken. */
export interface Counts {
  /** Calls (or files, or MiB) that the client did; null when it is a program, of which nobody knows. */
  operations: number | null;
  /** Requests that the kernel sent, by the name of the operation. */
  requests: Record<string, number>;
  /** Seconds of CPU by name of the thread. */
  cpu: Record<string, number>;
}

/** One run of the benchmark, of which a result has the figures, or some of them. */
export interface Measured {
  date: string;
  subjects: string[];
  workloads: string[];
  /** What was changed on the machine for it. */
  notes: string[];
}

/** A workload that could not be measured on a subject: what was to come of it, and why it did not. */
export interface Failure {
  where: Where;
  subject: string;
  rows: string[];
  text: string;
}

type ByPlace<T> = Partial<Record<Where, Record<string, Record<string, T>>>>;

/** One run, or several joined: where -> row -> subject. Every round's figure is kept. */
export interface Result {
  runs: Measured[];
  machine: Record<string, unknown>;
  scale: Scale;
  subjects: string[];
  rows: Row[];
  figures: ByPlace<number[]>;
  counts: ByPlace<Counts>;
  failures: Failure[];
}

const median = (numbers: number[]): number => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;

/** The median of a figure's rounds; NaN when it was not measured. */
export function figure(result: Result, where: Where, row: string, subject: string): number {
  return median(result.figures[where]?.[row]?.[subject] ?? []);
}

/** Adds to a table of a result. */
export function entry<T>(table: ByPlace<T>, where: Where, row: string): Record<string, T> {
  return ((table[where] ??= {})[row] ??= {});
}

/**
 * Several runs of one machine as one: a figure of a later one replaces that of an earlier one, and a failure to measure what
 * a later one measured is forgotten.
 * @throws Error when they are not of the same machine and scale
 */
export function join(results: Result[]): Result {
  const [first, ...rest] = results;
  const joined = structuredClone(first!);
  for (const next of rest) {
    for (const key of ['machine', 'scale'] as const) {
      if (JSON.stringify(next[key]) !== JSON.stringify(joined[key])) throw new Error(`runs of different ${key} cannot be joined`);
    }
    const later = ({ where, subject, rows }: Failure): boolean => rows.every((row) => next.figures[where]?.[row]?.[subject] !== undefined);
    joined.runs.push(...next.runs);
    joined.failures = [...joined.failures.filter((failure) => !later(failure)), ...next.failures];
    for (const name of next.subjects) if (!joined.subjects.includes(name)) joined.subjects.push(name);
    for (const row of next.rows) if (!joined.rows.some(({ name }) => name === row.name)) joined.rows.push(row);
    for (const table of ['figures', 'counts'] as const) {
      for (const where of ['memory', 'disk'] as const) {
        for (const [row, bySubject] of Object.entries(next[table][where] ?? {})) Object.assign(entry(joined[table] as ByPlace<unknown>, where, row), bySubject);
      }
    }
  }
  return joined;
}
