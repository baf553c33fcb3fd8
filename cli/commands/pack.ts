/** `rewind pack`: history made small now, to the end. */
import type { Arguments } from '../command.js';
import { withTree } from '../ask.js';
import { showBytes, type Output } from '../output.js';
import { describeSpace } from '../space.js';

const BAR = 30;

export async function run(args: Arguments, out: Output): Promise<void> {
  await withTree(args, undefined, out, async ({ client }) => {
    for await (const row of client.call('pack', {})) {
      if (out.json) await out.object(row);
      else if (row.type === 'progress') out.progress(row.phase === 'contents' ? bar(row.contents_packed, row.contents_waiting) : row.phase === 'entries' ? 'Other values' : row.phase === 'cold' ? 'Old content goes to the cold directory' : `Giving room back: ${row.family}`);
      else {
        out.endProgress();
        await out.line(`Packed: ${showBytes(row.before_bytes)} became ${describeSpace(row)}`);
      }
    }
  });
}

function bar(done: number, left: number): string {
  const full = Math.round(BAR * done / Math.max(done + left, 1));
  return `[${'#'.repeat(full)}${'.'.repeat(BAR - full)}] ${done} of ${done + left} pieces of content`;
}
