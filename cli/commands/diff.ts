/** `rewind diff`: what differs between two instants. */
import { flag, text, type Arguments } from '../command.js';
import type { Output } from '../output.js';
import { echoInstant, place, time_zone, withTree } from '../ask.js';
import { showDiff } from '../diff.js';
import { sayGaps } from '../work.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  await withTree(args, text(args, 'PATH'), out, async (tree) => {
    const path = await place(tree, args, text(args, 'PATH'));
    const call = { path, from: text(args, 'from')!, to: text(args, 'to') ?? 'now', group: text(args, 'group'), patch: flag(args, 'patch'), terminal: out.terminal, time_zone };
    for await (const item of tree.client.call('diff', call)) {
      if (!('status' in item)) {
        echoInstant(out, 'From ', item.from);
        echoInstant(out, 'To   ', item.to);
        if (item.gaps && !out.json) sayGaps(out, item.gaps);
      }
      if (out.json) await out.object(item);
      else if ('status' in item) await showDiff(item, out);
    }
  });
}
