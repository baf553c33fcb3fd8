/** A result as tables: what the terminal shows, and docs/performance.md. A pure function of the result. */
import { seen, type Seen } from './bars.js';
import { figure, type Result, type Row, type Where } from './model.js';

const PLACES: readonly [Where, string][] = [['memory', 'On tmpfs'], ['disk', 'On disk']];

const cells = (...all: string[]): string => `| ${all.join(' | ')} |`;
const table = (head: string[], rows: string[][]): string => [cells(...head), `|${'---|'.repeat(head.length)}`, ...rows.map((row) => cells(...row))].join('\n');
const number = (value: number, digits: number): string => (Number.isFinite(value) ? value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, ',') : '-');

/** Figures of one place: a row each, a column a subject. */
function figures(result: Result, where: Where): string {
  const rows = result.rows.filter(({ name }) => result.figures[where]?.[name] !== undefined);
  const line = ({ name, unit, digits }: Row): string[] => [unit ? `${name}, ${unit}` : name, ...result.subjects.map((subject) => number(figure(result, where, name, subject), digits))];
  return table(['', ...result.subjects], rows.map(line));
}

/** Requests that the kernel sent for each call; of programs, in all. */
function counts(result: Result, where: Where): string {
  const lines: string[][] = [];
  for (const { name } of result.rows) {
    for (const [subject, { operations, requests }] of Object.entries(result.counts[where]?.[name] ?? {})) {
      const each = Object.entries(requests).map(([op, count]): [string, number] => [op, count / (operations ?? 1)]);
      const shown = each.filter(([, count]) => count >= 0.005).sort(([, a], [, b]) => b - a);
      const sum = each.reduce((all, [, count]) => all + count, 0);
      const digits = operations === null ? 0 : 2;
      lines.push([name, subject, operations === null ? 'in all' : 'each', number(sum, digits), shown.map(([op, count]) => `${op} ${number(count, digits)}`).join(', ')]);
    }
  }
  return table(['', 'mount', '', 'requests', 'of which'], lines);
}

/** CPU of the daemon behind the figures of real work, in seconds. */
function cpu(result: Result, where: Where): string {
  const lines: string[][] = [];
  for (const { name, unit } of result.rows) {
    for (const [subject, { cpu: seconds }] of Object.entries(result.counts[where]?.[name] ?? {})) {
      if (unit === 's') lines.push([name, subject, number(figure(result, where, name, subject), 2), ...['engine', 'javascript', 'others'].map((kind) => number(seconds[kind] ?? 0, 2))]);
    }
  }
  return table(['', 'mount', 'took', 'engine', 'JavaScript (extraction, views)', 'others (RocksDB)'], lines);
}

/** Bars, asked and seen. */
function barTable(bars: readonly Seen[]): string {
  const out: string[] = [];
  let group = '';
  for (const bar of bars) {
    if (bar.group !== group) {
      group = bar.group;
      out.push(`\n**${group}**\n`, cells('', 'asked', 'seen', ''), '|---|---|---|---|');
    }
    const digits = bar.limit >= 50 ? 0 : 2;
    const sign = bar.kind === 'time' ? 'at most' : 'at least';
    const verdict = Number.isNaN(bar.seen) ? 'not measured' : bar.reached ? 'reached' : '**missed**';
    out.push(cells(bar.row, `${sign} ${number(bar.limit, digits)}`, number(bar.seen, digits), verdict));
  }
  return out.join('\n');
}

/** What was seen, as tables; of bars only those that were measured unless `all` is asked for. */
export function report(result: Result, all = false): string {
  const out: string[] = [];
  for (const [where, title] of PLACES) {
    if (result.figures[where] === undefined) continue;
    out.push(`\n## ${title}\n`, figures(result, where));
    if (result.counts[where] === undefined) continue;
    const place = title.toLowerCase();
    out.push(`\n### Requests ${place}\n`, counts(result, where), `\n### CPU of the daemon ${place}, s\n`, cpu(result, where));
  }
  const bars = seen(result).filter((bar) => all || !Number.isNaN(bar.seen));
  if (bars.length > 0) out.push('\n## Asked and seen', barTable(bars));
  if (result.failures.length > 0) out.push('\n## Not measured\n', ...result.failures.map((text) => `- ${text}`));
  return out.join('\n');
}

/** docs/performance.md. */
export function document(result: Result): string {
  const { machine, scale } = result;
  const dates = [...new Set(result.dates.map((date) => date.slice(0, 10)))].join(', ');
  return `# Performance

Written by \`npm run bench -- --write-docs\` from \`bench/performance.json\`, which keeps every round.

- **When**: ${dates}. **Machine**: ${Object.entries(machine).map(([name, value]) => `${name.replaceAll('_', ' ')} ${String(value)}`).join(', ')}.
- **Method**: all subjects in one run, taking turns; a figure is the median of ${result.rounds} round${result.rounds === 1 ? '' : 's'}. Each workload begins
  on a fresh mount; before each figure history has caught up and the disk is synced. One client, one thread, unless a row
  says otherwise. rewindfs records everything; the peers record nothing.
- **Sizes**: ${number(scale.files, 0)} files, ${number(scale.sequentialMiB, 0)} MiB of sequential writes on disk, a repository of ${number(scale.gitFiles, 0)} files and 20 revisions,
  ${number(scale.units, 0)} C++ files, ${number(scale.transactions, 0)} transactions, a past tree of ${number(scale.viewFiles, 0)} files, a large tree of ${number(scale.mountFiles, 0)} files.
- **Peers**: the directory itself, \`bench/peers/fuse-native.mjs\` (npm), bindfs (Debian), and what \`--peer\` named: libfuse's
  example passthrough_hp is the fastest pass-through that there is.
- A speed is proved by counts: under each table stands how many requests the kernel sent for one call. What the kernel
  sends late (releases, forgets) is counted with the call that caused it.
${report(result, true)}
`;
}
