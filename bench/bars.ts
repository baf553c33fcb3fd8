/** What was asked of rewindfs before it was measured: each bar in one place, compared with what was seen. */
import { figure, type Result, type Where } from './model.js';

export const OURS = 'rewindfs';
export const OURS_URING = 'rewindfs, io_uring';
export const HP = 'passthrough_hp';
export const HP_URING = 'passthrough_hp, io_uring';

export interface Bar {
  group: string;
  row: string;
  where: Where;
  subject: string;
  /** The peer to compare with; a figure by itself when there is none. */
  against?: string;
  /** The peer's row, or our own, where it is another. */
  againstRow?: string;
  /** `rate`: so many times the peer's speed, or more. `time`: so many times the peer's time (or this figure), or less. `least`: this figure, or more. */
  kind: 'rate' | 'time' | 'least';
  limit: number;
  /** A row of the same subject that must have at least this figure: what the bar was asked under. */
  under?: { row: string; least: number };
}

export interface Seen extends Bar {
  /** NaN when it was not measured. */
  seen: number;
  /** What `under` names was. */
  seenUnder?: number;
  reached: boolean;
}

const COLUMNS = ['4 KiB writes', 'creates', 'stats, cold', 'open+read', 'renames', 'unlinks', 'sequential write', 'untar', 'grep -r', 'rm -rf'];

function columns(group: string, subject: string, against: string, limit: number, special: Record<string, number> = {}): Bar[] {
  return COLUMNS.map((row) => ({ group, row, where: 'memory', subject, against, kind: 'rate', limit: special[row] ?? limit }));
}

const own = (group: string, row: string, kind: 'time' | 'least', limit: number, where: Where = 'disk'): Bar => ({ group, row, where, subject: OURS, kind, limit });
/** rewindfs takes io_uring by itself where the kernel offers it. */
const realWork = (subject: string, transport: string): Bar[] =>
  Object.entries({ 'git status, after a checkout': 1.5, 'git status': 1.5, 'git status, cold': 1.5, 'git checkout': 2, 'npm ci': 2.5, 'make -j2': 1.15, 'sqlite, one-row transactions': 1.3 })
    .map(([row, limit]) => ({ group: `Real work on disk over ${transport}, time of the directory = 1`, row, where: 'disk', subject, against: 'directory', kind: 'time', limit }));

/** What is asked of each transport by itself. */
const ofTransport = (subject: string, transport: string): Bar[] => [
  { ...own(`Many clients, over ${transport}`, '16 clients, slowest : mean', 'least', 0.5), subject },
  { ...own(`Many clients, over ${transport}`, '16 clients, cores that the engine keeps busy', 'least', 1), subject },
  { ...own(`Steady load, over ${transport}`, 'history behind at 20,000 records/s, most', 'time', 5), subject, under: { row: 'records/s that the paced writers reached', least: 19_500 } },
];

const read = (row: string): Bar => ({ group: 'Data on disk, speed of the directory = 1', row, where: 'disk', subject: OURS, against: 'directory', kind: 'rate', limit: 0.95 });
const leftOut = (row: string, againstRow: string): Bar => ({ group: 'node_modules left out by the policy, time of recording it = 1', row, where: 'disk', subject: OURS, against: OURS, againstRow, kind: 'time', limit: 0.7 });

export const BARS: readonly Bar[] = [
  ...columns('Calls over /dev/fuse, everything recorded, speed of a fuse-native pass-through = 1', OURS, 'fuse-native', 1.5, { 'sequential write': 10 }),
  ...columns('Calls over /dev/fuse, everything recorded, speed of passthrough_hp (/dev/fuse), which records nothing, = 1', OURS, HP, 0.9),
  ...columns('Calls over io_uring, everything recorded, speed of passthrough_hp (/dev/fuse) = 1', OURS_URING, HP, 1.5),
  ...columns('Calls over io_uring, everything recorded, speed of passthrough_hp (io_uring) = 1', OURS_URING, HP_URING, 0.85),
  { group: 'Data on disk, speed of the directory = 1', row: 'sequential write, fdatasync', where: 'disk', subject: OURS, against: 'directory', kind: 'rate', limit: 0.45 },
  ...['second read, a large file', 'second read, 4 KiB of an open file', 'second read, small files', 'first read, left out', 'first read, on close'].map(read),
  leftOut('npm ci, node_modules left out', 'npm ci'),
  leftOut('rm -rf node_modules, left out', 'rm -rf node_modules'),
  ...realWork(OURS_URING, 'io_uring'),
  ...realWork(OURS, '/dev/fuse'),
  ...ofTransport(OURS, '/dev/fuse'),
  ...ofTransport(OURS_URING, 'io_uring'),
  own('History', 'extractor, 100-byte writes', 'least', 60_000),
  own('History', 'extractor, 128 KiB writes', 'least', 250),
  own('History', 'memory of the daemon after them, peak', 'time', 400),
  own('History', 'a view reads', 'least', 200),
  { group: 'Whole trees', row: 'grep -r of a past tree, first', where: 'disk', subject: OURS, against: 'directory', kind: 'time', limit: 6 },
  { group: 'Whole trees', row: 'grep -r of a past tree, again', where: 'disk', subject: OURS, against: 'directory', kind: 'time', limit: 1.5 },
  own('Whole trees', 'mount of a large tree until usable', 'time', 1),
  own('Whole trees', 'memory of the daemon with a large tree, peak', 'time', 500),
];

/** Each bar with what was seen. */
export function seen(result: Result): Seen[] {
  return BARS.map((bar) => {
    const ours = figure(result, bar.where, bar.row, bar.subject);
    const theirs = bar.against === undefined ? 1 : figure(result, bar.where, bar.againstRow ?? bar.row, bar.against);
    const lessIsBetter = result.rows.find(({ name }) => name === bar.row)?.lessIsBetter ?? false;
    const value = bar.kind === 'rate' && lessIsBetter ? theirs / ours : ours / theirs;
    const within = bar.kind === 'time' ? value <= bar.limit : value >= bar.limit;
    if (bar.under === undefined) return { ...bar, seen: value, reached: within };
    const seenUnder = figure(result, bar.where, bar.under.row, bar.subject);
    return { ...bar, seen: value, seenUnder, reached: within && seenUnder >= bar.under.least };
  });
}
