/** Shows what a rollback or restore plans and does: words on stdout, progress on stderr; with --json every message. */
import type { GapsSaid, OperationRow, WorkRow, WriterRow } from '../lib/daemon/protocol.js';
import { RewindError } from '../lib/errors.js';
import { echoInstant } from './ask.js';
import { flag, type Arguments } from './command.js';
import { showBytes, showTime, type Output } from './output.js';

/** What was shown. */
export interface Shown {
  /** The instant to go to, and the one that the plan starts from. */
  to: number;
  now: number;
  entries: number;
  /** Of these, those that were written out: the first, and all that is not done. */
  listed: number;
  conflicts: number;
  /** Paths with the instant that each goes to, and how many different ones there are. */
  parts: { path: string; to: string }[];
}

/** What to do about an operation that did not come to its end. */
export const HOW_TO_GO_ON = '`rewind rollback --resume` goes on with it, `rewind undo` takes back what it did';

export const describeInterrupted = ({ operation, note, time, id }: OperationRow): string => `${operation} #${id} (${note}), begun ${showTime(time)}, did not come to its end`;

/** Writers that a summary names. */
const NAMED_WRITERS = 5;

/** Entries of a plan that are shown before the question; `--dry-run` shows all. */
const SHOWN = 20;

const COLOURS = { restore: 'green', update: 'yellow', rename: 'yellow', delete: 'red', skip: 'dim' } as const;

export async function showWork(rows: AsyncIterable<WorkRow>, out: Output, limit: number): Promise<Shown> {
  const shown: Shown = { to: 0, now: 0, entries: 0, listed: 0, conflicts: 0, parts: [] };
  for await (const row of rows) {
    if (row.type === 'plan') { shown.to = row.to; shown.now = row.now; }
    if (row.type === 'entry') shown.entries++;
    if (row.type === 'conflict') shown.conflicts++;
    if (row.type === 'part') shown.parts.push({ path: row.path, to: `#${row.at.seq}` });
    if (out.json) await out.object(row);
    else await show(row, shown, out, limit);
  }
  if (!out.json && shown.entries > shown.listed && limit > 0) await out.line(`  ... and ${shown.entries - shown.listed} more (--dry-run shows all)`);
  return shown;
}

/**
 * Shows a plan and asks, as the arguments have it: undefined when the answer was given beforehand, null when there is
 * nothing to do, else the instant that was agreed to. @throws ERR_REFUSED
 */
export async function agree(args: Arguments, out: Output, question: string, plan: (dryRun: true) => AsyncIterable<WorkRow>): Promise<number | undefined | null> {
  if (!flag(args, 'dry-run') && flag(args, 'yes')) return undefined;
  return (await agreed(args, out, () => question, plan))?.now ?? null;
}

/** The same, where the question depends on the plan: answers what was shown. */
export async function agreed(args: Arguments, out: Output, question: (shown: Shown) => string, plan: (dryRun: true) => AsyncIterable<WorkRow>): Promise<Shown | null> {
  const dry = flag(args, 'dry-run');
  const shown = await showWork(plan(true), out, dry ? Infinity : SHOWN);
  if (dry || shown.entries === 0) return null;
  if (!await out.confirm(question(shown))) throw new RewindError('ERR_REFUSED', 'Nothing was changed: the answer was No');
  return shown;
}

async function show(row: WorkRow, shown: Shown, out: Output, limit: number): Promise<void> {
  switch (row.type) {
    case 'instant':
      return echoInstant(out, 'To ', row.at);
    case 'part':
      if (limit > 0) echoInstant(out, `${row.path === '.' ? 'The tree' : row.path} as at `, row.at);
      return;
    case 'resumes':
      return out.remark(`Going on with ${row.operation} #${row.id}: ${row.note}`);
    case 'newer':
      return await out.line(`  ${out.paint('red', 'newer  ')} ${row.path}  (changed since by ${row.by ? programOf(row.by) : 'somebody unknown'}: only with --force)`);
    case 'open':
      return await out.line(`  ${out.paint('red', 'open   ')} ${row.path}  (for writing, by ${row.command}[${row.pid}]: only with --force)`);
    case 'entry':
      if (shown.entries > limit && row.action !== 'skip') return;
      shown.listed++;
      return await out.line(`  ${out.paint(COLOURS[row.action], row.action.padEnd(7))} ${row.from === undefined ? '' : `${row.from} -> `}${row.path}${row.reason ? `  (${row.reason})` : ''}`);
    case 'conflict':
      return await out.line(`  ${out.paint('red', 'keeps  ')} ${row.path}  (conflict: ${row.reason}${row.by ? `: ${programOf(row.by)}` : ''})`);
    case 'coverage':
      if (limit === 0) return;
      await out.line(`${row.changes} changes of ${row.objects} objects by ${writersOf(row.writers)}`);
      return await out.line(`${row.taken_back} taken back, ${row.kept} with later changes kept, ${row.conflicting} conflicting, ${row.gaps} gaps`);
    case 'gaps':
      return limit === 0 ? undefined : sayGaps(out, row);
    case 'writers':
      if (limit === 0) return;
      return await out.line(`Changes that would go are of ${row.writers.slice(0, NAMED_WRITERS).map(programOf).join(', ')}${andMore(row.writers.length + row.more)}`);
    case 'plan':
      if (limit === 0) return;
      return await out.line(`Plan: ${counts(row.counts)}; ${showBytes(row.bytes)} to write`);
    case 'progress':
      return out.progress(`${row.done_ops} of ${row.total_ops} steps, ${showBytes(row.done_bytes)} of ${showBytes(row.total_bytes)}`);
    case 'failure':
      out.endProgress();
      return await out.line(`  failed  ${row.op} ${row.path}: errno ${row.errno}`);
    case 'done':
      out.endProgress();
      await out.line(`Done: ${counts(row.counts)}; ${showBytes(row.bytes)} written`);
      if (row.before !== null) await out.line('Undo it with: rewind undo');
      return;
    case 'discarded':
      return await out.line(`Forgotten: all that came after #${row.after}; until ${showTime(row.until)} back with: rewind prune --undo`);
    case 'restored':
      out.endProgress();
      return await out.line(`Restored into ${row.into}: ${showBytes(row.bytes)} in ${row.steps} steps`);
  }
}

/** That not all is known of what an answer is about. */
export function sayGaps(out: Output, { count, newest }: GapsSaid): void {
  const last = newest.at(-1)!;
  out.remark(`Not all is known of that time: ${count === 1 ? 'a gap' : `${count} gaps, the last`}: ${last.path === null ? '' : `${last.path}: `}${last.text} (${showTime(last.time)}). All of them: rewind gaps`);
}

/** Program and pid. */
export const programOf = ({ exe, argv, pid }: WriterRow): string => `${(exe || argv[0] || '?').split('/').at(-1)}[${pid}]`;

/** A few writers by name, the rest as a number. */
export function writersOf(writers: WriterRow[]): string {
  const names = [...new Set(writers.map(programOf))];
  if (names.length === 0) return 'nobody';
  return names.slice(0, NAMED_WRITERS).join(', ') + andMore(names.length);
}

const andMore = (names: number): string => (names > NAMED_WRITERS ? ` and ${names - NAMED_WRITERS} more` : '');

function counts({ restored, unchanged, updated, deleted, skipped }: Extract<WorkRow, { type: 'plan' }>['counts']): string {
  return `${restored} restored, ${unchanged} unchanged, ${updated} updated, ${deleted} deleted, ${skipped} skipped`;
}
