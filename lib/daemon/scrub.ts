/**
 * Reads all of the store by itself, bit by bit, and tells what is wrong. Guarantees: never faster than the policy says, and a
 * small part of the time while programs change the tree; what was read is not read again after a restart; what was found
 * stays told until a later round does not find it any more.
 */
import type { History } from '../history/history.js';
import type { ReadableJournal } from '../verify/journal.js';
import type { ScrubRules } from '../policy/scrub.js';
import { verify } from '../verify/verify.js';
import { restFor } from './recovery.js';
import { ScrubBook } from './scrubbook.js';
import { findingRow } from './verify.js';

/** How often it is looked whether one is due. */
const LOOK_MS = 1000;
/** Works so long at a time, then rests so many times as long: while the tree is quiet, and while programs change it. */
const STINT_MS = 20;
const REST = { quiet: 3, busy: 20 };
/** Where it is goes to the disk so often. */
const SAVE_MS = 30_000;
/** After a failure. */
const RETRY_MS = 5 * 60_000;

/** What it reads, and whom it asks. */
export interface Scrubbed {
  history: History;
  journal: ReadableJournal;
  rules(): ScrubRules;
  /** May it work now? Not while history does not hold the whole tree, or is in trouble. */
  isFree(): boolean;
  /** Does no program change the tree? */
  isQuiet(): boolean;
  report(what: string, error: unknown): void;
}

export class Scrub {
  private timer: NodeJS.Timeout | null = null;
  private work: Promise<void> | null = null;
  private readonly stopping = new AbortController();
  private notBeforeMs = 0;

  constructor(private readonly scrubbed: Scrubbed, private readonly book: ScrubBook) {}

  start(): void {
    this.timer = setInterval(() => this.tick(), LOOK_MS);
    this.timer.unref();
  }

  /** Where it is stays on the disk. */
  async stop(): Promise<void> {
    this.stopping.abort();
    if (this.timer) clearInterval(this.timer);
    await this.work;
  }

  private tick(): void {
    const { history, rules, isFree, report } = this.scrubbed;
    const now = Date.now();
    const { first, firstTimeNs } = history.meta();
    if (this.work !== null || now < this.notBeforeMs || !isFree() || !this.book.isDue(rules().everyMs, first === 0 ? null : Number(firstTimeNs / 1_000_000n), now)) return;
    this.work = this.round().catch((error: unknown) => {
      this.notBeforeMs = Date.now() + RETRY_MS;
      if (!this.stopping.signal.aborted) report('The scrub stopped', error);
    }).finally(() => { this.work = null; });
  }

  private async round(): Promise<void> {
    const { history, journal, report } = this.scrubbed;
    const { signal } = this.stopping;
    const { book } = this;
    await book.begin();
    const opened = history.rocks.reopened;
    let [stint, bytes, saved] = [performance.now(), 0, performance.now()];
    try {
      for await (const found of verify(history, { deep: true, journal, after: book.place, signal })) {
        if ('kind' in found) {
          if (found.kind === 'unreadable' && history.rocks.reopened !== opened) throw new Error('history was opened anew meanwhile');
          const row = await findingRow(history, found);
          if (book.note(row)) report('The scrub found damage', `${row.severity}: ${row.kind}: ${row.path === null ? '' : `${row.path}: `}${row.what}. ${row.remedy}`);
          continue;
        }
        bytes += found.bytes;
        book.passed(found.place, found.bytes);
        const took = performance.now() - stint;
        if (took < STINT_MS && bytes < this.scrubbed.rules().rateBytes * STINT_MS / 1000) continue;
        await this.rest(took, bytes);
        if (performance.now() - saved > SAVE_MS) {
          await book.save();
          saved = performance.now();
        }
        [stint, bytes] = [performance.now(), 0];
      }
      book.end();
    } finally {
      await book.save();
    }
  }

  private async rest(tookMs: number, bytes: number): Promise<void> {
    const { rules, isQuiet } = this.scrubbed;
    const { signal } = this.stopping;
    const ms = Math.max(tookMs * (isQuiet() ? REST.quiet : REST.busy), bytes / rules().rateBytes * 1000 - tookMs);
    await restFor(ms, signal);
    signal.throwIfAborted();
  }
}
