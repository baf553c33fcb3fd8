/**
 * Ends the times in which the tree went on unrecorded (policy `on_full = "work"`). Guarantees: it tries again and again until
 * it succeeds; what was recorded before is all in history, and there for good, before anything new is; the gap is in history
 * with its beginning and its end (invariant I10), and what changed meanwhile is found by a walk, as after a mount.
 */
import { getSystemErrorName } from 'node:util';
import { RewindError } from '../errors.js';
import type { Extractor } from '../extractor/loop.js';
import type { History } from '../history/history.js';
import type { Seq } from '../history/types.js';
import type { Engine, Journal, JournalStats } from '../native.js';

const TICK_MS = 1000;

/** What a resumption works on. */
export interface Resumed {
  history: History;
  journal: Journal;
  engine: Engine;
  extractor: Extractor;
  /** A session has begun: `before` is what history held as the live state, `from` the seq from which states may still grow. */
  begun(session: { mountSeq: Seq; from: Seq; before: AsyncIterable<Buffer> }): void;
  /** Told when a gap begins, and when it has ended. */
  report(what: string, error?: unknown): void;
}

/** Why a gap is there, for people; null while there is none. */
export function gapFailure({ gap }: Pick<JournalStats, 'gap'>): RewindError | null {
  if (gap === null) return null;
  const since = new Date(Number(gap.sinceNs / 1_000_000n)).toISOString();
  return new RewindError(gap.errno === 28 ? 'ERR_DISK_FULL' : 'ERR_IO',
    `Changes are NOT RECORDED since ${since} (${getSystemErrorName(-gap.errno)}; ${gap.records} so far): the policy says on_full = "work"`,
    'Make room on the disk of the store, or mend it: recording goes on by itself, and begins with what has changed. Where that disk was away, `rewind unmount` and `rewind mount` the tree.');
}

export class Resumption {
  private timer: NodeJS.Timeout | null = null;
  private work: Promise<void> | null = null;
  /** The gap as it was first seen: what begins anew while it is being ended is the same one. */
  private gap: NonNullable<JournalStats['gap']> | null = null;

  constructor(private readonly on: Resumed) {}

  start(): void {
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    if (this.timer) clearInterval(this.timer);
    await this.work;
  }

  private tick(): void {
    const failure = gapFailure(this.on.journal.stats());
    if (failure === null || this.work) return;
    if (this.gap === null) this.on.report('Recording stopped', failure);
    this.gap ??= this.on.journal.stats().gap;
    // What keeps it from going on is in the status; it is tried again.
    this.work = this.resume().catch(() => undefined).finally(() => { this.work = null; });
  }

  private async resume(): Promise<void> {
    const { history, journal, engine, extractor } = this.on;
    const { gap, lastSeq } = journal.stats();
    await extractor.caughtUp(lastSeq);
    await extractor.release();
    const before = history.liveEntries();
    const unfinished = history.baselineSince();
    const { errno, sinceNs } = this.gap!;
    const detail = { reason: 'unrecorded', note: 'changes that were made while the store took none', error: getSystemErrorName(-errno), since_ns: String(sinceNs), records: gap!.records };
    const { mountSeq } = await engine.resume(JSON.stringify(detail), unfinished?.timeNs);
    this.gap = null;
    this.on.begun({ mountSeq, from: unfinished?.seq ?? mountSeq, before });
    this.on.report(`Recording goes on; ${gap!.records} records are missing`);
  }
}
