/**
 * Releases journal segments. Guarantee (invariant I5): a seq is released only after everything that history holds of it,
 * up to that seq, is on stable storage; what fails is reported to the loop and nothing is released.
 */
import type { History } from '../history/history.js';
import type { Journal } from '../native.js';

const PERIOD_MS = 2000;

/** Bytes of committed batches after which their segments are released, and after which families' buffers go to tables. */
interface Pace { releaseBytes: number; flushBytes: number }

/** A flush now and then, so that opening history after a crash replays little. */
const ROOMY: Pace = { releaseBytes: 128 << 20, flushBytes: 256 << 20 };
/**
 * Until it is flushed and its segment released, a record is on the disk three times: in the journal, in RocksDB's log and
 * in a table. Where room is short that is kept well below what the journal leaves free for it (`minFreeBytes`).
 */
const TIGHT: Pace = { releaseBytes: 32 << 20, flushBytes: 32 << 20 };
const TIGHT_FREE_BYTES = 1 << 30;

export class Durability {
  private released: number;
  private unsyncedBytes = 0;
  private unflushedBytes = 0;
  private last = Date.now();
  private running: Promise<void> | null = null;
  private failure: unknown;

  constructor(private readonly journal: Journal, private readonly history: History) {
    this.released = history.watermark();
  }

  /**
   * After each batch: starts a round when one is due, in the background as long as there is room.
   * @throws what the round before failed with
   */
  async committed(bytes: number): Promise<void> {
    this.check();
    this.unsyncedBytes += bytes;
    this.unflushedBytes += bytes;
    const tight = this.journal.stats().freeBytes < TIGHT_FREE_BYTES;
    const pace = tight ? TIGHT : ROOMY;
    if (this.unsyncedBytes < pace.releaseBytes && Date.now() - this.last < PERIOD_MS) return;
    if (tight) await this.running;
    this.begin(pace);
    if (tight) await this.running;
    this.check();
  }

  /** When nothing comes any more: releases what is left after the period. */
  idle(): void {
    this.check();
    if (this.history.watermark() > this.released && Date.now() - this.last >= PERIOD_MS) this.begin(ROOMY);
  }

  /** Everything that history holds now, released. */
  async finish(): Promise<void> {
    await this.running;
    this.check();
    await this.round(ROOMY);
  }

  /** Ends what runs in the background, and forgets how it ended. */
  async abandon(): Promise<void> {
    await this.running;
    this.failure = undefined;
  }

  /** What is not released yet, released: makes room. */
  async release(): Promise<void> {
    await this.round(TIGHT);
  }

  private check(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  private begin(pace: Pace): void {
    if (this.running !== null) return;
    this.running = this.round(pace).catch((error: unknown) => { this.failure = error; }).finally(() => { this.running = null; });
  }

  private async round(pace: Pace): Promise<void> {
    const seq = this.history.watermark();
    this.unsyncedBytes = 0;
    this.last = Date.now();
    if (this.unflushedBytes >= pace.flushBytes) {
      await this.history.rocks.flush();
      this.unflushedBytes = 0;
    }
    await this.history.rocks.sync();
    await this.journal.release(seq);
    this.released = seq;
  }
}
