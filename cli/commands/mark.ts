/** `rewind mark`: names this instant. */
import { text, type Arguments } from '../command.js';
import { showTime, type Output } from '../output.js';
import { withTree } from '../ask.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  await withTree(args, undefined, out, async ({ client }) => {
    for await (const point of client.call('mark', { name: text(args, 'NAME')!, note: text(args, 'note') })) {
      if (out.json) await out.object(point);
      else await out.line(`${point.name} is ${showTime(point.time)} (#${point.seq})`);
    }
  });
}
