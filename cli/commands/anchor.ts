/** `rewind anchor`: a line that stands for all of history up to now. */
import { withTree } from '../ask.js';
import type { Arguments } from '../command.js';
import type { Output } from '../output.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  await withTree(args, undefined, out, async ({ client }) => {
    for await (const row of client.call('anchor', {})) {
      if (out.json) await out.object(row);
      else await out.line(row.anchor);
    }
  });
}
