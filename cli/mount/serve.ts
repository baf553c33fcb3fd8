/**
 * The daemon as a process: until it is told to stop, or somebody unmounts the tree. Guarantees: a signal that comes while it
 * starts ends what was begun; no failure ends it once the tree is mounted.
 */
import { writeSync } from 'node:fs';
import { Daemon, type DaemonOptions } from '../../lib/daemon/daemon.js';
import { announce, announceProgress, wasLaunched } from '../../lib/daemon/launch.js';
import { RewindError } from '../../lib/errors.js';
import { interruptedOf } from '../../lib/daemon/status.js';
import type { MountPlan } from '../../lib/store/prepare.js';
import { removeStore } from '../../lib/store/store.js';
import type { Output } from '../output.js';
import { packageVersion } from '../version.js';
import { showProgress, tell, type MountRow } from './ready.js';

/** Resolves when the tree is unmounted and all that was acknowledged is in history. */
export async function serve(plan: MountPlan, how: Pick<DaemonOptions, 'backlogHardBytes' | 'transport' | 'purpose' | 'tags'>, out: Output): Promise<void> {
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

/** In the daemon's log, or on the terminal with --foreground. Where even the log has no room, `status` still tells the first. */
function note(what: string, error?: unknown): void {
  const why = error === undefined ? '' : `: ${error instanceof Error ? error.stack ?? error.message : String(error)}`;
  const hint = error instanceof RewindError && error.hint !== '' ? `\n    ${error.hint}` : '';
  try {
    writeSync(process.stderr.fd, `${new Date().toISOString()} ${what}${why}${hint}\n`);
  } catch {
    // A stream would tell of it by an event, which would be one more failure to note.
  }
}
