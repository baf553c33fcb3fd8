/** `rewind view`: the past of a store as a read-only directory; no engine, no tree. */
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { flag, text, type Arguments } from '../command.js';
import type { Output } from '../output.js';
import { announce, launch, wasLaunched } from '../../lib/daemon/launch.js';
import { openViewer } from '../../lib/daemon/viewer.js';
import { RewindError } from '../../lib/errors.js';
import { safeForTerminal } from '../../lib/paths.js';
import { checkDirectory, checkFuse, realPath } from '../../lib/store/checks.js';
import { openStore } from '../../lib/store/store.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  const store = await openStore(await realPath(text(args, 'STORE')!));
  const mountpoint = await realPath(text(args, 'MOUNTPOINT')!);
  await checkDirectory(mountpoint);
  if ((await readdir(mountpoint)).length > 0) throw new RewindError('ERR_EXISTS', `${mountpoint} is not empty`, 'Name an empty directory.');
  await checkFuse();
  if (!flag(args, 'foreground')) {
    await launch([fileURLToPath(new URL('../main.js', import.meta.url)), 'view', store.layout.root, mountpoint, '--foreground'], store.layout.log);
    await tell(out, store.layout.root, mountpoint);
    return;
  }
  const launched = wasLaunched();
  try {
    const viewer = await openViewer(store, mountpoint);
    process.removeAllListeners('SIGINT');
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void viewer.stop());
    await announce({ ready: {} });
    if (!launched) await tell(out, store.layout.root, mountpoint);
    await viewer.ended;
  } catch (error) {
    await announce({ failed: error });
    throw error;
  }
}

async function tell(out: Output, store: string, mountpoint: string): Promise<void> {
  if (out.json) await out.object({ store, mountpoint });
  else await out.line(`The past of ${safeForTerminal(store)} is at ${safeForTerminal(mountpoint)}: look at ${safeForTerminal(mountpoint)}/@10m; end it with rewind unmount ${safeForTerminal(mountpoint)}`);
}
