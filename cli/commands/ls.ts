/** `rewind ls`: a directory as it was. */
import { text, type Arguments } from '../command.js';
import { showTime, type Output } from '../output.js';
import { echoInstant, place, time_zone, withTree } from '../ask.js';
import type { ListRow } from '../../lib/daemon/protocol.js';

const LETTERS: Record<ListRow['type'], string> = { file: '-', directory: 'd', symlink: 'l', fifo: 'p', socket: 's', char: 'c', block: 'b' };

export async function run(args: Arguments, out: Output): Promise<void> {
  await withTree(args, text(args, 'PATH'), out, async (tree) => {
    const path = await place(tree, args, text(args, 'PATH'));
    for await (const item of tree.client.call('ls', { path, at: text(args, 'at') ?? 'now', time_zone })) {
      if ('at' in item) echoInstant(out, 'At ', item.at);
      if (out.json) await out.object(item);
      else if ('path' in item) await out.line(line(item));
    }
  });
}

function line(row: ListRow): string {
  const mode = LETTERS[row.type] + permissions(parseInt(row.mode, 8));
  const name = row.path.split('/').at(-1);
  return `${mode} ${String(row.nlink).padStart(3)} ${String(row.uid).padStart(5)} ${String(row.gid).padStart(5)} ${String(row.size).padStart(11)} ` +
    `${showTime(row.mtime)} ${name}${row.target === undefined ? '' : ` -> ${row.target}`}`;
}

function permissions(mode: number): string {
  const letters = [...'rwxrwxrwx'].map((letter, i) => (mode & (0o400 >> i) ? letter : '-'));
  const special: [bit: number, at: number, letter: string][] = [[0o4000, 2, 's'], [0o2000, 5, 's'], [0o1000, 8, 't']];
  for (const [bit, at, letter] of special) if (mode & bit) letters[at] = letters[at] === 'x' ? letter : letter.toUpperCase();
  return letters.join('');
}
