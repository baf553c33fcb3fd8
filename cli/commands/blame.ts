/** `rewind blame`: who wrote each line of a file. */
import { flag, text, type Arguments } from '../command.js';
import { contentLine, showTime, showWriter, type Output } from '../output.js';
import { echoInstant, place, time_zone, withTree } from '../ask.js';
import type { BlameRow } from '../../lib/daemon/protocol.js';

/** Characters of a command that are shown. */
const COMMAND_WIDTH = 24;

export async function run(args: Arguments, out: Output): Promise<void> {
  await withTree(args, text(args, 'FILE'), out, async (tree) => {
    const path = await place(tree, args, text(args, 'FILE'));
    let last = 0;
    for await (const row of tree.client.call('blame', { path, at: text(args, 'at') ?? 'now', bytes: flag(args, 'bytes'), time_zone })) {
      if ('at' in row) echoInstant(out, 'At ', row.at);
      if (out.json) await out.object(row);
      else if (!('at' in row)) {
        await out.bytes(line(row, row.seq !== last, out));
        last = row.seq;
      }
    }
  });
}

/** As much of the writer's command as a column holds; whole with --json. */
function commandOf({ writer }: BlameRow): string {
  const command = writer?.argv.join(' ') ?? '';
  return (command.length > COMMAND_WIDTH ? `${command.slice(0, COMMAND_WIDTH - 1)}…` : command).padEnd(COMMAND_WIDTH);
}

/** Lines of one save that follow each other say only once whose they are to the eye: the others are dim. */
function line(row: BlameRow, first: boolean, out: Output): Buffer {
  const writer = row.unmounted ? '(found at mount)' : showWriter(row.writer, row.uncertain);
  const head = `${String(row.seq).padStart(9)} ${showTime(row.time)} ${writer.padEnd(18)} ${commandOf(row)}`;
  const where = row.line === undefined ? `${String(row.offset).padStart(12)} ${String(row.length).padStart(12)}` : `${String(row.line).padStart(5)}) `;
  return Buffer.concat([Buffer.from(`${out.paint(first ? 'yellow' : 'dim', head)} ${where}`), contentLine(row, out)]);
}
