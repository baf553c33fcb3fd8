/** `rewind mount`: starts the daemon of a tree, and waits until the tree answers. */
import { writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { flag, text, texts, type Arguments } from '../command.js';
import type { Output } from '../output.js';
import { Daemon, type DaemonOptions } from '../../lib/daemon/daemon.js';
import { announce, announceProgress, launch, wasLaunched, type StartProgress } from '../../lib/daemon/launch.js';
import { RewindError } from '../../lib/errors.js';
import { safeForTerminal } from '../../lib/paths.js';
import { isWithin } from '../../lib/store/mounts.js';
import { nameUsers, type User } from '../../lib/store/users.js';
import { startOptions } from '../../lib/daemon/start.js';
import { prepareMount, type MountPlan } from '../../lib/store/prepare.js';
import { removeStore } from '../../lib/store/store.js';
import type { Transport } from '../../lib/transport.js';
import { packageVersion } from '../version.js';
import { describeInterrupted, HOW_TO_GO_ON } from '../work.js';
import type { OperationRow } from '../../lib/daemon/protocol.js';
import { interruptedOf } from '../../lib/daemon/status.js';

/** What a mount says when it is ready. */
interface MountRow { tree: string; mountpoint: string; store: string; pid: number; seq: number; interrupted: OperationRow | null; past_the_mount: User[] }

const MIB = 2 ** 20;

export async function run(args: Arguments, out: Output): Promise<void> {
  const limit = args['backlog-limit'] as number | undefined;
  if (limit !== undefined && !(limit >= 64)) throw new RewindError('ERR_USAGE', '--backlog-limit takes MiB, 64 or more', 'Like --backlog-limit 2048.');
  const start = startOptions(text(args, 'purpose'), texts(args, 'tag'));
  const plan = await prepareMount({ tree: text(args, 'DIR')!, mountpoint: text(args, 'at'), store: text(args, 'store'), snapshots: text(args, 'snapshots'), force: flag(args, 'force'), launcher: wasLaunched() ? process.ppid : undefined });
  for (const point of plan.cleaned) out.remark(`Unmounted what a dead daemon had left at ${safeForTerminal(point)}.`);
  if (flag(args, 'foreground')) {
    await serve(plan, { ...start, backlogHardBytes: limit === undefined ? undefined : limit * MIB, transport: text(args, 'transport') as Transport | undefined }, out);
    return;
  }
  const options = ['--foreground', '--store', plan.store.layout.root, '--at', plan.mountpoint];
  for (const name of ['backlog-limit', 'transport']) if (args[name] !== undefined) options.push(`--${name}`, String(args[name]));
  if (start.purpose !== undefined) options.push(`--purpose=${start.purpose}`);
  for (const tag of start.tags) options.push(`--tag=${tag}`);
  if (flag(args, 'force')) options.push('--force');
  try {
    const row = await launch([fileURLToPath(new URL('../main.js', import.meta.url)), 'mount', plan.tree, ...options], plan.store.layout.log, (progress) => showProgress(progress, out)) as MountRow;
    out.endProgress();
    await tell(row, out);
    if (isWithin(process.cwd(), row.mountpoint)) out.remark('Your shell still stands in the directory below the mount, where nothing is recorded. Step into it anew: cd "$PWD"');
  } catch (error) {
    out.endProgress();
    if (plan.created) await removeStore(plan.store);
    throw error;
  }
}

/** The daemon itself: until it is told to stop, or somebody unmounts the tree. */
async function serve(plan: MountPlan, how: Pick<DaemonOptions, 'backlogHardBytes' | 'transport' | 'purpose' | 'tags'>, out: Output): Promise<void> {
  const launched = wasLaunched();
  const starting = Daemon.start(plan, { ...how, version: await packageVersion(), onFailure: note, onProgress: (progress) => (launched ? announceProgress(progress) : showProgress(progress, out)) });
  // From the very start: a signal that comes meanwhile ends what was just begun.
  const stop = (signal: string) => void starting.then((daemon) => daemon.stop({ lazy: true, reason: signal })).catch(() => null);
  process.removeAllListeners('SIGINT');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop(signal));
  process.on('SIGHUP', () => { if (!launched) stop('SIGHUP'); });
  const daemon = await starting.catch(async (error: unknown) => {
    await announce({ failed: error });
    if (plan.created && !launched) await removeStore(plan.store);
    throw error;
  });
  // The engine goes on recording whatever fails up here, and that is what matters: a failure is noted, never fatal.
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) process.on(event, (error: unknown) => daemon.fail('Unexpected', error));
  const row: MountRow = { tree: plan.tree, mountpoint: plan.mountpoint, store: plan.store.layout.root, pid: process.pid, seq: daemon.journal.stats().lastSeq, interrupted: await interruptedOf(daemon), past_the_mount: plan.users };
  await announce({ ready: row });
  out.endProgress();
  if (!launched) await tell(row, out);
  await daemon.ended;
}

function showProgress({ done, total }: StartProgress, out: Output): void {
  out.progress(`Bringing history up to date after a crash: ${done} of ${total} changes`);
}

/** In the daemon's log, or on the terminal with --foreground. Where even the log has no room, `status` still tells the first. */
function note(what: string, error: unknown): void {
  try {
    writeSync(process.stderr.fd, `${new Date().toISOString()} ${what}: ${error instanceof Error ? error.stack ?? error.message : String(error)}\n`);
  } catch {
    // A stream would tell of it by an event, which would be one more failure to note.
  }
}

async function tell(row: MountRow, out: Output): Promise<void> {
  if (out.json) await out.object(row);
  else await out.line(`${safeForTerminal(row.mountpoint)} is protected: every change to it is kept in ${safeForTerminal(row.store)}`);
  const others = row.past_the_mount.filter(({ pid, writing }) => writing || pid !== process.ppid);
  if (others.length > 0) out.remark(`What these do in the directory goes past the mount and is not recorded, until they are started anew or step into it again: ${nameUsers(others)}`);
  if (row.interrupted) out.remark(`${describeInterrupted(row.interrupted)}:\n  ${HOW_TO_GO_ON}.`);
}
