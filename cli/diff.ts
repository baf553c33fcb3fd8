/** One difference as a line: snapper's columns, and the lines that differ when asked for. */
import type { DiffRow } from '../lib/daemon/protocol.js';
import type { Output } from './output.js';
import { showPatch } from './patch.js';

export async function showDiff(row: DiffRow, out: Output): Promise<void> {
  const { what } = row;
  const colour = row.status === 'created' ? 'green' : row.status === 'deleted' ? 'red' : 'yellow';
  const first = { created: '+', deleted: '-', modified: what.content ? 'c' : '.', renamed: 'R', type: 't' }[row.status];
  const columns = first + (what.mode ? 'p' : '.') + (what.owner ? 'u' : '.') + (what.group ? 'g' : '.') + (what.xattr ? 'x' : '.') + (what.acl ? 'a' : '.');
  await out.line(`${out.paint(colour, columns)} ${row.from === undefined ? '' : `${row.from} -> `}${row.path}`);
  await showPatch(row, out);
}
