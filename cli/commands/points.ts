/** `rewind points`: the instants that have a name or a reason. */
import type { Arguments } from '../command.js';
import { showTime, type Output } from '../output.js';
import { withTree } from '../ask.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  await withTree(args, undefined, out, async ({ client }) => {
    for await (const point of client.call('points', {})) {
      if (out.json) await out.object(point);
      else await out.line(`${showTime(point.time)} ${String(point.seq).padStart(9)}  ${point.kind.padEnd(8)} ${point.name}${point.note ? `  (${point.note})` : ''}`);
    }
  });
}
