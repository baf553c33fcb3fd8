/** `rewind watch`: changes as they happen, one JSON object a line; ends with ^C or when the tree is unmounted. */
import type { Arguments } from '../command.js';
import type { Output } from '../output.js';
import { withTree } from '../ask.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  await withTree(args, undefined, out, async ({ client }) => {
    for await (const change of client.call('watch', {})) await out.object(change);
  });
}
