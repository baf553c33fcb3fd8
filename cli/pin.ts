/** What `rewind pin` and `rewind unpin` share. */
import { time_zone, withTree } from './ask.js';
import { text, type Arguments } from './command.js';
import { showTime, type Output } from './output.js';

export async function setPin(args: Arguments, out: Output, pinned: boolean): Promise<void> {
  await withTree(args, undefined, out, async ({ client }) => {
    for await (const point of client.call('pin', { time: text(args, 'TIME')!, pinned, time_zone })) {
      if (out.json) await out.object(point);
      else await out.line(`${[point.phase, point.kind, point.name].filter(Boolean).join(' ')} of ${showTime(point.time)} (#${point.seq}) is ${pinned ? 'pinned' : 'not pinned any more'}`);
    }
  });
}
