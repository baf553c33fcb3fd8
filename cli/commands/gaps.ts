/** `rewind gaps`: what was not captured, and why. */
import { text, type Arguments } from '../command.js';
import { showTime, type Output } from '../output.js';
import { place, stretch, time_zone, withTree } from '../ask.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  await withTree(args, text(args, 'PATH'), out, async (tree) => {
    const path = text(args, 'PATH') === undefined ? '' : await place(tree, args, text(args, 'PATH'));
    let rows = 0;
    for await (const gap of tree.client.call('gaps', { path, ...await stretch(tree, args, out), time_zone })) {
      rows++;
      if (out.json) await out.object(gap);
      else await out.line(`${showTime(gap.time)} ${String(gap.seq).padStart(9)}  ${gap.reason.padEnd(19)}  ${gap.path === null ? '' : `${gap.path}: `}${gap.text}`);
    }
    if (rows === 0) out.remark('There is no gap: all of it was captured.');
  });
}
