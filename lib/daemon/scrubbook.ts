/**
 * Where the scrub is and what it has found, over restarts: scrub.json in the store. Guarantees: the file is replaced whole; one
 * that cannot be read begins anew, and costs no more than reading again; what is kept of findings is bounded.
 */
import { readFile } from 'node:fs/promises';
import { replaceFile } from '../replace.js';
import type { Place } from '../verify/verify.js';
import type { FindingRow, ScrubRow } from './verifyrows.js';

/** Findings that are kept of a round. */
const KEPT = 100;
/** Parts of a pass, about. */
const PARTS = 21;

interface Round { began: string; bytes: number; findings: number; kept: FindingRow[] }
interface Stored { running: Round & { place: Place | null } | null; last: Round & { ended: string } | null }

const isSame = (one: FindingRow, other: FindingRow): boolean => one.kind === other.kind && one.family === other.family && one.key === other.key;

export class ScrubBook {
  private constructor(private readonly file: string, private stored: Stored) {}

  static async load(file: string): Promise<ScrubBook> {
    const text = await readFile(file, 'utf8').catch(() => '');
    try {
      const { running, last } = JSON.parse(text) as Stored;
      if ([running, last].every((round) => round === null || (typeof round.began === 'string' && Array.isArray(round.kept)))) return new ScrubBook(file, { running, last });
    } catch {
      // none yet, or not ours
    }
    return new ScrubBook(file, { running: null, last: null });
  }

  get place(): Place | null { return this.stored.running?.place ?? null; }

  /** Is there one to go on with, or is it time? `firstMs`: when history began; null: it did not yet. */
  isDue(everyMs: number, firstMs: number | null, nowMs: number): boolean {
    if (!Number.isFinite(everyMs) || firstMs === null) return false;
    if (this.stored.running !== null) return true;
    const last = this.stored.last === null ? firstMs : Date.parse(this.stored.last.ended);
    // A clock that was set back must not put it off for ever.
    return nowMs - last >= everyMs || last > nowMs;
  }

  /** Begins a round, or goes on with one. */
  async begin(): Promise<void> {
    this.stored.running ??= { began: new Date().toISOString(), bytes: 0, findings: 0, kept: [], place: null };
    await this.save();
  }

  /** Answers whether to tell of it: nobody was told yet, and it is not one of too many. */
  note(row: FindingRow): boolean {
    const { running, last } = this.stored;
    if (running === null || running.kept.some((one) => isSame(one, row))) return false;
    running.findings++;
    if (running.kept.length >= KEPT) return false;
    running.kept.push(row);
    return !(last?.kept.some((one) => isSame(one, row)) ?? false);
  }

  passed(place: Place, bytes: number): void {
    if (this.stored.running === null) return;
    this.stored.running.place = place;
    this.stored.running.bytes += bytes;
  }

  end(): void {
    const { running } = this.stored;
    if (running === null) return;
    const { place: _, ...round } = running;
    this.stored = { running: null, last: { ...round, ended: new Date().toISOString() } };
  }

  save(): Promise<void> {
    return replaceFile(this.file, JSON.stringify(this.stored));
  }

  row(everyMs: number, firstMs: number | null): ScrubRow {
    const { running, last } = this.stored;
    const isEver = Number.isFinite(everyMs);
    const isFresh = (row: FindingRow): boolean => !(running?.kept.some((one) => isSame(one, row)) ?? false);
    return {
      every_ms: isEver ? everyMs : null,
      running: running && { since: running.began, bytes: running.bytes, part: Math.min(1, (running.place?.part ?? 0) / PARTS) },
      last: last && { began: last.began, ended: last.ended, bytes: last.bytes, findings: last.findings },
      next: !isEver || running !== null || firstMs === null ? null : new Date((last === null ? firstMs : Date.parse(last.ended)) + everyMs).toISOString(),
      findings: [...running?.kept ?? [], ...(last?.kept ?? []).filter(isFresh)].slice(0, KEPT),
    };
  }
}
