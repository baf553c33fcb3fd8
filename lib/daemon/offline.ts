/**
 * A store without a daemon, opened to be looked at: locked, and brought up to date with what a killed daemon left in
 * the journal. One that cannot be written is shown as far as its history goes. The tree itself is not touched.
 */
import { ColdTier } from '../cold/tier.js';
import { Extractor } from '../extractor/loop.js';
import { History } from '../history/history.js';
import { native, type Journal } from '../native.js';
import { Packing } from '../pack/packing.js';
import { PolicySource } from '../policy/source.js';
import { expectOwnLogs } from '../repair/logs.js';
import { isWritable, lockStore, lockToRead, type Store } from '../store/store.js';
import { storeOpenError } from './errors.js';
import { JobTable } from './jobs.js';
import { keeperOf } from './prune.js';
import { ScrubBook } from './scrubbook.js';
import type { Session, Unread } from './session.js';

/** A session that must be closed. */
export interface OfflineSession extends Session {
  /** What is only in the journal of a store that cannot be written; null when history has everything. */
  readonly unread: Unread | null;
  /** The first walk over the tree was cut short: what it had not reached is not in history. */
  readonly partly: boolean;
  /** Nothing can be written to the store. */
  readonly readOnly: boolean;
  close(): Promise<void>;
}

/** Steps back, newest last. */
type Undo = (() => Promise<void> | void)[];

/** @throws ERR_STORE_LOCKED, ERR_JOURNAL_CORRUPT, ERR_HISTORY_CORRUPT, ERR_NO_PERMISSION */
export async function openOffline(store: Store): Promise<OfflineSession> {
  const undo: Undo = [];
  const close = async () => {
    while (undo.length > 0) await undo.pop()!();
  };
  try {
    const { layout } = store;
    const readOnly = !await isWritable(store);
    const { history, journal, unread } = readOnly ? await openAsItIs(store, undo) : await openUpToDate(store, undo);
    const policy = new PolicySource(layout.policy, layout.goodPolicy, [layout.root, store.description.tree]);
    await policy.load();
    const cold = new ColdTier(history, () => policy.policy.cold);
    await cold.adopt(!readOnly);
    const jobs = await JobTable.load(layout.recoveries);
    const scrub = await ScrubBook.load(layout.scrub);
    const settle = async () => history.watermark();
    const keeper = keeperOf({ store, policy, settle }, history, () => Math.min(history.watermark(), (history.baselineSince()?.seq ?? Infinity) - 1));
    undo.push(() => keeper.stop());
    return { store, history, journal, policy, jobs, packing: new Packing(history, cold), keeper, scrub, live: null, unread, partly: history.baselineSince() !== null, readOnly, settle, close };
  } catch (error) {
    await close().catch(() => null);
    throw storeOpenError(error, store.layout);
  }
}

interface Opened { history: History; journal: Journal; unread: Unread | null }

async function openUpToDate(store: Store, undo: Undo): Promise<Opened> {
  const lock = await lockStore(store);
  undo.push(() => lock.release());
  const storeId = Buffer.from(store.description.id, 'hex');
  await expectOwnLogs(store.layout.history, storeId);
  const history = await History.open(store.layout.history, { storeId });
  undo.push(() => history.close());
  const journal = await openJournal(store, history, undo);
  const extractor = new Extractor(journal, history);
  extractor.start();
  undo.push(() => extractor.stop());
  await extractor.caughtUp(journal.stats().lastSeq);
  return { history, journal, unread: null };
}

/** A backup on a read-only file system, or somebody else's store. */
async function openAsItIs(store: Store, undo: Undo): Promise<Opened> {
  const lock = await lockToRead(store);
  undo.push(() => lock.release());
  const storeId = Buffer.from(store.description.id, 'hex');
  await expectOwnLogs(store.layout.history, storeId);
  const history = await History.open(store.layout.history, { storeId, readOnly: true });
  undo.push(() => history.close());
  const journal = await openJournal(store, history, undo);
  const { lastSeq } = journal.stats();
  const shown = history.watermark();
  return { history, journal, unread: lastSeq > shown ? { shown, last: lastSeq } : null };
}

async function openJournal({ layout, description }: Store, history: History, undo: Undo): Promise<Journal> {
  const journal = new native.Journal({
    directory: layout.journal, storeId: Buffer.from(description.id, 'hex'), nextSeq: history.watermark() + 1, readOnly: true,
  });
  undo.push(() => journal.close());
  await journal.open();
  return journal;
}
