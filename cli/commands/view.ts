/** `rewind view`: the past of a store as a read-only directory; no engine, no tree. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { flag, text, type Arguments } from '../command.js';
import type { Output } from '../output.js';
import { announce, launch, wasLaunched } from '../../lib/daemon/launch.js';
import { RewindError } from '../../lib/errors.js';
import { safeForTerminal } from '../../lib/paths.js';
import { checkDirectory, checkFuse, realPath } from '../../lib/store/checks.js';
import { registryDirectory } from '../../lib/store/layout.js';
import { isWritable, openStore, type Store } from '../../lib/store/store.js';
import type { Unread } from '../../lib/daemon/session.js';
import { describeUnread } from '../ask.js';

/** What a view says when it is ready. */
interface ViewRow { store: string; mountpoint: string; unread: Unread | null }

export async function run(args: Arguments, out: Output): Promise<void> {
  const store = await openStore(await realPath(text(args, 'STORE')!));
  const mountpoint = await realPath(text(args, 'MOUNTPOINT')!);
  await checkDirectory(mountpoint);
  if ((await readdir(mountpoint)).length > 0) throw new RewindError('ERR_EXISTS', `${mountpoint} is not empty`, 'Name an empty directory.');
  await checkFuse();
  if (!flag(args, 'foreground')) {
    const row = await launch([fileURLToPath(new URL('../main.js', import.meta.url)), 'view', store.layout.root, mountpoint, '--foreground'], await logOf(store)) as ViewRow;
    await tell(row, out);
    return;
  }
  const launched = wasLaunched();
  try {
    // Loaded by the viewer alone: who starts it only waits.
    const { openViewer } = await import('../../lib/daemon/viewer.js');
    const viewer = await openViewer(store, mountpoint);
    process.removeAllListeners('SIGINT');
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void viewer.stop());
    const row: ViewRow = { store: store.layout.root, mountpoint, unread: viewer.unread };
    await announce({ ready: row });
    if (!launched) await tell(row, out);
    await viewer.ended;
  } catch (error) {
    await announce({ failed: error });
    throw error;
  }
}

/** What the viewer prints: in the store, or where the user's own stores are when that one cannot be written. */
async function logOf(store: Store): Promise<string> {
  if (await isWritable(store)) return store.layout.log;
  await mkdir(registryDirectory(), { recursive: true, mode: 0o700 });
  return join(registryDirectory(), 'view.log');
}

async function tell({ store, mountpoint, unread }: ViewRow, out: Output): Promise<void> {
  if (out.json) return await out.object({ store, mountpoint, unread });
  await out.line(`The past of ${safeForTerminal(store)} is at ${safeForTerminal(mountpoint)}: look at ${safeForTerminal(mountpoint)}/@10m; end it with rewind unmount ${safeForTerminal(mountpoint)}`);
  if (unread) out.remark(describeUnread(unread));
}
