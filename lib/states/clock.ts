/**
 * Watches the clock of the machine, which somebody may set back. History's own then stands still (invariant I3): what the other
 * one shows is noted now and again, so that "10 minutes ago" goes on meaning what it says. Guarantee: nothing is noted while
 * the clock of the machine goes on, nor while nothing changes.
 */
import type { Seq } from '../history/types.js';

/** Less is a matter of course among processors, and of no interest to people. */
const LEAST_BEHIND_NS = 1_000_000_000n;
/** How long the next reading is put off: times of changes in between are known no more closely. */
const EVERY_MS = 2000;

export interface ClockLook {
  /** What the machine shows. */
  wallNs: bigint;
  /** Time of the newest record. */
  lastNs: bigint;
  lastSeq: Seq;
  /** Milliseconds, never set back. */
  steadyMs: number;
}

/** What to note: `behindNs` only of the first after the clock was set back. */
export interface Noted { wallNs: bigint; behindNs: bigint | null }

export class ClockWatch {
  private noted: { wallNs: bigint; atMs: number; seq: Seq } | null = null;

  /** Call it about once a second, and at the end. */
  look({ wallNs, lastNs, lastSeq, steadyMs }: ClockLook): Noted | null {
    const behindNs = lastNs - wallNs;
    if (behindNs < LEAST_BEHIND_NS) {
      this.noted = null;
      return null;
    }
    const before = this.noted;
    const setBack = before === null || wallNs < before.wallNs - LEAST_BEHIND_NS;
    if (!setBack && (lastSeq <= before.seq || steadyMs - before.atMs < EVERY_MS)) return null;
    this.noted = { wallNs, atMs: steadyMs, seq: lastSeq + 1 };
    return { wallNs, behindNs: setBack ? behindNs : null };
  }
}
