/** `rewind log`: what was saved when, by whom. */
import { flag, number, text, type Arguments } from '../command.js';
import { showTime, showWriter, type Output } from '../output.js';
import { showPatch } from '../patch.js';
import { place, stretch, time_zone, withTree } from '../ask.js';
import { RewindError } from '../../lib/errors.js';
import type { LogFilter, LogRow } from '../../lib/daemon/protocol.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  const limit = number(args, 'count');
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0)) throw new RewindError('ERR_USAGE', '-n takes a number above 0', 'Like -n 20.');
  const all_writes = flag(args, 'all-writes');
  const patch = flag(args, 'patch');
  await withTree(args, text(args, 'PATH'), out, async (tree) => {
    const path = await place(tree, args, text(args, 'PATH'));
    let rows = 0;
    for await (const row of tree.client.call('log', { path, ...await stretch(tree, args, out), group: text(args, 'group'), limit, all_writes, ...filter(args), patch, terminal: out.terminal, time_zone })) {
      if (out.json) await out.object(row);
      else {
        if (rows === 0) await out.line(out.paint('dim', header(all_writes)));
        await out.line(all_writes ? writeLine(row) : saveLine(row, out));
        await showPatch(row, out);
      }
      rows++;
    }
    if (rows === 0) out.remark('Nothing changed there.');
  });
}

const header = (allWrites: boolean) => allWrites
  ? `${'TIME'.padEnd(23)} ${'SEQ'.padStart(9)}  ${'RECORD'.padEnd(11)} ${'OFFSET'.padStart(10)} ${'LENGTH'.padStart(9)}  ${'WRITER'.padEnd(16)} PATH`
  : `${'TIME'.padEnd(23)} ${'SEQ'.padStart(9)}  ${'MARKER'.padEnd(7)} ${'VER'.padStart(4)} ${'SIZE'.padStart(10)}  ${'WRITER'.padEnd(16)} PATH`;

function saveLine(row: LogRow, out: Output): string {
  const colour = row.marker === 'create' ? 'green' : row.marker === 'delete' ? 'red' : 'yellow';
  return `${showTime(row.time)} ${String(row.seq).padStart(9)}  ${out.paint(colour, row.marker.padEnd(7))} ${String(row.ver ?? '-').padStart(4)} ` +
    `${String(row.size ?? '-').padStart(10)}  ${writer(row).padEnd(16)} ${where(row)}`;
}

function writeLine(row: LogRow): string {
  return `${showTime(row.time)} ${String(row.seq).padStart(9)}  ${(row.kind ?? '').padEnd(11)} ${String(row.offset ?? '').padStart(10)} ` +
    `${String(row.length ?? '').padStart(9)}  ${writer(row).padEnd(16)} ${where(row)}`;
}

function where(row: LogRow): string {
  const path = row.path ?? '(no name)';
  return `${row.from === undefined ? path : `${row.from} -> ${path}`}${row.given_up ? `  (and ${row.given_up} before it, which are told no more)` : ''}`;
}

function writer(row: LogRow): string {
  return row.unmounted ? '(found at mount)' : showWriter(row.writer, row.uncertain);
}

/** Who must have done it, and what. */
function filter(args: Arguments): LogFilter {
  return { pid: number(args, 'writer'), uid: number(args, 'uid'), exe: text(args, 'exe'), marker: text(args, 'marker') as LogFilter['marker'] };
}
