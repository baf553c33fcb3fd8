/**
 * A view of a store with no tree: holds the store, answers the control socket, and ends when it is unmounted. A store that
 * cannot be written has no socket: others may read it, too.
 */
import type { Store } from '../store/store.js';
import { mountView } from '../view/mount.js';
import { openOffline } from './offline.js';
import { serveControl } from './server.js';
import type { Unread } from './session.js';

/** A mounted view. */
export interface Viewer {
  /** What is only in the journal, of a store that cannot be written. */
  unread: Unread | null;
  /** History has but a part of the tree (OfflineSession). */
  partly: boolean;
  stop(): Promise<void>;
  /** Resolves once everything is closed. */
  ended: Promise<void>;
}

/** @throws those of openOffline and of mounting */
export async function openViewer(store: Store, mountpoint: string): Promise<Viewer> {
  const session = await openOffline(store);
  try {
    session.policy.watch();
    let resolveEnded: () => void;
    const ended = new Promise<void>((resolve) => { resolveEnded = resolve; });
    let finishing: Promise<void> | null = null;
    const finish = () => finishing ??= (async () => {
      session.policy.unwatch();
      await control?.close();
      await session.close();
      resolveEnded();
    })();
    const view = await mountView({
      history: session.history, mountpoint, settle: async () => { await session.settle(); }, fsname: store.layout.root, group: (name) => session.policy.policy.groups.find((group) => group.name === name) ?? null, onGone: () => void finish(),
    });
    const control = session.readOnly ? null : await serveControl(session, store.layout.socket);
    return { ended, unread: session.unread, partly: session.partly, stop: async () => { await view.unmount(true); await finish(); } };
  } catch (error) {
    await session.close();
    throw error;
  }
}
