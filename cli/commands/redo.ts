/** `rewind redo`: does again what the last undo took back. */
import { flag, type Arguments } from '../command.js';
import type { Output } from '../output.js';
import { withTree } from '../ask.js';
import { agree, showWork } from '../work.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  const force = flag(args, 'force');
  await withTree(args, undefined, out, async ({ client }) => {
    const planned_at = await agree(args, out, 'Do that again?', (dry_run) => client.call('redo', { dry_run, force }));
    if (planned_at === null) return;
    await showWork(client.call('redo', { planned_at, force }), out, 0);
  });
}
