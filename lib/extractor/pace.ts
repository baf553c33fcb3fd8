/**
 * When to extract: the programs of the tree come first. Guarantees: while records keep coming they stay in the journal, for
 * at most so long and so much of its room as is said here, and become history in large batches; as soon as none comes, or
 * somebody waits for history, it goes on at once. No record is overlooked. While records come the journal calls nobody:
 * each call would cost the program that writes a system call and a change of threads.
 */
import type { Seq } from '../history/types.js';
import type { Journal } from '../native.js';

/** No record for so long: the programs of the tree are not in a hurry. */
const QUIET_MS = 30;
/** How long a record waits at most when nobody waits for it, and when somebody follows the changes. */
const GATHER_MS = 2000;
const FOLLOWED_MS = 50;
/** Of the backlog's limit: a stretch of large writes is over before history takes its part of both processors and of the disk. */
const GATHER_PART = 1 / 2;
const POLL_MS = 15;
/** After so long without a record the journal is asked to call. */
const LISTEN_AFTER_MS = 500;
/** How long to sleep at most when the journal is silent: what is due by time is done then. */
const IDLE_MS = 1000;

/** Who else is interested. */
export interface Interest {
  /** Somebody waits until history has a record: no rest. */
  awaited(): boolean;
  /** Somebody wants to hear of changes. */
  followed(): boolean;
}

export class Pace {
  private hurried = false;
  private wake: (() => void) | null = null;
  private lastSeq: Seq = 0;
  private lastAppendMs = -Infinity;
  private waitingSinceMs: number | null = null;
  private takenBytes = 0;

  constructor(private readonly journal: Journal, private readonly watermark: () => Seq, private readonly interest: Interest) {}

  /** Ends the rest, or the next one, whatever there is to do. */
  hurry(): void {
    this.hurried = true;
    this.wake?.();
  }

  /** Resolves when it is time to read the journal; calls `idle` now and then meanwhile. */
  async rest(idle: () => void): Promise<void> {
    while (!this.due()) {
      idle();
      if (this.lastSeq > this.watermark() || performance.now() - this.lastAppendMs < LISTEN_AFTER_MS) await this.sleep(POLL_MS);
      else await this.listen();
    }
    this.hurried = false;
    this.waitingSinceMs = null;
    this.takenBytes = this.journal.stats().appendedBytes;
  }

  begin(): void {
    this.journal.onAppend(() => this.wake?.());
  }

  end(): void {
    this.journal.onAppend(null);
  }

  /** Resolves after so long, or as soon as somebody hurries. */
  async pause(ms: number): Promise<void> {
    if (!this.hurried) await this.sleep(ms);
    this.hurried = false;
  }

  private due(): boolean {
    const { lastSeq, appendedBytes, backlogHardBytes } = this.journal.stats();
    const nowMs = performance.now();
    if (lastSeq !== this.lastSeq) {
      this.lastSeq = lastSeq;
      this.lastAppendMs = nowMs;
    }
    if (this.hurried) return true;
    if (lastSeq <= this.watermark()) return false;
    this.waitingSinceMs ??= nowMs;
    const mostMs = this.interest.awaited() ? 0 : this.interest.followed() ? FOLLOWED_MS : GATHER_MS;
    return nowMs - this.waitingSinceMs >= mostMs || nowMs - this.lastAppendMs >= QUIET_MS || appendedBytes - this.takenBytes >= GATHER_PART * backlogHardBytes;
  }

  private async listen(): Promise<void> {
    const slept = this.sleep(IDLE_MS);
    this.journal.arm(this.lastSeq);
    await slept;
  }

  private async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => { clearTimeout(timer); resolve(); };
    });
    this.wake = null;
  }
}
