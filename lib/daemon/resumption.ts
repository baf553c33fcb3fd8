/**
 * Ends the times in which the tree went on unrecorded (policy `on_full = "work"`). Guarantees: it tries again and again until
 * it succeeds, though seldom where each success was short; what was recorded before is all in history, and there for good,
 * before anything new is; the gap is in history with its beginning and its end (invariant I10), and what changed meanwhile is
 * found by a walk, as after a mount.
 */
import type { Extractor } from '../extractor/loop.js';
import type { History } from '../history/history.js';
import type { Engine, Journal, JournalStats } from '../native.js';
import { gapFailure } from './errors.js';
import type { GapNote } from './gap-note.js';
import { LostFiles } from './on-disk.js';
import type { Walk } from './walk.js';

const TICK_MS = 1000;
/** A gap that begins so soon after another ends is answered by waiting, twice as long each time. */
const SOON_MS = 60_000;
const LONGEST_REST_MS = 60_000;
/** What was changed so shortly before the gap may have been changed again in it at the same tick of the files' clock. */
const DOUBT_NS = 1_000_000_000n;

/** What a resumption works on. */
export interface Resumed {
  history: History;
  journal: Journal;
  engine: Engine;
  extractor: Extractor;
  note: GapNote;
  walk: Walk;
  /** Told when a gap begins, and when it has ended. */
  report(what: string, error?: unknown): void;
}

export class Resumption {
  private timer: NodeJS.Timeout | null = null;
  private work: Promise<void> | null = null;
  private inGap = false;
  private endedMs = -Infinity;
  private restMs = 0;
  private notBeforeMs = 0;

  constructor(private readonly on: Resumed) {}

  /** The mount record tells of the gap that the last session ended in. */
  start(): void {
    this.tick();
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    if (this.timer) clearInterval(this.timer);
    await this.work;
  }

  private tick(): void {
    const { gap } = this.on.journal.stats();
    if (this.work || (gap === null && this.on.note.text === undefined)) return;
    // What keeps it from going on is in the status; it is tried again.
    this.work = (gap === null ? this.forget() : this.inTheGap(gap)).catch(() => undefined).finally(() => { this.work = null; });
  }

  private async inTheGap(gap: NonNullable<JournalStats['gap']>): Promise<void> {
    if (!this.inGap) this.gapBegins();
    await this.on.note.keep(gap).catch(() => undefined);
    if (performance.now() >= this.notBeforeMs) await this.resume();
  }

  private gapBegins(): void {
    const nowMs = performance.now();
    this.inGap = true;
    this.restMs = nowMs - this.endedMs < SOON_MS ? Math.min(Math.max(2 * this.restMs, TICK_MS), LONGEST_REST_MS) : 0;
    this.notBeforeMs = nowMs + this.restMs;
    this.on.report('Recording stopped', gapFailure(this.on.journal.stats()));
  }

  private async resume(): Promise<void> {
    const { history, journal, engine, extractor, walk } = this.on;
    const { gap, lastSeq } = journal.stats();
    await extractor.caughtUp(lastSeq);
    await extractor.release();
    const doubted = new LostFiles(history, lastSeq, gap!.sinceNs - DOUBT_NS, BigInt(Date.now()) * 1_000_000n, (...args) => engine.readBacking(...args));
    const before = history.liveEntries(doubted.isLost);
    const unfinished = history.baselineSince();
    await walk.abandon();
    const { mountSeq } = await engine.resume(unfinished?.timeNs);
    this.inGap = false;
    this.endedMs = performance.now();
    walk.begin({ mountSeq, from: unfinished?.seq ?? mountSeq });
    walk.start(before);
    this.on.report('Recording goes on');
    await this.forget();
  }

  private async forget(): Promise<void> {
    await this.on.journal.sync();
    if (this.on.journal.stats().gap === null) await this.on.note.forget();
  }
}
