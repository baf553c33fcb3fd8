/** What the bench of a year measures: plain data, and what of it has to stay flat. */

/** How much is simulated; `part` of the whole tree, for tests. */
export interface Scale { days: number; changes: number; seed: number; part?: number }

export const FULL: Scale = { days: 365, changes: 10_000_000, seed: 5 };
export const QUICK: Scale = { days: 60, changes: 60_000, seed: 5, part: 0.2 };

/** When the simulated year begins: a Wednesday. */
export const BEGIN_MS = new Date(2025, 0, 1).getTime();

/** The questions that are timed, in the order of the tables: each in milliseconds. */
export const QUESTIONS = {
  logFile: '`log -n 20` of a source file',
  logDatabase: '`log -n 20` of the database',
  logDirectory: '`log -n 20` of a directory',
  logTree: '`log -n 20` of the tree',
  view: 'a random kept instant: resolve, list all',
  read: 'and read 100 files',
  rollbackDay: 'plan: the tree to a day ago',
  rollbackMonth: 'plan: a file to a month ago',
} as const;
export type Question = keyof typeof QUESTIONS;

/** What was there, and what it took, when a month was over. */
export interface Month {
  month: string;
  days: number;
  /** Changes so far (what `log` lists: opening and closing count not), and the records that they came in. */
  changes: number;
  records: number;
  /** Objects in the tree, and the bytes of its files. */
  objects: number;
  liveBytes: number;
  /** What programs wrote so far, and what was written to the store for it, rewriting counted each time. */
  writtenBytes: number;
  storedBytes: number;
  /** The database after the month's last round; by what lies in it. */
  historyBytes: number;
  families: Record<string, number>;
  /** Of this process, which also holds the simulated tree; the heap after a collection. */
  rssBytes: number;
  heapBytes: number;
  /** Medians, in milliseconds. */
  questions: Record<Question, number>;
  /** Seconds: of a retention round, the median and the longest of this month; packing and recording of a day, in the middle. */
  roundSeconds: number;
  longestRoundSeconds: number;
  packSeconds: number;
  recordSeconds: number;
  /** Instants that are kept apart: stretches that were merged. */
  merged: number;
  /** Instants whose files were compared with what they held when they were recorded, all that are still kept; the files that differed. */
  compared: Compared;
}

export interface Compared { instants: number; files: number; differing: number }

export interface Result {
  date: string;
  machine: Record<string, string | number>;
  scale: Scale;
  months: Month[];
  minutes: number;
  /** What is to be known of this run, in a sentence. */
  note?: string;
}

/** Which figures are to stay as they are, however long history is. */
export const FLAT: readonly { name: string; of: (month: Month) => number }[] = [
  { name: 'content in the history', of: (month) => contentBytes(month) },
  { name: 'memory', of: ({ rssBytes }) => rssBytes },
  ...Object.entries(QUESTIONS).map(([question, name]) => ({ name, of: ({ questions }: Month) => questions[question as Question] })),
  { name: 'a retention round', of: ({ roundSeconds }) => roundSeconds },
];

/** Families that tell of changes, not of states: kept for ever by design. */
export const TIMELINE: readonly string[] = ['changes', 'nodechanges', 'clock', 'times', 'writers', 'chain', 'points'];

export const timelineBytes = ({ families }: Month): number => TIMELINE.reduce((sum, family) => sum + (families[family] ?? 0), 0);
export const contentBytes = (month: Month): number => Object.values(month.families).reduce((sum, bytes) => sum + bytes, 0) - timelineBytes(month);

/** The last month over the fourth: by then each period of the first three months has come to its end. NaN in a shorter run. */
export function growth(months: readonly Month[], of: (month: Month) => number): number {
  const [early, last] = [months[SETTLED - 1], months.at(-1)];
  return early === undefined || last === early ? NaN : of(last!) / of(early);
}

const SETTLED = 4;
