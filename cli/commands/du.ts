/** `rewind du`: what paths take, now and in history. */
import { flag, text, type Arguments } from '../command.js';
import { place, withTree } from '../ask.js';
import { showBytes, type Output } from '../output.js';
import { showRatio } from '../space.js';
import type { DuRow } from '../../lib/daemon/protocol.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  await withTree(args, text(args, 'PATH'), out, async (tree) => {
    const path = text(args, 'PATH') === undefined ? '' : await place(tree, args, text(args, 'PATH'));
    const rows: DuRow[] = [];
    for await (const row of tree.client.call('du', { path, history: flag(args, 'history') })) {
      if (out.json) await out.object(row);
      else rows.push(row);
    }
    if (out.json) return;
    const all = rows.pop()!;
    await out.line(out.paint('dim', line('NOW', 'WRITTEN', 'STORED', 'RATIO', 'FILES', 'PATH')));
    for (const row of rows.filter(({ type }) => type === 'path').sort((a, b) => b.stored_bytes - a.stored_bytes)) await out.line(rowLine(row));
    for (const row of rows.filter(({ type }) => type === 'rule').sort((a, b) => b.stored_bytes - a.stored_bytes)) await out.line(rowLine(row));
    await out.line(out.paint('bold', rowLine(all)));
  });
}

const line = (now: string, written: string, stored: string, ratio: string, files: string, name: string): string =>
  `${now.padStart(10)} ${written.padStart(10)} ${stored.padStart(10)} ${ratio.padStart(10)} ${files.padStart(7)}  ${name}`;

const rowLine = (row: DuRow): string =>
  line(row.type === 'path' ? showBytes(row.bytes) : '', showBytes(row.written_bytes), showBytes(row.stored_bytes), showRatio(row.ratio), String(row.files), row.type === 'path' ? row.path || '.' : `(rule: ${row.rule})`);
