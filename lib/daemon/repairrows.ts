/** What `rewind repair` prints with --json, a row a line. */
import type { FindingKind, Severity } from '../verify/findings.js';

export type RepairRow =
  /** Something is wrong, as `verify` says it (its fields). */
  | { type: 'finding'; kind: FindingKind; severity: Severity; family: string; key: string; what: string; node: number | null; path: string | null; remedy: string }
  /** The database could not be opened, or not be read to its end: it is read file by file. */
  | { type: 'unopenable'; what: string }
  /** Something is not there, or was taken out. */
  | { type: 'missing'; what: string }
  /** Something was made anew, or had from elsewhere; `count` times. */
  | { type: 'mended'; what: string; count: number }
  /**
   * Versions of a file whose content is lost: those from `from_seq` on and before `to_seq` (null: to this day). They read as
   * not captured from now on.
   */
  | { type: 'lost'; node: number; path: string | null; from_seq: number; from_time: string | null; to_seq: number | null; to_time: string | null; what: string }
  /**
   * The end. `seq`: up to where history goes; `changed` false: there was nothing to repair; `kept`: where the damaged history
   * and journal lie now, empty in a dry run; `lost`: rows of that type; `findings`: what `verify --deep` still finds.
   */
  | { type: 'repaired'; dry_run: boolean; changed: boolean; seq: number; mended: number; lost: number; findings: number; kept: string[] };
