/** `rewind rollback`: shows the plan, asks, and makes the tree equal to a past instant, or goes on with what was interrupted. */
import { flag, text, type Arguments } from '../command.js';
import type { Output } from '../output.js';
import { time_zone, withTree, type Tree } from '../ask.js';
import { readParts, readPlanFile, type Asked } from '../parts.js';
import { agree, agreed, showWork, type Shown } from '../work.js';
import { RewindError } from '../../lib/errors.js';
import { safeForTerminal } from '../../lib/paths.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  const typed = (args['PATH'] ?? []) as string[];
  const group = text(args, 'group');
  const named = typed.length > 0 || text(args, 'to') !== undefined || group !== undefined;
  const file = text(args, 'plan');
  if (flag(args, 'resume')) {
    if (flag(args, 'discard-after')) throw new RewindError('ERR_USAGE', '--resume does not forget anything', 'Leave out --discard-after; `rewind rollback --to TIME --discard-after` afterwards forgets what came after TIME.');
    if (named || file !== undefined) throw new RewindError('ERR_USAGE', '--resume goes on to where the interrupted rollback went', 'Leave out PATH, --to, --group and --plan, or leave out --resume to begin another rollback.');
    return await resume(args, out);
  }
  if (file !== undefined && named) throw new RewindError('ERR_USAGE', 'A plan file names paths and times itself', 'Leave out PATH, --to and --group, or leave out --plan.');
  const plan = file === undefined ? null : await readPlanFile(file);
  await withTree(args, typed[0], out, async (tree) => {
    const asked = plan ?? { ...await readParts(tree, args, typed), to: text(args, 'to') };
    await rollBack(args, out, tree, asked);
  });
}

async function rollBack(args: Arguments, out: Output, tree: Tree, asked: Asked): Promise<void> {
  const [force, group] = [flag(args, 'force'), text(args, 'group')];
  const discard_after = flag(args, 'discard-after');
  let call: Asked = asked;
  if (flag(args, 'dry-run') || !flag(args, 'yes')) {
    const shown = await agreed(args, out, (plan) => question(plan, tree, group), (dry_run) => tree.client.call('rollback', { ...asked, group, discard_after, dry_run, force, time_zone }));
    if (!shown) return;
    // The answer is about the instants that were shown, not about what the words would mean a minute later.
    call = { paths: [], parts: shown.parts, planned_at: asked.planned_at ?? shown.now };
    if (discard_after && !await out.confirm(`And forget all that came after #${shown.to}?`)) throw new RewindError('ERR_REFUSED', 'Nothing was changed: the answer was No');
  }
  await showWork(tree.client.call('rollback', { ...call, group, discard_after, force, time_zone }), out, 0);
}

async function resume(args: Arguments, out: Output): Promise<void> {
  const force = flag(args, 'force');
  await withTree(args, undefined, out, async ({ client }) => {
    const planned_at = await agree(args, out, 'Go on with that?', (dry_run) => client.call('resume', { dry_run, force }));
    if (planned_at !== null) await showWork(client.call('resume', { planned_at, force }), out, 0);
  });
}

function question({ parts, to }: Shown, tree: Tree, group: string | undefined): string {
  const [only] = parts;
  if (group !== undefined) return `Roll back the members of ${safeForTerminal(group)} to #${to}?`;
  if (parts.length !== 1 || !only) return `Roll back ${parts.length} paths${new Set(parts.map((part) => part.to)).size === 1 ? ` to #${to}` : ''}?`;
  return `Roll back ${only.path === '.' ? `all of ${tree.found.mountpoint}` : only.path} to #${to}?`;
}
