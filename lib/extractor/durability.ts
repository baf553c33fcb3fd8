/**
 * Releases journal segments. Guarantee (invariant I5): a seq is released only after everything that history holds of it,
 * up to that seq, is on stable storage; what fails is reported to the loop and nothing is released.
 */
import type { History } from '../history/history.js';
import type { Journal } from '../native.js';

const PERIOD_MS = 2000;
const PERIOD_BYTES = 128 << 20;
/** Bytes after which the families' buffers go to tables, so that opening history after a crash replays little. */
const FLUSH_BYTES = 256 << 20;

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

  /** After each batch: starts a round, in the background, when one is due. @throws what the round before failed with */
  committed(bytes: number): void {
    if (this.failure !== undefined) throw this.failure;
    this.unsyncedBytes += bytes;
    this.unflushedBytes += bytes;
    if (this.unsyncedBytes >= PERIOD_BYTES || Date.now() - this.last >= PERIOD_MS) this.begin();
  }

  /** When nothing comes any more: releases what is left after the period. */
  idle(): void {
    if (this.failure !== undefined) throw this.failure;
    if (this.history.watermark() > this.released && Date.now() - this.last >= PERIOD_MS) this.begin();
  }

  /** Something is committed that is not released yet. */
  due(): boolean {
    return this.history.watermark() > this.released;
  }

  /** Everything that history holds now, released. */
  async finish(): Promise<void> {
    await this.running;
    if (this.failure !== undefined) throw this.failure;
    await this.round();
  }

  private begin(): void {
    if (this.running !== null) return;
    this.running = this.round().catch((error: unknown) => { this.failure = error; }).finally(() => { this.running = null; });
  }

  private async round(): Promise<void> {
    const seq = this.history.watermark();
    this.unsyncedBytes = 0;
    this.last = Date.now();
    if (this.unflushedBytes >= FLUSH_BYTES) {
      this.unflushedBytes = 0;
      await this.history.rocks.flush();
    }
    await this.history.rocks.sync();
    await this.journal.release(seq);
    this.released = seq;
  }
}
