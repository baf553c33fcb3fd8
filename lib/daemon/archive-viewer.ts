/** A view of archives with no store: shows the instants that they hold, and ends when it is unmounted. */
import { Chain } from '../archive/chain.js';
import { ArchiveReader } from '../archive/reader.js';
import { mountView } from '../view/mount.js';
import type { Viewer } from './viewer.js';

/** @throws those of Chain.open and of mounting */
export async function openArchiveViewer(files: readonly string[], mountpoint: string): Promise<Viewer> {
  const chain = await Chain.open(files);
  try {
    let resolveEnded: () => void;
    const ended = new Promise<void>((resolve) => { resolveEnded = resolve; });
    let finishing: Promise<void> | null = null;
    const finish = () => finishing ??= chain.close().then(() => resolveEnded());
    const view = await mountView({ history: new ArchiveReader(chain), mountpoint, settle: async () => undefined, fsname: files.at(-1)!, onGone: () => void finish() });
    return { ended, unread: null, partly: false, stop: async () => { await view.unmount(true); await finish(); } };
  } catch (error) {
    await chain.close();
    throw error;
  }
}
