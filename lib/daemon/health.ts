/** Rows of how a tree, its daemon and its history are. */
import type { RetentionRow } from './prunerows.js';
import type { BaselineProgress, EngineStats } from '../native.js';
import type { Capture } from '../policy/file.js';
import type { BlockRow } from './alarms.js';
import type { GapRow, OperationRow, RecoveryRow } from './protocol.js';
import type { SpaceRow } from './space-rows.js';
import type { ScrubRow } from './verifyrows.js';

/** The end of the journal as the last session left it. */
export interface CutRow {
  /** Of a record that was not whole any more, or of all that lay behind missing ones. */
  bytes: number;
  /** Where they are kept, when there were whole records among them. */
  kept: string | null;
}

export interface StatusRow {
  mounted: boolean;
  /** null when no daemon runs. */
  pid: number | null;
  tree: string;
  mountpoint: string | null;
  store: string;
  snapshots: string;
  version: string | null;
  mounted_since: string | null;
  /** The last change that was acknowledged, and the last that is in history. */
  seq: number;
  extracted_seq: number;
  /** When the last change took effect. */
  last_change: string | null;
  first: { seq: number; time: string } | null;
  backlog_bytes: number;
  baseline: BaselineProgress | null;
  transport: string | null;
  /** Why it is not io_uring. */
  transport_reason: string | null;
  inodes: number | null;
  handles: number | null;
  requests: EngineStats['requests'] | null;
  memory_bytes: number | null;
  gaps: number;
  last_gap: GapRow | null;
  space: SpaceRow;
  /** What is wrong: history stands still, or no change is taken any more. null when all is well. */
  failed: string | null;
  /** What to do about it. */
  failed_hint: string | null;
  /** Since when changes are made and not recorded (policy `on_full = "work"`), why, and how many by now; null when all are. */
  unrecorded: { since: string; error: string; records: number } | null;
  /** What the crash before this mount left at the end of the journal. */
  cut: CutRow | null;
  /** Files that are being put back, and those that could not be. */
  recovery: { running: number; failed: RecoveryRow[] };
  /** The operation that was interrupted and waits to be gone on with or taken back. */
  interrupted: OperationRow | null;
  /** Writers that may change nothing. */
  blocked: BlockRow[];
  /** What was given up and can still be taken back; instants kept no longer, in stretches. */
  retention: RetentionRow;
  /** Reading all of the store in the background. */
  scrub: ScrubRow;
  /** What is not captured at each write, and why the policy file is not in force if it is not. */
  policy: { refused: string | null; excluded: { pattern: string; capture: Capture; by: string }[]; passthrough: boolean | null };
}
