/** What the bench of space measures, and the bars: plain data. */

/** How much work a run does. */
export interface Scale { revisions: number; saves: number; databaseMiB: number; updates: number; lines: number; builds: number; units: number }

export const FULL: Scale = { revisions: 300, saves: 500, databaseMiB: 200, updates: 20_000, lines: 100_000, builds: 20, units: 24 };
/** So many hundredths of the full work, for a machine that has no time for all of it. */
export function partOf(percent: number): Scale {
  return Object.fromEntries(Object.entries(FULL).map(([name, value]) => [name, Math.max(1, Math.round(value * percent / 100))])) as unknown as Scale;
}

export const QUICK: Scale = { revisions: 12, saves: 20, databaseMiB: 2, updates: 200, lines: 2000, builds: 2, units: 2 };

export const PEERS = ['restic', 'borg'] as const;
export type Peer = (typeof PEERS)[number];

/** Bytes of one workload. */
export interface Figures {
  title: string;
  /** Records that rewindfs kept, and snapshots that each peer took. */
  records: number;
  snapshots: number;
  /** What programs wrote, and how many of those bytes were other than before; `ofDatabase`: the same of the one file that counts, where there is one. */
  writtenBytes: number;
  changedBytes: number;
  ofDatabase?: number;
  /** What history took before the work (the tree as it was), as it was recorded, and packed. */
  beforeBytes: number;
  recordedBytes: number;
  storedBytes: number;
  peers: Partial<Record<Peer, number>>;
  /** How long `rewind pack` took. */
  packSeconds: number;
  /** How much work it was. */
  scale: Scale;
}

export interface Result {
  dates: string[];
  machine: Record<string, unknown>;
  versions: Record<string, string>;
  workloads: Record<string, Figures>;
  failures: string[];
}

/** What was asked: of a workload, at most so many times a peer, or so many times the bytes that changed; of a database, those in its file alone. */
export interface Bar { workload: string; against: Peer | 'changed'; limit: number }

export const BARS: readonly Bar[] = [
  { workload: 'revisions', against: 'restic', limit: 1 }, { workload: 'revisions', against: 'borg', limit: 1 },
  { workload: 'saves', against: 'restic', limit: 0.2 }, { workload: 'saves', against: 'borg', limit: 0.2 },
  { workload: 'sqlite', against: 'changed', limit: 1.3 }, { workload: 'sqlite, rollback journal', against: 'changed', limit: 1.3 },
  { workload: 'log', against: 'changed', limit: 1.3 },
];

/** How often a bar's measure goes into what rewindfs took; NaN when it was not measured. */
export function seen({ workload, against }: Bar, { workloads }: Result): number {
  const figures = workloads[workload];
  if (figures === undefined) return NaN;
  return against === 'changed' ? (figures.storedBytes - figures.beforeBytes) / (figures.ofDatabase ?? figures.changedBytes) : figures.storedBytes / (figures.peers[against] ?? NaN);
}

/** Several runs of one machine as one; a later one's workloads replace an earlier one's. */
export function join(results: readonly Result[]): Result {
  const joined = structuredClone(results[0]!);
  for (const next of results.slice(1)) {
    if (JSON.stringify(next.machine) !== JSON.stringify(joined.machine)) throw new TypeError('runs of different machines cannot be joined');
    joined.dates.push(...next.dates);
    joined.failures.push(...next.failures);
    Object.assign(joined.workloads, next.workloads);
    Object.assign(joined.versions, next.versions);
  }
  return joined;
}
