/** `rewind grep`: lines of past content. */
import { flag, text, type Arguments } from '../command.js';
import { contentLine, showTime, type Output } from '../output.js';
import { place, stretch, time_zone, withTree } from '../ask.js';
import type { GrepRow } from '../../lib/daemon/protocol.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  await withTree(args, text(args, 'PATH'), out, async (tree) => {
    const path = text(args, 'PATH') === undefined ? '' : await place(tree, args, text(args, 'PATH'));
    const call = {
      pattern: text(args, 'PATTERN')!, path, ...await stretch(tree, args, out), ignore_case: flag(args, 'ignore-case'),
      fixed: flag(args, 'fixed-strings'), names_only: flag(args, 'files-with-matches'), all_versions: flag(args, 'all-versions'), time_zone,
    };
    let rows = 0;
    for await (const row of tree.client.call('grep', call)) {
      if (out.json) await out.object(row);
      else if (row.type === 'searched') tell(row, rows, out);
      else await out.bytes(line(row, call.names_only, out));
      rows++;
    }
  });
}

function line(row: Exclude<GrepRow, { type: 'searched' }>, namesOnly: boolean, out: Output): Buffer {
  const head = `${out.paint('magenta', row.path)} ${out.paint('dim', showTime(row.time))} ${out.paint('yellow', `#${row.seq}`)}`;
  if (row.type === 'file') return Buffer.from(`${head}${namesOnly ? '' : ': binary file matches'}\n`);
  return Buffer.concat([Buffer.from(`${head} ${out.paint('green', String(row.line))}: `), contentLine(row, out)]);
}

function tell({ versions, contents, uncaptured }: Extract<GrepRow, { type: 'searched' }>, rows: number, out: Output): void {
  if (rows === 0) out.remark(`Nothing in ${contents} contents of ${versions} versions.`);
  if (uncaptured > 0) out.remark(`${uncaptured} versions could not be searched: history does not have their content.`);
}
