/** A result as tables: what the terminal shows, and docs/performance.md. A pure function of the result. */
import { seen, type Seen } from './bars.js';
import { figure, type Measured, type Result, type Row, type Where } from './model.js';
import { reasonOf } from './reasons.js';

const PLACES: readonly [Where, string][] = [['memory', 'On tmpfs'], ['disk', 'On disk']];

const cells = (...all: string[]): string => `| ${all.join(' | ')} |`;
const table = (head: string[], rows: string[][]): string => [cells(...head), `|${'---|'.repeat(head.length)}`, ...rows.map((row) => cells(...row))].join('\n');
const number = (value: number, digits: number): string => (Number.isFinite(value) ? value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, ',') : '-');

/** Of how many rounds the figures of a row are medians: 3, or "1 to 3" when the subjects differ. */
function rounds(result: Result, where: Where, row: string): string {
  const counted = Object.values(result.figures[where]?.[row] ?? {}).map(({ length }) => length);
  const [least, most] = [Math.min(...counted), Math.max(...counted)];
  return least === most ? String(most) : `${least} to ${most}`;
}

/** Figures of one place: a row each, a column a subject. */
function figures(result: Result, where: Where): string {
  const rows = result.rows.filter(({ name }) => result.figures[where]?.[name] !== undefined);
  const line = ({ name, unit, digits }: Row): string[] => [unit ? `${name}, ${unit}` : name, ...result.subjects.map((subject) => number(figure(result, where, name, subject), digits)), rounds(result, where, name)];
  return table(['', ...result.subjects, 'rounds'], rows.map(line));
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

/** Reached, or by how much not. */
function verdict({ seen: value, seenUnder, reached, kind, limit, under }: Seen): string {
  if (Number.isNaN(value)) return 'not measured';
  if (reached) return 'reached';
  const by = kind === 'time' ? value / limit - 1 : 1 - value / limit;
  const told = by > 0 ? `**missed** by ${Math.max(1, Math.round(100 * by))}%` : '**missed**';
  return under === undefined || seenUnder! >= under.least ? told : `${told}: ${number(seenUnder!, 0)} ${under.row}, ${number(under.least, 0)} were asked`;
}

/** What bounds the missed ones of a group, and what would move them. */
function reasons(bars: readonly Seen[]): string[] {
  const said = new Map<string, string[]>();
  for (const bar of bars.filter(({ seen: value, reached }) => !reached && !Number.isNaN(value))) {
    const reason = reasonOf(bar);
    const text = reason === undefined ? 'not known yet.' : `bound by ${reason.bound} Would move it: ${reason.move}`;
    said.set(text, [...(said.get(text) ?? []), bar.row]);
  }
  return [...said].map(([text, rows], i) => `${i === 0 ? '\n' : ''}- ${rows.join('; ')}: ${text}`);
}

/** Bars, asked and seen. */
function barTable(bars: readonly Seen[]): string {
  const groups = new Map<string, Seen[]>();
  for (const bar of bars) groups.set(bar.group, [...(groups.get(bar.group) ?? []), bar]);
  return [...groups].map(([group, own]) => {
    const lines = own.map((bar) => {
      const digits = bar.limit >= 50 ? 0 : 2;
      return [bar.row, `${bar.kind === 'time' ? 'at most' : 'at least'} ${number(bar.limit, digits)}`, number(bar.seen, digits), verdict(bar)];
    });
    return [`\n**${group}**\n`, table(['', 'asked', 'seen', ''], lines), ...reasons(own)].join('\n');
  }).join('\n');
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
  if (result.failures.length > 0) out.push('\n## Not measured\n', ...result.failures.map(({ rows, where, subject, text }) => `- ${rows.join('; ')} (${where}, ${subject}): ${text}`));
  return out.join('\n');
}

/** Which runs the figures are of. */
function runs(all: readonly Measured[]): string {
  const one = ({ date, notes }: Measured): string => [`${date.slice(0, 16).replace('T', ' ')} UTC.`, ...notes].join(' ');
  if (all.length === 1) return `- **Run**: all in one, ${one(all[0]!)}`;
  const lines = all.map((run) => `\n  - ${one(run)} ${run.subjects.join('; ')}: ${run.workloads.join(', ')}.`);
  return `- **Runs**: ${all.length}, joined; a later one replaces what an earlier one has of the same row and subject.${lines.join('')}`;
}

/** docs/performance.md. */
export function document(result: Result): string {
  const { machine, scale } = result;
  return `# Performance

Written by \`npm run bench -- --write-docs\` from \`bench/performance.json\`, which keeps every round.

${runs(result.runs)}
- **Machine**: ${Object.entries(machine).map(([name, value]) => `${name.replaceAll('_', ' ')} ${String(value)}`).join(', ')}.
- **Method**: the subjects of a run take turns; a figure is the median of as many rounds as its row says. Each workload
  begins on a fresh mount; before each figure history has caught up and the disk is synced. One client, one thread, unless a
  row says otherwise. rewindfs records everything, unless a row says otherwise; the peers record nothing.
- **Sizes**: ${number(scale.files, 0)} files, ${number(scale.sequentialMiB, 0)} MiB of sequential writes on disk, a repository of ${number(scale.gitFiles, 0)} files and 20 revisions,
  ${number(scale.units, 0)} C++ files, ${number(scale.transactions, 0)} transactions, a past tree of ${number(scale.viewFiles, 0)} files, a large tree of ${number(scale.mountFiles, 0)} files.
- **Peers**: the directory itself, \`bench/peers/fuse-native.mjs\` (npm), bindfs (Debian), and what \`--peer\` named: libfuse's
  example passthrough_hp is the fastest pass-through that there is.
- A speed is proved by counts: under each table stands how many requests the kernel sent for one call. What the kernel
  sends late (releases, forgets) is counted with the call that caused it.
${report(result, true)}
`;
}
