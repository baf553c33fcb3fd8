/** Shows what a run changed, writer by writer. */
import type { WorkRow, WriterRow } from '../../lib/daemon/protocol.js';
import type { Output } from '../output.js';
import { programOf } from '../work.js';

/** Writers, and paths of each, that are shown. */
const SHOWN_WRITERS = 10;
const SHOWN_PATHS = 10;

/** What an undo would do, as what was done. */
const DONE = { restore: 'deleted', delete: 'created', update: 'changed', rename: 'moved', skip: 'not kept' } as const;

interface Share {
  writer: WriterRow | null;
  paths: number;
  lines: string[];
}

/** Answers how many changes it made. */
export async function showChanges(rows: AsyncIterable<WorkRow>, out: Output): Promise<number> {
  const shares = new Map<number, Share>();
  let [changes, paths] = [0, 0];
  for await (const row of rows) {
    if (out.json) await out.object(row);
    if (row.type === 'coverage') changes = row.changes;
    if (row.type !== 'entry') continue;
    paths++;
    const line = `${DONE[row.action].padEnd(8)} ${row.action === 'rename' ? `${row.path} -> ` : ''}${row.from ?? row.path}`;
    for (const writer of row.writers && row.writers.length > 0 ? row.writers : [null]) add(shares, writer, line);
  }
  out.remark(changes === 0 ? 'rewind: the command changed nothing' : `rewind: ${many(paths, 'path')} changed by ${many(shares.size, 'program')}`);
  const most = [...shares.values()].sort((a, b) => b.paths - a.paths);
  for (const share of most.slice(0, SHOWN_WRITERS)) show(share, out);
  if (most.length > SHOWN_WRITERS) out.remark(`  ... and ${most.length - SHOWN_WRITERS} more (rewind undo --session shows all that it would change back)`);
  return changes;
}

function add(shares: Map<number, Share>, writer: WriterRow | null, line: string): void {
  const share = shares.get(writer?.id ?? 0) ?? { writer, paths: 0, lines: [] };
  shares.set(writer?.id ?? 0, share);
  if (share.paths++ < SHOWN_PATHS) share.lines.push(line);
}

function show({ writer, paths, lines }: Share, out: Output): void {
  out.remark(`  ${writer ? `${programOf(writer)}  ${writer.argv.join(' ')}` : 'somebody unknown'}`);
  for (const line of lines) out.remark(`    ${line}`);
  if (paths > lines.length) out.remark(`    ... and ${paths - lines.length} more`);
}

const many = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
