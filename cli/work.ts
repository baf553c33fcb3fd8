/** Shows what a rollback or restore plans and does: words on stdout, progress on stderr; with --json every message. */
import type { WorkRow } from '../lib/daemon/protocol.js';
import { echoInstant } from './ask.js';
import { showBytes, type Output } from './output.js';

/** What was shown. */
export interface Shown {
  /** The instant to go to, and the one that the plan starts from. */
  to: number;
  now: number;
  entries: number;
}

const COLOURS = { restore: 'green', update: 'yellow', rename: 'yellow', delete: 'red', skip: 'dim' } as const;

export async function showWork(rows: AsyncIterable<WorkRow>, out: Output, limit: number): Promise<Shown> {
  const shown: Shown = { to: 0, now: 0, entries: 0 };
  for await (const row of rows) {
    if (row.type === 'plan') { shown.to = row.to; shown.now = row.now; }
    if (row.type === 'entry') shown.entries++;
    if (out.json) await out.object(row);
    else await show(row, shown, out, limit);
  }
  if (!out.json && shown.entries > limit && limit > 0) await out.line(`  ... and ${shown.entries - limit} more (--dry-run shows all)`);
  return shown;
}

async function show(row: WorkRow, shown: Shown, out: Output, limit: number): Promise<void> {
  switch (row.type) {
    case 'instant':
      return echoInstant(out, 'To ', row.at);
    case 'entry':
      if (shown.entries > limit) return;
      return await out.line(`  ${out.paint(COLOURS[row.action], row.action.padEnd(7))} ${row.from === undefined ? '' : `${row.from} -> `}${row.path}${row.reason ? `  (${row.reason})` : ''}`);
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
      if (row.before !== null) await out.line(`Undo it with: rewind rollback --to "#${row.before}"`);
      return;
    case 'restored':
      out.endProgress();
      return await out.line(`Restored into ${row.into}: ${showBytes(row.bytes)} in ${row.steps} steps`);
  }
}

function counts({ restored, unchanged, updated, deleted, skipped }: Extract<WorkRow, { type: 'plan' }>['counts']): string {
  return `${restored} restored, ${unchanged} unchanged, ${updated} updated, ${deleted} deleted, ${skipped} skipped`;
}
