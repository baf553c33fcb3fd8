/**
 * The loop: journal -> batches -> history. Guarantees: records enter history in the order of their seq, each exactly once,
 * however often the process dies; nothing is skipped: a batch that fails stops the loop, and the error is what
 * `caughtUp`, `stop` and `onError` answer; memory is bounded by one batch and the caches of the fold.
 */
import { RewindError } from '../errors.js';
import type { History } from '../history/history.js';
import type { Change, Seq } from '../history/types.js';
import type { Journal } from '../native.js';
import { shortenChains } from './chains.js';
import { foldClock } from './clock.js';
import { Durability } from './durability.js';
import { foldRecord } from './fold.js';
import { prefetch } from './prefetch.js';
import { decodeRecords, Kind, type Record } from './record.js';
import { FoldState } from './state.js';

const READ_BYTES = 4 << 20;
const BATCH_RECORDS = 2048;
/** How long the loop sleeps at most when the journal is silent: a missed wake-up costs no more than this. */
const IDLE_MS = 1000;
/**
 * How long records gather while nobody waits for them: on few processors a wake-up for each record would take from the
 * tree's programs what one for hundreds does not.
 */
const GATHER_MS = 20;
/** So much is no trickle: it is read on at once, while the batch before is written. */
const STREAM_BYTES = 1 << 20;

/**
 * Folds these records and commits them: one atomic batch. Answers its changes and its size.
 * @throws RewindError ERR_JOURNAL_CORRUPT when they do not go on, one by one, where history ends
 */
export async function extractBatch(history: History, state: FoldState, records: Record[]): Promise<{ changes: Change[]; bytes: number }> {
  records.forEach((record, i) => expectSeq(record.seq, history.watermark() + 1 + i));
  const batch = history.rocks.batch(records.length * 8 + 8);
  state.begin(batch);
  state.looked = await prefetch(history, state, records);
  for (const record of records) foldRecord(state, record);
  foldClock(batch, records);
  const { changes } = state;
  const { bytes } = batch;
  await history.commit(batch, state.meta);
  if (state.overlong.size > 0) await shortenChains(history, state);
  return { changes, bytes };
}

function expectSeq(seq: Seq, expected: Seq): void {
  if (seq !== expected) throw new RewindError('ERR_JOURNAL_CORRUPT', `the journal answers record ${seq}, expected ${expected}`, 'A segment is missing or damaged; nothing was extracted past it.');
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

export class Extractor {
  private readonly state: FoldState;
  private readonly durability: Durability;
  private readonly waiting = new Set<{ seq: Seq; resolve: () => void; reject: (error: unknown) => void }>();
  private readonly listeners = new Set<(changes: Change[]) => void>();
  private readonly errorListeners = new Set<(error: unknown) => void>();
  private running: Promise<void> | null = null;
  private stopping = false;
  private error: unknown;
  /** Why nothing comes any more: the error, or that it was stopped. */
  private ended: unknown;
  private wake: (() => void) | null = null;

  constructor(private readonly journal: Journal, private readonly history: History) {
    this.state = new FoldState(history.meta(), { put: () => undefined });
    this.durability = new Durability(journal, history);
  }

  /**
   * Starts extracting, once.
   * @throws RewindError ERR_HISTORY_BEHIND when the journal no longer holds the record that history needs next
   */
  start(): void {
    const next = this.history.watermark() + 1;
    const { firstSeq } = this.journal.stats();
    if (firstSeq > next) {
      throw new RewindError('ERR_HISTORY_BEHIND', `history ends at record ${next - 1}, but the journal begins at ${firstSeq}: records ${next} to ${firstSeq - 1} are in neither`, 'Restore the history directory that belongs to this journal.');
    }
    this.journal.onAppend(() => this.wakeUp());
    this.running = this.run();
  }

  /** Extracts what is in the journal now, makes it durable, releases it and ends. @throws what the loop failed with */
  async stop(): Promise<void> {
    if (this.running === null) return;
    this.stopping = true;
    this.wakeUp();
    await this.running;
    this.journal.onAppend(null);
    if (this.error !== undefined) throw this.error;
  }

  /** Resolves once history holds this seq; rejects when the loop has failed or ended before. */
  caughtUp(seq: Seq): Promise<void> {
    if (this.history.watermark() >= seq) return Promise.resolve();
    if (this.ended !== undefined) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => {
      this.waiting.add({ seq, resolve, reject });
      this.wakeUp();
    });
  }

  /** Every batch's changes after history holds them, in order. Answers how to end it. */
  onChanges(listener: (changes: Change[]) => void): () => void {
    this.listeners.add(listener);
    return () => { this.listeners.delete(listener); };
  }

  /** Called once when the loop stops because of an error. */
  onError(listener: (error: unknown) => void): void {
    if (this.error === undefined) this.errorListeners.add(listener);
    else listener(this.error);
  }

  private async run(): Promise<void> {
    try {
      let pending = this.read();
      for (;;) {
        const raw = await pending;
        if (raw.length === 0) {
          if (this.stopping) break;
          await this.sleep();
          await this.gather();
          pending = this.read();
          continue;
        }
        const streams = raw.length >= STREAM_BYTES;
        await this.extract(raw, (next) => {
          if (!streams) return;
          pending = this.journal.read(next, READ_BYTES);
          pending.catch(() => undefined);  // awaited above, unless this read's batch fails first
        });
        if (streams) continue;
        await this.gather();
        pending = this.read();
      }
      await this.durability.finish();
      this.ended = new RewindError('ERR_BUSY', 'the extractor has ended', 'Open the store again.');
      this.settle(this.ended);
    } catch (error) {
      this.ended = this.error = error;
      this.settle(error);
      for (const listener of this.errorListeners) listener(error);
    }
  }

  private read(): Promise<Buffer> {
    return this.journal.read(this.history.watermark() + 1, READ_BYTES);
  }

  /** All records of one read, in batches; the next read begins while the last batch is written. */
  private async extract(raw: Buffer, readAhead: (next: Seq) => void): Promise<void> {
    for (let at = 0; at < raw.length;) {
      const { records, end } = decodeRecords(raw, at, BATCH_RECORDS);
      at = end;
      if (at >= raw.length) readAhead(records.at(-1)!.seq + 1);
      for (const batch of splitAtMounts(records)) {
        const { changes, bytes } = await extractBatch(this.history, this.state, batch);
        this.durability.committed(bytes);
        if (changes.length > 0) for (const listener of this.listeners) listener(changes);
        this.settle();
      }
    }
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

  private wakeUp(): void {
    this.wake?.();
  }

  /** Until there is a record, or somebody asks for something. */
  private async sleep(): Promise<void> {
    this.durability.idle();
    if (this.stopping) return;
    const slept = this.waitAtMost(IDLE_MS);
    this.journal.arm(this.history.watermark());
    await slept;
  }

  /** For a moment, unless somebody waits for what is there. */
  private async gather(): Promise<void> {
    if (this.waiting.size === 0 && !this.stopping) await this.waitAtMost(GATHER_MS);
  }

  private async waitAtMost(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => { clearTimeout(timer); resolve(); };
    });
    this.wake = null;
  }
}
