/**
 * The loop: journal -> batches -> history. Guarantees: records enter history in the order of their seq, each exactly once,
 * however often the process dies; nothing is skipped: a batch that fails because the disk is full or does not answer is
 * tried again until it does, any other failure stops the loop, and the error is what `caughtUp`, `stop` and `onError`
 * answer; memory is bounded by two batches (one is folded while the other is committed) and the caches of the fold.
 */
import { constants } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RewindError } from '../errors.js';
import type { History } from '../history/history.js';
import type { FoldMeta } from '../history/meta.js';
import type { Batch } from '../history/rocks.js';
import type { Change, Seq } from '../history/types.js';
import type { Journal } from '../native.js';
import { shortenChains } from './chains.js';
import { foldClock } from './clock.js';
import { Durability } from './durability.js';
import { foldRecord } from './fold.js';
import { Pace } from './pace.js';
import { prefetch } from './prefetch.js';
import { decodeRecords, Kind, type Record } from './record.js';
import { FoldState, type Cached } from './state.js';

const MiB = 1 << 20;
const READ_BYTES = 8 * MiB;
/** More records in a batch make fewer entries, since what concerns one place becomes one. */
const BATCH_RECORDS = 8192;
/** Folded at a stretch; then views and questions have their turn. */
const STRETCH_RECORDS = 1024;
/** A read that answers less has come to the journal's end: a record is never longer than the rest. */
const FULL_READ_BYTES = READ_BYTES / 2;
/** Below this nothing is extracted; well below what writers of the tree leave, so that history is the last to wait. */
const LEAST_FREE_BYTES = 96 * MiB;
/** How long until it is tried again when there is no room, unless somebody asks. */
const RETRY_MS = 1000;

/** A batch that only has to be committed. */
interface Folded { batch: Batch; meta: FoldMeta; changes: Change[] }

/**
 * Folds these records. `before`: the commit of the batch before them, which may still be under way.
 * @throws RewindError ERR_JOURNAL_CORRUPT when they do not go on, one by one, where the fold stands
 */
async function foldBatch(history: History, state: FoldState, records: Record[], before: Promise<void>): Promise<Folded> {
  records.forEach((record, i) => expectSeq(record.seq, state.meta.watermark + 1 + i));
  const batch = history.rocks.batch(records.length + 64);
  try {
    state.begin(batch, records[0]?.raw.length);
    state.looked = await prefetch(history, state, records, before);
    for (const [i, record] of records.entries()) {
      if (i % STRETCH_RECORDS === STRETCH_RECORDS - 1) await nextTurn();
      foldRecord(state, record);
    }
    state.end();
    foldClock(state.sink, records);
    if (records.length > 0) state.meta.chain = state.seal.link(state.meta.chain, records[0]!.seq, records.length, state.meta.mount);
    return { batch, meta: { ...state.meta }, changes: state.changes };
  } catch (error) {
    batch.end();
    throw error;
  }
}

async function commitBatch(history: History, { batch, meta }: Folded): Promise<void> {
  try {
    await history.commit(batch, meta);
  } finally {
    batch.end();
  }
}

/** Folds these records and commits them: one atomic batch. */
export async function extractBatch(history: History, state: FoldState, records: Record[]): Promise<void> {
  await commitBatch(history, await foldBatch(history, state, records, Promise.resolve()));
  if (state.overlong.size > 0) await shortenChains(history, state);
}

function expectSeq(seq: Seq, expected: Seq): void {
  if (seq !== expected) throw new RewindError('ERR_JOURNAL_CORRUPT', `the journal answers record ${seq}, expected ${expected}`, 'A segment is missing or damaged; nothing was extracted past it. `rewind repair` goes on without it.');
}

/** Splits records so that a mount is the first of its batch: what base records mean depends on it. */
export function splitAtMounts(records: Record[]): Record[][] {
  const batches: Record[][] = [];
  for (const record of records) {
    const current = batches.at(-1);
    if (current === undefined || record.kind === Kind.Mount) batches.push([record]);
    else current.push(record);
  }
  return batches;
}

const { EIO, ENOSPC } = constants.errno;
/** Codes of errors that are over as soon as the disk has room, or answers again; whatever else fails, fails again. */
const OF_DISK: ReadonlyMap<string, number> = new Map([['ERR_DISK_FULL', ENOSPC], ['ENOSPC', ENOSPC], ['EDQUOT', ENOSPC], ['ERR_IO', EIO], ['EIO', EIO], ['EROFS', EIO]]);

/** What the disk has answered; null when it is not the disk. */
function errnoOfDisk(error: unknown): number | null {
  return OF_DISK.get((error as NodeJS.ErrnoException).code ?? '') ?? null;
}

export class Extractor {
  private state: FoldState;
  private readonly durability: Durability;
  private readonly waiting = new Set<{ seq: Seq; resolve: () => void; reject: (error: unknown) => void }>();
  private readonly listeners = new Set<(changes: Change[]) => void>();
  private readonly overhearers = new Set<(changes: Change[]) => void>();
  private readonly errorListeners = new Set<(error: unknown) => void>();
  private readonly stallListeners = new Set<(error: Error | null) => void>();
  private running: Promise<void> | null = null;
  private stopping = false;
  private error: unknown;
  /** Why nothing comes any more: the error, or that it was stopped. */
  private ended: unknown;
  /** Why nothing comes for now. */
  private stall: Error | null = null;
  /** The first that was met. */
  private damage: Error | null = null;
  private readonly damageListeners = new Set<(error: Error) => void>();
  private readonly pace: Pace;
  /** The newest commit: while it is under way the next batch is folded. */
  private committing: Promise<void> = Promise.resolve();

  /** batchRecords: what one batch holds at most. */
  constructor(private readonly journal: Journal, private readonly history: History, private readonly limits: { batchRecords?: number; cached?: Cached } = {}) {
    this.state = this.stateOfHistory();
    this.durability = new Durability(journal, history);
    this.pace = new Pace(journal, () => history.watermark(), { awaited: () => this.waiting.size > 0, followed: () => this.listeners.size > 0 });
  }

  /**
   * Starts extracting, once.
   * @throws RewindError ERR_HISTORY_BEHIND when the journal no longer holds the record that history needs next
   */
  start(): void {
    const next = this.history.watermark() + 1;
    const { firstSeq } = this.journal.stats();
    if (firstSeq > next) {
      throw new RewindError('ERR_HISTORY_BEHIND', `history ends at record ${next - 1}, but the journal begins at ${firstSeq}: records ${next} to ${firstSeq - 1} are in neither`, 'Put back the history directory that belongs to this journal; without one `rewind repair` goes on behind what is lost.');
    }
    this.pace.begin();
    this.running = this.run();
  }

  /** Extracts what is in the journal now, makes it durable, releases it and ends. @throws what the loop failed with */
  async stop(): Promise<void> {
    if (this.running === null) return;
    this.stopping = true;
    this.pace.hurry();
    await this.running;
    this.pace.end();
    if (this.error !== undefined) throw this.error;
  }

  /** Resolves once history holds this seq; rejects when the loop has failed or ended before, or has just found no room for it. */
  caughtUp(seq: Seq): Promise<void> {
    if (this.history.watermark() >= seq) return Promise.resolve();
    if (this.ended !== undefined) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => {
      this.waiting.add({ seq, resolve, reject });
      this.pace.hurry();
    });
  }

  /** Every batch's changes after history holds them, in order. Answers how to end it. */
  onChanges(listener: (changes: Change[]) => void): () => void {
    this.listeners.add(listener);
    return () => { this.listeners.delete(listener); };
  }

  /** The same, whenever history comes to it: it does not follow more closely for this listener. */
  overhear(listener: (changes: Change[]) => void): void {
    this.overhearers.add(listener);
  }

  /** Makes all that history holds durable, and releases it: the journal does not need it any more. */
  release(): Promise<void> {
    return this.durability.finish();
  }

  /** Called once when the loop stops because of an error. */
  onError(listener: (error: unknown) => void): void {
    if (this.error === undefined) this.errorListeners.add(listener);
    else listener(this.error);
  }

  /** Why it waits for the disk; null while it does not. */
  stalled(): Error | null {
    return this.stall;
  }

  /** Called whenever it begins to wait for the disk, and with null when it goes on. */
  onStall(listener: (error: Error | null) => void): void {
    this.stallListeners.add(listener);
  }

  /** Called once, when content is met that is damaged: history goes on without it. */
  onDamage(listener: (error: Error) => void): void {
    if (this.damage === null) this.damageListeners.add(listener);
    else listener(this.damage);
  }

  private noteDamage(error: Error): void {
    if (this.damage !== null) return;
    this.damage = error;
    for (const listener of this.damageListeners) listener(error);
  }

  private stateOfHistory(): FoldState {
    const state = new FoldState(this.history.meta(), { put: () => undefined }, this.limits.cached);
    state.mayReuse = (id) => this.history.mayReuse(id);
    state.damaged = (error) => this.noteDamage(error);
    return state;
  }

  private async run(): Promise<void> {
    try {
      while (!await this.follow().then(() => true, (error: unknown) => this.waitForDisk(error))) {
        // Once more, from what history holds.
      }
      await this.durability.finish();
      this.ended = new RewindError('ERR_BUSY', 'the extractor has ended', 'Open the store again.');
      this.settle(this.ended);
    } catch (error) {
      this.ended = this.error = error;
      this.journal.historyStands(errnoOfDisk(error) ?? EIO);
      this.settle(error);
      for (const listener of this.errorListeners) listener(error);
    }
  }

  /** Until it is stopped and everything is in history. No commit is under way when it ends. */
  private async follow(): Promise<void> {
    if (this.stall !== null) await this.recover();
    try {
      let ahead: Promise<Buffer> | null = null;
      for (;;) {
        // A read that was begun before may not have seen what came last.
        const isLast = this.stopping && ahead === null;
        const raw = await (ahead ?? this.journal.read(this.state.meta.watermark + 1, READ_BYTES));
        ahead = null;
        if (raw.length === 0 && isLast) break;
        this.expectRoom(raw.length);
        await this.extract(raw, (next) => {
          ahead = this.journal.read(next, READ_BYTES);
          ahead.catch(() => undefined);  // awaited above, unless this read's batch fails first
        });
        if (ahead !== null) continue;
        await this.committing;
        if (this.stall !== null) this.goOn();
        if (!this.stopping) await this.pace.rest(() => this.durability.idle());
      }
    } finally {
      await this.committing.catch(() => undefined);  // who awaits it first is told
    }
  }

  /** Who waits for history is told; then it is time to try again. @throws what no disk can mend */
  private async waitForDisk(error: unknown): Promise<false> {
    const errno = errnoOfDisk(error);
    if (this.stopping || errno === null) throw error;
    const begins = this.stall === null;
    this.stall = error as Error;
    this.journal.historyStands(errno);
    if (begins) for (const listener of this.stallListeners) listener(this.stall);
    this.settle(error);
    await this.pace.pause(RETRY_MS);
    return false;
  }

  private goOn(): void {
    this.stall = null;
    this.journal.historyStands(0);
    for (const listener of this.stallListeners) listener(null);
  }

  /** After a failure of the disk: everything as if it had just been opened. */
  private async recover(): Promise<void> {
    await this.durability.abandon();
    await this.history.resume();
    this.state = this.stateOfHistory();
    this.committing = Promise.resolve();
    await this.durability.release();
  }

  /** RocksDB should not be the one to find the disk full: history would have to be opened anew. */
  private expectRoom(bytes: number): void {
    const { freeBytes } = this.journal.stats();
    if (bytes > 0 && freeBytes < LEAST_FREE_BYTES) throw new RewindError('ERR_DISK_FULL', `no room left for history: ${Math.floor(freeBytes / MiB)} MiB are left on the disk of ${this.history.directory}`, 'Make room on that disk.');
  }

  /** All records of one read, in batches; when there is more, the next read begins while the last batch is written. */
  private async extract(raw: Buffer, readAhead: (next: Seq) => void): Promise<void> {
    for (let at = 0; at < raw.length;) {
      const { records, end } = decodeRecords(raw, at, this.limits.batchRecords ?? BATCH_RECORDS);
      at = end;
      if (at >= raw.length && raw.length >= FULL_READ_BYTES) readAhead(records.at(-1)!.seq + 1);
      for (const batch of splitAtMounts(records)) await this.put(batch);
    }
  }

  /** Folds these records while the batch before is committed, then begins to commit them. */
  private async put(records: Record[]): Promise<void> {
    const folded = await foldBatch(this.history, this.state, records, this.committing);
    await this.committing.catch((error: unknown) => {
      folded.batch.end();
      throw error;
    });
    this.committing = this.commit(folded);
    this.committing.catch(() => undefined);  // awaited before the next one, and in `follow`
    if (this.state.overlong.size === 0) return;
    await this.committing;
    await shortenChains(this.history, this.state);
  }

  private async commit(folded: Folded): Promise<void> {
    const { bytes } = folded.batch;
    await commitBatch(this.history, folded);
    await this.durability.committed(bytes);
    if (folded.changes.length > 0) for (const listener of [...this.listeners, ...this.overhearers]) listener(folded.changes);
    this.settle();
  }

  /** Resolves those who wait for what is there now; with an error, rejects the rest. */
  private settle(error?: unknown): void {
    for (const waiter of this.waiting) {
      if (this.history.watermark() >= waiter.seq) waiter.resolve();
      else if (error !== undefined) waiter.reject(error);
      else continue;
      this.waiting.delete(waiter);
    }
  }
}
