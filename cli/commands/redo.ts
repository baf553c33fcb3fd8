/** `rewind redo`: does again what the last undo took back. */
import type { Arguments } from '../command.js';
import type { Output } from '../output.js';
import { withTree } from '../ask.js';
import { agree, showWork } from '../work.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  await withTree(args, undefined, out, async ({ client }) => {
    const planned_at = await agree(args, out, 'Do that again?', (dry_run) => client.call('redo', { dry_run }));
    if (planned_at === null) return;
    await showWork(client.call('redo', { planned_at }), out, 0);
  });
}
