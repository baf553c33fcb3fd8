/** Shows what changed since an instant: the paths with who changed them, then the writers, then the sum. */
import type { SummaryRow } from '../lib/daemon/protocol.js';
import { echoInstant } from './ask.js';
import { showBytes, showWriter, type Output } from './output.js';

const COLOURS = { created: 'green', deleted: 'red', modified: 'yellow', renamed: 'yellow', type: 'yellow' } as const;

export async function showSummary(rows: AsyncIterable<SummaryRow>, out: Output): Promise<void> {
  let writers = 0;
  for await (const row of rows) {
    if (out.json) await out.object(row);
    else if (!('type' in row)) {
      echoInstant(out, 'From ', row.from);
      echoInstant(out, 'To   ', row.to);
    } else {
      if (row.type === 'writer' && writers++ === 0) await out.line('');
      await out.line(line(row, out));
    }
  }
}

function line(row: Exclude<SummaryRow, { to: unknown }>, out: Output): string {
  switch (row.type) {
    case 'path':
      return `${out.paint(COLOURS[row.status], row.status.padEnd(8))} ${row.from === undefined ? '' : `${row.from} -> `}${row.path}  ${out.paint('dim', row.writers.map((writer) => showWriter(writer)).join(' '))}`;
    case 'writer':
      return `${(row.writer ? showWriter(row.writer) : '(not known)').padEnd(20)} ${many(row.paths, 'path')}, ${many(row.records, 'change')}, ${showBytes(row.bytes)} written${row.writer ? `  ${out.paint('dim', row.writer.argv.join(' '))}` : ''}`;
    case 'sum':
      return `${row.created} created, ${row.modified} modified, ${row.deleted} deleted, ${row.renamed} renamed, by ${many(row.writers, 'writer')}`;
  }
}

const many = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
