/** `rewind rollback`: shows the plan, asks, and makes the tree equal to a past instant. */
import { flag, text, type Arguments } from '../command.js';
import type { Output } from '../output.js';
import { place, time_zone, withTree, type Tree } from '../ask.js';
import { showWork } from '../work.js';
import { RewindError } from '../../lib/errors.js';

/** Entries of a plan that are shown before the question; `--dry-run` shows all. */
const SHOWN = 20;

export async function run(args: Arguments, out: Output): Promise<void> {
  const typed = (args['PATH'] ?? []) as string[];
  await withTree(args, typed[0], out, async (tree) => {
    const paths = await Promise.all(typed.map((path) => place(tree, args, path)));
    const dry = flag(args, 'dry-run');
    let to = text(args, 'to')!;
    let planned_at: number | undefined;
    if (dry || !flag(args, 'yes')) {
      const plan = await showWork(tree.client.call('rollback', { paths, to, dry_run: true, time_zone }), out, dry ? Infinity : SHOWN);
      if (dry || plan.entries === 0) return;
      // The answer is about the instant that was shown, not about what the words would mean a minute later.
      to = `#${plan.to}`;
      planned_at = plan.now;
      if (!await out.confirm(`Roll back ${scope(paths, tree)} to #${plan.to}?`)) throw new RewindError('ERR_REFUSED', 'Nothing was changed: the answer was No');
    }
    await showWork(tree.client.call('rollback', { paths, to, planned_at, time_zone }), out, 0);
  });
}

function scope(paths: string[], tree: Tree): string {
  if (paths.length === 0) return `all of ${tree.found.mountpoint}`;
  return paths.length === 1 ? paths[0] || 'the root' : `${paths.length} paths`;
}
