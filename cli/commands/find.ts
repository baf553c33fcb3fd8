/** `rewind find`: names over all of history. */
import { relative } from 'node:path';
import { flag, text, type Arguments } from '../command.js';
import { showBytes, showTime, type Output } from '../output.js';
import { place, stretch, time_zone, withTree, type Tree } from '../ask.js';
import type { FindRow } from '../../lib/daemon/protocol.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  await withTree(args, text(args, 'PATH'), out, async (tree) => {
    const path = text(args, 'PATH') === undefined ? '' : await place(tree, args, text(args, 'PATH'));
    const call = {
      pattern: text(args, 'PATTERN')!, path, ...await stretch(tree, args, out), deleted: flag(args, 'deleted'),
      type: text(args, 'type') as 'f' | 'd' | 'l' | undefined, time_zone,
    };
    let rows = 0;
    for await (const row of tree.client.call('find', call)) {
      const back = row.went === null || row.uncaptured ? null : command(row, tree);
      if (out.json) await out.object({ ...row, command: back });
      else {
        if (rows === 0) await out.line(out.paint('dim', `${'CAME'.padEnd(23)} ${'WENT'.padEnd(23)} ${'SIZE'.padStart(10)}  PATH`));
        await out.line(line(row, out));
        if (back !== null) await out.line(out.paint('dim', `    ${back}`));
      }
      rows++;
    }
    if (rows === 0) out.remark('No such name in history.');
  });
}

function line(row: FindRow, out: Output): string {
  const went = row.went === null ? '-'.padEnd(23) : showTime(row.went.time);
  const size = row.type === 'file' ? showBytes(row.size) : '-';
  const path = row.path + (row.type === 'directory' ? '/' : row.type === 'symlink' ? '@' : '');
  const note = row.uncaptured ? '  (content was not captured)' : '';
  return `${showTime(row.came.time)} ${went} ${size.padStart(10)}  ${out.paint(row.went === null ? 'green' : 'red', path)}${note}`;
}

/** What gets it back, to be pasted into a shell. */
function command(row: FindRow, { found }: Tree): string {
  const { mountpoint } = found;
  const here = mountpoint === null ? row.path : relative(process.cwd(), `${mountpoint}/${row.path}`);
  const path = mountpoint !== null && here.startsWith('../') ? `${mountpoint}/${row.path}` : here.startsWith('-') ? `./${here}` : here;
  const where = mountpoint === null ? ` --store ${quote(found.store.layout.root)}` : '';
  return row.type === 'file'
    ? `rewind cat ${quote(path)} --at '#${row.last}'${where}`
    : `rewind restore ${quote(path)} --at '#${row.last}' --into restored${where}`;
}

const quote = (word: string): string => (/^[\w./:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
