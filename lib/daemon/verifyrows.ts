/** What `verify`, `anchor` and the scrub answer (protocol.ts says the same of all other methods). */
import type { FindingKind, Severity } from '../verify/findings.js';

export type { FindingKind, Severity };

/**
 * Something is wrong. `key`: of the entry, in hexadecimal, empty when it is about no single one; `path`: where the object
 * lies, or lay last; `remedy`: what to do about it.
 */
export interface FindingRow { type: 'finding'; kind: FindingKind; severity: Severity; family: string; key: string; what: string; node: number | null; path: string | null; remedy: string }

/** What the chain speaks for. */
export interface ChainRow {
  from_seq: number;
  to_seq: number;
  links: number;
  /** Records that it does not speak for since a repair. */
  mended: { from_seq: number; to_seq: number; time: string }[];
  /**
   * With `deep`: objects whose bytes were compared, once for each batch of records that brought some; and those where that
   * cannot be, because retention thinned them, because they were purged, were not captured, or cannot be read (a finding).
   */
  objects: { whole: number; thinned: number; purged: number; uncaptured: number; damaged: number } | null;
}

export type VerifyRow =
  /** How much of a family of history, or of the journal, was looked at. */
  | { type: 'progress'; family: string; done: number }
  | FindingRow
  /** With an anchor: given up lawfully, as history says itself, so that the chain can show its changes and not their content. */
  | { type: 'thinned'; from_seq: number; to_seq: number; why: string | null; time: string | null; /** When changes of it were given up; null: all of them are told. */ changes_time: string | null }
  | { type: 'purged'; node: number; path: string | null; by: string; time: string; note: string }
  /** All was looked at; `seq`: up to where history goes; `anchor`: does the one that was given fit? */
  | { type: 'verified'; deep: boolean; seq: number; entries: number; journal_records: number; findings: number; chain: ChainRow | null; anchor: { seq: number; time: string | null; fits: boolean } | null };

/** `anchor`: the line to keep. */
export interface AnchorRow { anchor: string; store: string; seq: number; time: string; head: string }

/** How the background's reading of the whole store is. */
export interface ScrubRow {
  /** In milliseconds; null: never. */
  every_ms: number | null;
  /** null: none is under way. `part`: between 0 and 1. */
  running: { since: string; bytes: number; part: number } | null;
  /** The last one that came to its end. */
  last: { began: string; ended: string; bytes: number; findings: number } | null;
  /** When the next one begins, at the soonest; null: never, or one is under way. */
  next: string | null;
  /** Of the last one and of the one that is under way; at most the first hundred. */
  findings: FindingRow[];
}
