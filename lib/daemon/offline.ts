/**
 * A store without a daemon, opened to be looked at: locked, and brought up to date with what a killed daemon left in
 * the journal. The tree itself is not touched.
 */
import { Extractor } from '../extractor/loop.js';
import { History } from '../history/history.js';
import { native } from '../native.js';
import { Packing } from '../pack/packing.js';
import { PolicySource } from '../policy/source.js';
import { lockStore, type Store } from '../store/store.js';
import { storeOpenError } from './errors.js';
import { JobTable } from './jobs.js';
import type { Session } from './session.js';

/** A session that must be closed. */
export interface OfflineSession extends Session {
  close(): Promise<void>;
}

/** @throws ERR_STORE_LOCKED, ERR_JOURNAL_CORRUPT, ERR_HISTORY_CORRUPT, ERR_NO_PERMISSION */
export async function openOffline(store: Store): Promise<OfflineSession> {
  const lock = await lockStore(store);
  const undo: (() => Promise<void> | void)[] = [() => lock.release()];
  const close = async () => {
    while (undo.length > 0) await undo.pop()!();
  };
  try {
    const { layout, description } = store;
    const storeId = Buffer.from(description.id, 'hex');
    const history = await History.open(layout.history, { storeId });
    undo.push(() => history.close());
    const journal = new native.Journal({
      directory: layout.journal, storeId, nextSeq: history.watermark() + 1, readOnly: true,
    });
    undo.push(() => journal.close());
    await journal.open();
    const extractor = new Extractor(journal, history);
    extractor.start();
    undo.push(() => extractor.stop());
    await extractor.caughtUp(journal.stats().lastSeq);
    const policy = new PolicySource(layout.policy, layout.goodPolicy);
    await policy.load();
    const jobs = await JobTable.load(layout.recoveries);
    return { store, history, policy, jobs, packing: new Packing(history), live: null, settle: async () => history.watermark(), close };
  } catch (error) {
    await close().catch(() => null);
    throw storeOpenError(error, store.layout);
  }
}
