/** `rewind purge`: shows what would be taken out of history, asks, and takes it out. */
import { place, withTree } from '../ask.js';
import { flag, type Arguments } from '../command.js';
import { showBytes, type Output } from '../output.js';
import type { PurgeRow } from '../../lib/daemon/prunerows.js';
import { RewindError } from '../../lib/errors.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  const typed = String(args['PATH']);
  const everywhere = flag(args, 'everywhere');
  await withTree(args, undefined, out, async (tree) => {
    const path = await place(tree, args, typed);
    const call = (dry_run: boolean): AsyncIterable<PurgeRow> => tree.client.call('purge', { path, everywhere, dry_run });
    const dry = flag(args, 'dry-run');
    if (dry || !flag(args, 'yes')) {
      await show(call(true), out);
      if (dry) return;
      if (!await out.confirm('Take that out of all history? It cannot be had back.')) throw new RewindError('ERR_REFUSED', 'Nothing was changed: the answer was No');
    }
    await show(call(false), out);
  });
}

async function show(rows: AsyncIterable<PurgeRow>, out: Output): Promise<void> {
  for await (const row of rows) {
    if (out.json) await out.object(row);
    else if (row.type === 'purged') await out.line(`Purged ${row.objects} objects; history takes ${showBytes(row.bytes_after)} (before: ${showBytes(row.bytes_before)})`);
    else await out.line(`  ${out.paint('red', 'purge  ')} ${row.path ?? '?'}${row.holds ? '  (in the tree, and holds it now: remove it there, and purge again)' : row.live ? '  (in the tree: what it holds now stays)' : ''}`);
  }
}
