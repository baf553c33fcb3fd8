/**
 * The cold tier of a store: from time to time a pass over all content, and what is dead in its files given back. Guarantees:
 * without [cold] in the policy nothing moves; a step is small, so that whoever paces it can stop between two; where the
 * directory is not there nothing is done in the background, and who asks for it is told.
 */
import { stat } from 'node:fs/promises';
import { RewindError } from '../errors.js';
import type { History } from '../history/history.js';
import { Turns } from '../history/turns.js';
import type { ColdRules } from '../policy/cold.js';
import { safeForTerminal } from '../paths.js';
import { foundIn } from './adopt.js';
import { commitBook } from './commit.js';
import { ColdPass } from './mover.js';
import { Reclaim } from './reclaim.js';
import { ColdWriter } from './writer.js';

/** From the end of one pass to the beginning of the next: a day, or this part of the period if that is longer. */
const LEAST_MS = 86_400_000;
const SHARE = 16;
/** After a failure. A pass looks at all of history. */
const RETRY_MS = 3_600_000;
/** What moved is given back in the database when it is so much. */
const COMPACTED_BYTES = 16 << 20;

export class ColdTier {
  private pass: ColdPass | null = null;
  private notBeforeMs = 0;
  /** Who packs by hand, and the background. */
  private readonly turns = new Turns();
  private readonly writer: ColdWriter;
  private readonly reclaim: Reclaim;

  constructor(private readonly history: History, private readonly rules: () => ColdRules | null, fileBytes?: number) {
    this.writer = new ColdWriter(history, fileBytes);
    this.reclaim = new Reclaim(history, this.writer);
  }

  /** Begins a pass, due or not. @throws ERR_COLD_AWAY */
  begin(): Promise<void> {
    return this.turns.take(async () => {
      const rules = this.rules();
      if (rules === null) return;
      if (!await isThere(rules.directory)) throw new RewindError('ERR_COLD_AWAY', `${safeForTerminal(rules.directory)}, where cold content goes, is not there`, `Attach ${safeForTerminal(rules.directory)}, or make it, or name another directory in [cold] of the policy.`);
      this.give();
      await this.start(rules);
    });
  }

  /** Goes on with what there is to do. Answers whether there was anything. @throws ERR_COLD_AWAY, ERR_DISK_FULL, ERR_IO */
  step(): Promise<boolean> {
    return this.turns.take(() => this.advance());
  }

  private async advance(): Promise<boolean> {
    const rules = this.rules();
    if (rules === null) {
      this.give();
      return false;
    }
    if (this.pass === null) {
      if (!await isThere(rules.directory)) return false;
      if (await this.history.upkeep.take(() => this.reclaim.step(rules))) return true;
      if (!await this.isDue(rules)) return false;
      await this.start(rules);
    }
    try {
      if (this.pass === null || await this.pass.step()) return true;
    } catch (error) {
      this.give();
      this.notBeforeMs = Date.now() + RETRY_MS;
      throw error;
    }
    await this.ended();
    return true;
  }

  /** What lies in the policy's directory by now is read from there. `keep`: and for good. */
  async adopt(keep: boolean): Promise<void> {
    const rules = this.rules();
    if (rules === null) return;
    await this.history.upkeep.take(async () => {
      if (await foundIn(this.history, rules.directory) && keep) await commitBook(this.history);
    });
  }

  private async start(rules: ColdRules): Promise<void> {
    await this.adopt(true);
    const seq = await this.history.seqAt(BigInt(Date.now() - rules.afterMs) * 1_000_000n);
    if (seq === null) return await this.ended();
    this.pass = new ColdPass(this.history, this.writer, rules.directory, seq);
  }

  private async isDue({ afterMs }: ColdRules): Promise<boolean> {
    const { passedMs } = await this.history.rocks.cold.book();
    return Date.now() >= this.notBeforeMs && Date.now() - passedMs >= Math.max(LEAST_MS, afterMs / SHARE);
  }

  private give(): void {
    this.pass?.end();
    this.pass = null;
  }

  private async ended(): Promise<void> {
    const moved = this.pass?.movedBytes ?? 0;
    this.give();
    await this.history.upkeep.take(async () => {
      (await this.history.rocks.cold.book()).passedMs = Date.now();
      await commitBook(this.history);
    });
    if (moved >= COMPACTED_BYTES) await this.history.rocks.compact('content');
  }
}

/** Is there such a directory now? */
export const isThere = (directory: string): Promise<boolean> => stat(directory).then((found) => found.isDirectory(), () => false);
