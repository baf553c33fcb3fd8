/** `rewind view`: the past of a store, or what archives hold, as a read-only directory; no engine, no tree. */
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { flag, text, texts, type Arguments } from '../command.js';
import type { Output } from '../output.js';
import { announce, launch, wasLaunched } from '../../lib/daemon/launch.js';
import { RewindError } from '../../lib/errors.js';
import { safeForTerminal } from '../../lib/paths.js';
import { checkDirectory, checkFuse, realPath } from '../../lib/store/checks.js';
import { registryDirectory } from '../../lib/store/layout.js';
import { isWritable, openStore, type Store } from '../../lib/store/store.js';
import type { Unread } from '../../lib/daemon/session.js';
import type { Viewer } from '../../lib/daemon/viewer.js';
import { describeUnread, PARTLY } from '../ask.js';

/** What a view says when it is ready. */
interface ViewRow { store: string; mountpoint: string; unread: Unread | null; partly: boolean }

/** What a view shows, and how to begin it. */
interface Shown {
  /** As the viewer is told of it. */
  words: string[];
  /** The store, or the newest archive. */
  source: string;
  /** A time to look at. */
  look: string;
  log(): Promise<string>;
  open(mountpoint: string): Promise<Viewer>;
}

export async function run(args: Arguments, out: Output): Promise<void> {
  const shown = await shownBy(args);
  const mountpoint = await realPath(text(args, 'MOUNTPOINT')!);
  await checkDirectory(mountpoint);
  if ((await readdir(mountpoint)).length > 0) throw new RewindError('ERR_EXISTS', `${mountpoint} is not empty`, 'Name an empty directory.');
  await checkFuse();
  if (!flag(args, 'foreground')) {
    const row = await launch([process.argv[1]!, 'view', ...shown.words, mountpoint, '--foreground'], await shown.log()) as ViewRow;
    await tell(row, shown.look, out);
    return;
  }
  const launched = wasLaunched();
  try {
    const viewer = await shown.open(mountpoint);
    process.removeAllListeners('SIGINT');
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void viewer.stop());
    const row: ViewRow = { store: shown.source, mountpoint, unread: viewer.unread, partly: viewer.partly };
    await announce({ ready: row });
    if (!launched) await tell(row, shown.look, out);
    await viewer.ended;
  } catch (error) {
    await announce({ failed: error });
    throw error;
  }
}

/** A file is an archive, a directory a store. What shows them is loaded by the viewer alone: who starts it only waits. */
async function shownBy(args: Arguments): Promise<Shown> {
  const source = await realPath(text(args, 'STORE')!);
  const increments = await Promise.all(texts(args, 'increment').map(realPath));
  if (await stat(source).then((found) => found.isFile(), () => false)) {
    const files = [source, ...increments];
    const words = [source, ...increments.flatMap((file) => ['--increment', file])];
    return { words, source: files.at(-1)!, look: 'now', log: registryLog, open: async (mountpoint) => (await import('../../lib/daemon/archive-viewer.js')).openArchiveViewer(files, mountpoint) };
  }
  if (increments.length > 0) throw new RewindError('ERR_USAGE', `--increment goes with an archive, and ${safeForTerminal(source)} is none`, 'Name the full archive first: rewind view FULL MOUNTPOINT --increment ARCHIVE');
  const store = await openStore(source);
  return { words: [store.layout.root], source: store.layout.root, look: '10m', log: () => logOf(store), open: async (mountpoint) => (await import('../../lib/daemon/viewer.js')).openViewer(store, mountpoint) };
}

/** What the viewer prints: in the store, or where the user's own stores are when that one cannot be written. */
async function logOf(store: Store): Promise<string> {
  return await isWritable(store) ? store.layout.log : await registryLog();
}

async function registryLog(): Promise<string> {
  await mkdir(registryDirectory(), { recursive: true, mode: 0o700 });
  return join(registryDirectory(), 'view.log');
}

async function tell({ store, mountpoint, unread, partly }: ViewRow, look: string, out: Output): Promise<void> {
  if (out.json) return await out.object({ store, mountpoint, unread, partly });
  await out.line(`The past of ${safeForTerminal(store)} is at ${safeForTerminal(mountpoint)}: look at ${safeForTerminal(mountpoint)}/@${look}; end it with rewind unmount ${safeForTerminal(mountpoint)}`);
  if (unread) out.remark(describeUnread(unread));
  if (partly) out.remark(PARTLY);
}
