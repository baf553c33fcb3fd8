/** `rewind mount`: starts the daemon of a tree, and waits until the tree answers. */
import { flag, text, texts, type Arguments } from '../command.js';
import type { Output } from '../output.js';
import { launch, wasLaunched } from '../../lib/daemon/launch.js';
import { RewindError } from '../../lib/errors.js';
import { safeForTerminal } from '../../lib/paths.js';
import { isWithin } from '../../lib/store/mounts.js';
import { startOptions } from '../../lib/daemon/start.js';
import { prepareMount } from '../../lib/store/prepare.js';
import { removeStore } from '../../lib/store/store.js';
import type { Transport } from '../../lib/transport.js';
import { showProgress, tell, type MountRow } from '../mount/ready.js';

const MIB = 2 ** 20;

export async function run(args: Arguments, out: Output): Promise<void> {
  const limit = args['backlog-limit'] as number | undefined;
  if (limit !== undefined && !(limit >= 64)) throw new RewindError('ERR_USAGE', '--backlog-limit takes MiB, 64 or more', 'Like --backlog-limit 2048.');
  const start = await startOptions(text(args, 'purpose'), texts(args, 'tag'));
  // Loaded by the daemon alone (who starts it only waits), and before there is anything that a signal would leave behind.
  const daemon = flag(args, 'foreground') ? await import('../mount/serve.js') : null;
  const plan = await prepareMount({ tree: text(args, 'DIR')!, mountpoint: text(args, 'at'), store: text(args, 'store'), snapshots: text(args, 'snapshots'), force: flag(args, 'force'), launcher: wasLaunched() ? process.ppid : undefined });
  for (const point of plan.cleaned) out.remark(`Unmounted what a dead daemon had left at ${safeForTerminal(point)}.`);
  if (daemon) {
    await daemon.serve(plan, { ...start, backlogHardBytes: limit === undefined ? undefined : limit * MIB, transport: text(args, 'transport') as Transport | undefined }, out);
    return;
  }
  const options = ['--foreground', '--store', plan.store.layout.root, '--at', plan.mountpoint];
  for (const name of ['backlog-limit', 'transport']) if (args[name] !== undefined) options.push(`--${name}`, String(args[name]));
  if (start.purpose !== undefined) options.push(`--purpose=${start.purpose}`);
  for (const tag of start.tags) options.push(`--tag=${tag}`);
  if (flag(args, 'force')) options.push('--force');
  try {
    const row = await launch([process.argv[1]!, 'mount', plan.tree, ...options], plan.store.layout.log, (progress) => showProgress(progress, out)) as MountRow;
    out.endProgress();
    await tell(row, out);
    if (isWithin(process.cwd(), row.mountpoint)) out.remark('Your shell still stands in the directory below the mount, where nothing is recorded. Step into it anew: cd "$PWD"');
  } catch (error) {
    out.endProgress();
    if (plan.created) await removeStore(plan.store);
    throw error;
  }
}
