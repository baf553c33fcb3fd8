/** `rewind restore`: a copy of the past, elsewhere. */
import { resolve } from 'node:path';
import { flag, text, type Arguments } from '../command.js';
import type { Output } from '../output.js';
import { place, time_zone, withTree } from '../ask.js';
import { showWork } from '../work.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  await withTree(args, text(args, 'PATH'), out, async (tree) => {
    const path = await place(tree, args, text(args, 'PATH'));
    const call = { path, at: text(args, 'at')!, into: resolve(text(args, 'into')!), group: text(args, 'group'), force: flag(args, 'force'), time_zone };
    await showWork(tree.client.call('restore', call), out, Infinity);
  });
}
