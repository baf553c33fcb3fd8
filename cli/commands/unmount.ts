/** `rewind unmount`: ends the daemon of a tree, or a view. Returns when the daemon has ended. */
import { readMounts, VIEW_MOUNT_TYPE } from '../../lib/store/mounts.js';
import { isDeadMount, realPath, treeMountAt } from '../../lib/store/checks.js';
import { findTree, type TreeQuery } from '../../lib/store/find.js';
import { lockStore } from '../../lib/store/store.js';
import { answers } from '../../lib/daemon/client.js';
import { cleanDead, leaveLost } from '../../lib/store/prepare.js';
import { native } from '../../lib/native.js';
import { isRunning } from '../../lib/states/processes.js';
import { RewindError } from '../../lib/errors.js';
import { safeForTerminal } from '../../lib/paths.js';
import { flag, text, type Arguments } from '../command.js';
import { showBytes, type Output } from '../output.js';
import type { StatusRow } from '../../lib/daemon/protocol.js';
import { telling, withTree } from '../ask.js';

/** How long the daemon may take to end after the tree is unmounted, in milliseconds. */
const END_MS = 30_000;

export async function run(args: Arguments, out: Output): Promise<void> {
  const directory = await realPath(text(args, 'DIR') ?? '.');
  const view = (await readMounts()).find(({ point, type }) => point === directory && type === VIEW_MOUNT_TYPE);
  if (view) {
    await native.unmount(directory, flag(args, 'lazy'));
    await tell(out, directory, null);
    return;
  }
  const lost = await lostMount({ path: text(args, 'DIR'), tree: text(args, 'tree'), store: text(args, 'store') }, directory);
  if (lost !== null) {
    await leaveLost(lost, flag(args, 'lazy'));
    await tell(out, lost, null);
    return;
  }
  await withTree(args, text(args, 'DIR'), out, async ({ client, found }) => {
    if (client.kind === 'store' && found.mountpoint !== null) {
      await cleanDead(found.mountpoint);
      await tell(out, found.mountpoint, null);
      return;
    }
    let pid: number | null = null;
    for await (const status of client.call('status', {})) pid = status.pid;
    const seq = await telling(client, out, restOf, async () => {
      let last: number | null = null;
      for await (const { seq } of client.call('unmount', { lazy: flag(args, 'lazy') })) last = seq;
      return last;
    });
    if (pid !== null) await ended(pid);
    await tell(out, found.mountpoint ?? found.tree, seq);
  });
}

/**
 * Where a tree is mounted whose daemon runs, and has neither socket nor lock in the store that is there now: its disk is away, or
 * was meanwhile. null: a daemon answers, is about to, or has died.
 */
async function lostMount(query: TreeQuery, directory: string): Promise<string | null> {
  const found = await findTree(query).catch((error: unknown) => error as Error);
  if (found instanceof Error) {
    if (treeMountAt(await readMounts(), directory)) return directory;
    throw found;
  }
  const { store, mountpoint } = found;
  if (mountpoint === null || await answers(store.layout.socket) || await isDeadMount(mountpoint)) return null;
  const lock = await lockStore(store).catch(() => null);
  lock?.release();
  return lock === null ? null : mountpoint;
}

/** What has to become history before the daemon can end. */
function restOf({ seq, extracted_seq, backlog_bytes }: StatusRow): string | null {
  return seq <= extracted_seq ? null : `Bringing history up to date: ${seq - extracted_seq} changes to go, ${showBytes(backlog_bytes)}`;
}

async function tell(out: Output, directory: string, seq: number | null): Promise<void> {
  if (out.json) await out.object({ unmounted: directory, seq });
  else await out.line(`${safeForTerminal(directory)} is unmounted${seq === null ? '' : `; its history ends at #${seq}`}`);
}

async function ended(pid: number): Promise<void> {
  for (const giveUp = Date.now() + END_MS; Date.now() < giveUp;) {
    if (!await isRunning(pid)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new RewindError('ERR_DAEMON_TALK', `The tree is unmounted, but its daemon (pid ${pid}) has not ended within ${END_MS / 1000} s`, 'See daemon.log in the store.');
}
