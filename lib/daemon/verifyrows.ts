/** What `verify` answers (protocol.ts says the same of all other methods). */
import type { FindingKind, Severity } from '../verify/findings.js';

export type { FindingKind, Severity };

export type VerifyRow =
  /** How much of a family of history, or of the journal, was looked at. */
  | { type: 'progress'; family: string; done: number }
  /**
   * Something is wrong. `key`: of the entry, in hexadecimal, empty when it is about no single one; `path`: where the object
   * lies, or lay last; `remedy`: what to do about it.
   */
  | { type: 'finding'; kind: FindingKind; severity: Severity; family: string; key: string; what: string; node: number | null; path: string | null; remedy: string }
  /** All was looked at; `seq`: up to where history goes. */
  | { type: 'verified'; deep: boolean; seq: number; entries: number; journal_records: number; findings: number };
