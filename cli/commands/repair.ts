/** `rewind repair`: saves of a damaged store what can be saved, and names what is lost. */
import { flag, text, type Arguments } from '../command.js';
import { EXIT_INTEGRITY, EXIT_OK, EXIT_PARTLY } from '../exit.js';
import { showTime, type Output } from '../output.js';
import { repairRows } from '../../lib/daemon/repair.js';
import type { RepairRow } from '../../lib/daemon/repairrows.js';
import { safeForTerminal } from '../../lib/paths.js';
import { realPath } from '../../lib/store/checks.js';
import { findTree } from '../../lib/store/find.js';

export async function run(args: Arguments, out: Output): Promise<number> {
  const found = await findTree({ tree: text(args, 'tree'), store: text(args, 'store') });
  const from = text(args, 'from');
  let code = EXIT_OK;
  for await (const row of repairRows(found, { dryRun: flag(args, 'dry-run'), from: from === undefined ? null : await realPath(from), signal: new AbortController().signal })) {
    if (out.json) await out.object(row);
    else await show(row, out);
    if (row.type === 'repaired') code = codeOf(row);
  }
  return code;
}

function codeOf({ dry_run, changed, lost, findings }: Extract<RepairRow, { type: 'repaired' }>): number {
  if (dry_run && changed) return EXIT_INTEGRITY;
  return lost > 0 || findings > 0 ? EXIT_PARTLY : EXIT_OK;
}

async function show(row: RepairRow, out: Output): Promise<void> {
  switch (row.type) {
    case 'finding': return await out.line(`${out.paint('yellow', 'found  ')}  ${row.kind}  ${row.path === null ? '' : `${row.path}: `}${row.what}`);
    case 'unopenable': return await out.line(`${out.paint('yellow', 'found  ')}  ${row.what}`);
    case 'missing': return await out.line(`${out.paint('yellow', 'missing')}  ${row.what}`);
    case 'mended': return await out.line(`${out.paint('green', 'mended ')}  ${row.what}${row.count === 1 ? '' : `: ${row.count}`}`);
    case 'lost': return await out.line(`${out.paint('red', 'lost   ')}  ${row.path ?? `object ${row.node}`}  ${versions(row)}: ${row.what}`);
    case 'repaired': return await tell(row, out);
  }
}

function versions({ from_seq, from_time, to_seq, to_time }: Extract<RepairRow, { type: 'lost' }>): string {
  const instant = (seq: number, time: string | null): string => (time === null ? `#${seq}` : `${showTime(time)} (#${seq})`);
  const from = from_seq === 0 ? 'every version' : `from ${instant(from_seq, from_time)}`;
  return to_seq === null ? from : `${from} to before ${instant(to_seq, to_time)}`;
}

async function tell({ dry_run, changed, seq, lost, kept }: Extract<RepairRow, { type: 'repaired' }>, out: Output): Promise<void> {
  if (!changed) return await out.line(`Whole: there is nothing to repair, up to #${seq}`);
  const what = lost === 0 ? 'no content is lost' : `${lost} ${lost === 1 ? 'stretch' : 'stretches'} of versions lost, which read as not captured (rewind gaps)`;
  if (dry_run) return await out.line(`Would be repaired up to #${seq}: ${what}; nothing was changed`);
  await out.line(`Repaired up to #${seq}: ${what}`);
  for (const place of kept) await out.line(`What was there lies in ${safeForTerminal(place)}; once all is well: rm -r ${safeForTerminal(place)}`);
}
