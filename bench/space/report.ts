/** The result as tables: what the terminal shows, and docs/space.md. A pure function of the result. */
import { BARS, PEERS, seen, type Figures, type Result, type Scale } from './model.js';

const cells = (...all: string[]): string => `| ${all.join(' | ')} |`;
export const table = (head: string[], rows: string[][]): string => [cells(...head), `|${'---|'.repeat(head.length)}`, ...rows.map((row) => cells(...row))].join('\n');
export const grouped = (text: string): string => text.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
export const megabytes = (bytes: number | undefined): string => (bytes === undefined ? '-' : bytes < 1e8 ? (bytes / 1e6).toFixed(2) : grouped((bytes / 1e6).toFixed(0)));

/** How much of each work was done. */
const AMOUNTS: Record<string, (scale: Scale, snapshots: number) => string> = {
  revisions: (_, snapshots) => `${snapshots - 1} revisions`,
  saves: ({ saves }) => `${grouped(String(saves))} saves`,
  sqlite: ({ databaseMiB, updates }) => `${databaseMiB} MB, ${grouped(String(updates))} updates`,
  'sqlite, rollback journal': ({ databaseMiB, updates }) => `${databaseMiB} MB, ${grouped(String(updates))} updates`,
  log: ({ lines }) => `${grouped(String(lines))} lines`,
  builds: ({ builds, units }) => `${builds} builds of ${units} files`,
};

const amount = (name: string, { scale, snapshots }: Figures): string => AMOUNTS[name]?.(scale, snapshots) ?? '';

function row([name, figures]: [string, Figures]): string[] {
  const { title, records, snapshots, writtenBytes, changedBytes, beforeBytes, recordedBytes, storedBytes, peers } = figures;
  return [`${title}: ${amount(name, figures)}`, grouped(String(records)), megabytes(writtenBytes), megabytes(changedBytes), megabytes(beforeBytes), megabytes(recordedBytes), `**${megabytes(storedBytes)}**`, String(snapshots), ...PEERS.map((peer) => megabytes(peers[peer]))];
}

const bars = (result: Result): string[][] => BARS.map((bar) => {
  const ratio = seen(bar, result);
  const what = bar.against === 'changed' ? 'growth, by the bytes that changed' : `all of it, by ${bar.against}`;
  return [bar.workload, what, `at most ${bar.limit.toFixed(2)}`, Number.isNaN(ratio) ? '-' : ratio.toFixed(2), Number.isNaN(ratio) ? 'not measured' : ratio <= bar.limit ? 'reached' : '**missed**'];
});

const journals = (result: Result): string[] => Object.values(result.workloads).flatMap(({ title, ofDatabase, changedBytes, storedBytes, beforeBytes }) => (ofDatabase === undefined ? [] : [
  `${title}: only the ${megabytes(ofDatabase)} MB that changed in the database file itself count. With its journal or WAL, which history keeps too, ${megabytes(changedBytes)} MB changed: growth by these is ${((storedBytes - beforeBytes) / changedBytes).toFixed(2)}.\n`,
]));

export function report(result: Result): string {
  const out = [
    '## What it takes, MB\n',
    table(['', 'changes kept', 'written', 'of these changed', 'tree before', 'recorded', 'packed', 'snapshots', ...PEERS], Object.entries(result.workloads).map(row)),
    '\n## Asked and seen\n',
    table(['', 'measure', 'asked', 'seen', ''], bars(result)),
    '',
    ...journals(result),
  ];
  if (result.failures.length > 0) out.push('\n## Not measured\n', ...result.failures.map((text) => `- ${text}`));
  return out.join('\n');
}

/** docs/space.md, but for what `bench:year` adds to it. */
export function document(result: Result): string {
  const { machine, versions } = result;
  const dates = [...new Set(result.dates.map((date) => date.slice(0, 10)))].join(', ');
  const pack = Object.values(result.workloads).map(({ title, packSeconds }) => `${title} ${packSeconds.toFixed(0)} s`).join('; ');
  return `# Space

Written by \`npm run bench:space -- --write-docs\` from \`bench/space.json\`. How history is made small: [0010](decisions/0010-packing.md).

- **When**: ${dates}. **Machine**: ${Object.entries(machine).map(([name, value]) => `${name.replaceAll('_', ' ')} ${String(value)}`).join(', ')}.
- **Peers**: ${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ')} (Debian), with their defaults, on the same work in a plain directory: one snapshot
  for each revision, save or build; of the databases and the log ten, and the first. rewindfs holds **every** write, and with it every state between.
- **Sizes** are sums of the lengths of all files: of a peer its repository, of rewindfs the database in \`history/\` with RocksDB's own logs, after
  \`rewind pack\`. Not counted: the journal, which holds nothing by then (one segment of 64 MiB stays allocated). *Tree before* is the store
  packed before the work began, part of all later figures. *Recorded* is the store before it is packed.
- **Changed** are those bytes of all writes to all files that were other than what lay there just before (a new file: all of it), counted from history itself.
- **The work**: revisions of this repository, each checked out after the one before (the newest 300, or as many as there are); saves of a 100-KiB
  text, in place and by rename by turns, each with a few lines changed, inserted or taken out; updates of one row of 400 bytes of a
  database, each a transaction of its own; lines appended to a log with a write each; builds of C++ files, each after an edit, all
  output captured at each write. Asked were 300 revisions, 500 saves, 20,000 updates of 200 MB, 100,000 lines: where less is said below, less was done.
- Packing took (${pack}) on a machine that was shared.

${report(result)}
`;
}
