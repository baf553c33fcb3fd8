/**
 * What can be asked of a tree, as data: one table of methods serves the daemon's socket, the CLI's direct use of a
 * store that is not mounted, and lib/index.ts; api.ts says in words what each is for. Everything is JSON (a method of bytes
 * aside): paths are shown names (lib/paths.ts), times RFC 3339 in UTC to the nanosecond. Fields are only ever added.
 */
import type { Capture } from '../policy/file.js';
import type { Recover } from '../policy/recovery.js';
import type { AlarmRow, BlockRow } from './alarms.js';
import type { CutRow, StatusRow } from './health.js';
import type { PruneRow, PurgeRow } from './prunerows.js';
import type { Marker, PointKind, PointPhase } from '../history/types.js';
import type { OperationKind } from '../recovery/operations.js';
import type { DiffStatus, DiffWhat, PlanAction, PlanCounts } from '../recovery/types.js';
import type { DuRow, PackRow, SpaceRow } from './space-rows.js';
import type { AnchorRow, VerifyRow } from './verifyrows.js';

export type { AlarmRow, BlockRow, CutRow, DuRow, PackRow, SpaceRow, StatusRow };

/** A time as a person wrote it, with what is needed to read it as they meant it. */
export interface TimeArgs {
  /** IANA zone of times without an offset. */
  time_zone?: string;
}

/** A resolved instant. */
export interface InstantRow {
  expression: string;
  seq: number;
  time: string;
}

export interface WriterRow {
  id: number; pid: number; ppid: number; exe: string; argv: string[]; uid: number; gid: number; cgroup: string;
}

/** Only saves (or records) of these writers, that did this. */
export interface LogFilter {
  pid?: number;
  uid?: number;
  /** A pattern on the executable's name, or with a slash on its path. */
  exe?: string;
  marker?: Marker;
}

/** Content that differs. */
export interface PatchFields {
  /** The unified diff, or null when there is none to show. */
  patch?: string | null;
  /** The same, when it is not UTF-8. */
  patch_base64?: string;
  /** Why content that differs is not shown. */
  omitted?: 'binary' | 'large' | 'uncaptured';
}

/** One save (`log`), or one record (`log` with all_writes, and `watch`). */
export interface LogRow extends PatchFields {
  seq: number;
  time: string;
  marker: Marker;
  path: string | null;
  /** Where a rename took it from. */
  from?: string;
  /** Saves: counts within one life of the path; null where that has no meaning, for the newest of very many, and where some before were given up. */
  ver?: number | null;
  size: number | null;
  writer: WriterRow | null;
  /** Who did it is not certain (a memory-mapped write). */
  uncertain: boolean;
  /** It happened while the tree was not mounted. */
  unmounted: boolean;
  /** Saves: the first record of it, and how many. */
  first_seq?: number;
  records?: number;
  /** Records: what kind, and which bytes. */
  kind?: string;
  offset?: number;
  length?: number;
  save?: number;
  /** Changes before it that are told no more (docs/retention.md), and that it stands for. */
  given_up?: number;
}

export interface ListRow {
  path: string;
  type: 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'char' | 'block';
  /** Permission bits, octal. */
  mode: string;
  uid: number; gid: number; nlink: number; size: number;
  mtime: string;
  target?: string;
}

/** What changed since an instant: the two instants, then each path, then each writer, then the sum. */
export type SummaryRow =
  | { from: InstantRow; to: InstantRow }
  | { type: 'path'; status: DiffStatus; path: string; from?: string; what: DiffWhat; old_size: number | null; new_size: number | null; writers: WriterRow[] }
  /** `paths`: how many that differ now it changed; `records`: changes it made, `bytes`: it wrote. null: found at a mount. */
  | { type: 'writer'; writer: WriterRow | null; paths: number; records: number; bytes: number }
  | { type: 'sum'; created: number; modified: number; deleted: number; renamed: number; records: number; writers: number };

export interface DiffRow extends PatchFields {
  status: DiffStatus;
  path: string;
  from?: string;
  what: DiffWhat;
  old_size: number | null;
  new_size: number | null;
}

/** One life of a path (`find`). */
export interface FindRow {
  path: string;
  type: ListRow['type'];
  /** Of the last that lay there. */
  size: number;
  /** When it came, and when it went; null: it is still there. */
  came: { seq: number; time: string };
  went: { seq: number; time: string } | null;
  /** Where `cat` and `restore` find it: the last seq at which it was there, a directory before what was in it was removed too. */
  last: number;
  /** Its content is not in history. */
  uncaptured: boolean;
}

/** A line of a file, or with `bytes` a stretch of it, and the save that wrote it (`blame`). */
export interface BlameRow {
  seq: number;
  time: string;
  writer: WriterRow | null;
  uncertain: boolean;
  /** It was there before history began, or was found at a mount. */
  unmounted: boolean;
  /** From 1. */
  line?: number;
  /** Without its line feed; in base64 when it is not UTF-8. */
  text?: string;
  text_base64?: string;
  offset?: number;
  length?: number;
}

/** A line that matches, a file that does (binary, or with `names_only`), and at the end what was searched (`grep`). */
export type GrepRow =
  | { type: 'line'; path: string; seq: number; time: string; line: number; text?: string; text_base64?: string }
  | { type: 'file'; path: string; seq: number; time: string }
  | { type: 'searched'; versions: number; contents: number; uncaptured: number };

/** `writers`: of what a run changed, those who did. */
export interface PlanRow { action: PlanAction; path: string; from?: string; bytes: number; reason?: string; writers?: WriterRow[] }

export interface PointRow { id: number; seq: number; time: string; kind: PointKind; name: string; note: string; phase?: PointPhase; pinned?: boolean; tags?: string[] }

/** Something that was not captured. `path`: where, when it is one place. `text`: in words. */
export interface GapRow { seq: number; time: string; reason: string; detail: Record<string, unknown>; path: string | null; text: string }

/** Gaps that an answer met: how many, and the newest. */
export interface GapsSaid { count: number; newest: GapRow[] }

/** The policy in force. */
export interface PolicyRow {
  /** The policy file, and whether it exists. */
  file: string;
  exists: boolean;
  /** Why the file as it is now is not in force; null when it is, or there is none. */
  refused: string | null;
  /** Seconds between captures of content of files that stay open under `on-close`. */
  interval: number;
  /** What becomes of a change that the store cannot take: it fails, or it is made and not recorded. */
  on_full: 'integrity' | 'work';
  /** The last that matches decides; what none matches is captured at each write. */
  rules: PolicyRuleRow[];
  /** The same for what becomes of damaged files; where none matches, `default_recovery` applies. */
  recovery: RecoveryRuleRow[];
  default_recovery: RecoveryPolicyRow;
  /** The same for how long content is kept; where none matches, `default_keep` applies. */
  keep: KeepRuleRow[];
  default_keep: KeepRow;
  /** Every change is told of for so long; null: for ever. */
  changes_s: number | null;
  /** Where content goes that no instant younger than this needs; null: it stays. */
  cold: { directory: string; after_s: number } | null;
  /** Rules of the file that are switched off. */
  paused: { patterns: string[]; by: string; line: number }[];
  groups: GroupRow[];
}

/** A named set of files. */
export interface GroupRow {
  name: string;
  note: string;
  include: string[];
  exclude: string[];
  /** Seconds between points of its own; null: none. */
  every_s: number | null;
  /** What a view of it shows. */
  view: 'members' | 'names';
}

/** Who puts a damaged file back, how often it is tried and how long, and how often its content is looked at. */
export interface RecoveryPolicyRow { recover: Recover; retries: number; timeout_ms: number; check_ms: number | null }

export interface RecoveryRuleRow extends RecoveryPolicyRow { pattern: string; by: string; line: number }

export interface PolicyRuleRow { pattern: string; capture: Capture; by: string; line: number | null }

/** How long everything is kept, then the last of each; in seconds, null: for ever, 0: not. */
export interface KeepRow { keep_s: number | null; hour_s: number | null; day_s: number | null; week_s: number | null; month_s: number | null; year_s: number | null }

/** A rule with its patterns, or a group with its name. */
export interface KeepRuleRow extends KeepRow { patterns: string[]; group: string | null; by: string; line: number }

/** What applies to one path. A rule is null when none matches; `groups`: those that it is a member of. */
export interface PolicyPathRow { path: string; capture: Capture; rule: PolicyRuleRow | null; groups: string[]; recovery: RecoveryPolicyRow; recovery_rule: RecoveryRuleRow | null; keep: KeepRow; keep_rule: KeepRuleRow | null }

/** One message of a rollback or restore. */
export type WorkRow =
  | { type: 'instant'; at: InstantRow }
  /** A path (`.`: the whole tree) and what it goes back to. */
  | { type: 'part'; path: string; at: InstantRow }
  /** The operation that is gone on with. */
  | { type: 'resumes'; id: number; operation: OperationRow['operation']; note: string }
  /** In the way: changed by somebody else since the plan was made, or open for writing. */
  | { type: 'newer'; path: string; by: WriterRow | null }
  | { type: 'open'; path: string; pid: number; command: string }
  /** Whose changes would go, of a plan that is only shown: those first who changed most paths of it, and how many more they are. */
  | { type: 'writers'; writers: WriterRow[]; more: number }
  | { type: 'plan'; now: number; to: number; counts: PlanCounts; bytes: number }
  | ({ type: 'entry' } & PlanRow)
  | { type: 'progress'; done_ops: number; total_ops: number; done_bytes: number; total_bytes: number }
  | { type: 'failure'; op: string; path: string; errno: number }
  /** The seqs of the points before and after it; null when there was nothing to do. */
  | { type: 'done'; counts: PlanCounts; bytes: number; before: number | null; after: number | null }
  /** What came after this instant is forgotten; until then it can be taken out of the trash. */
  | { type: 'discarded'; after: number; until: string }
  /** Left as it is: taking it back is not safe. */
  | { type: 'conflict'; path: string; reason: string; by: WriterRow | null }
  | ({ type: 'coverage' } & CoverageRow)
  /** Not all is known of the stretch, or of the state, that this is about. */
  | ({ type: 'gaps' } & GapsSaid)
  | { type: 'restored'; steps: number; bytes: number; into: string };

/** A fork: the past as a writable directory. */
export interface ForkRow {
  name: string;
  /** The instant that it began from; as it was asked for. */
  seq: number;
  time: string;
  expression: string;
  created: string;
  /** Its directory, which shows something only while it is mounted. */
  path: string;
  mounted: boolean;
}

/** How much of an undo's selection is taken back. */
export interface CoverageRow {
  /** Changes that were selected, and the objects that they concern. */
  changes: number;
  objects: number;
  /** Paths that are changed; objects whose later changes by others are kept; objects left as they are; what history lacks. */
  taken_back: number;
  kept: number;
  conflicting: number;
  gaps: number;
  /** Who made the changes. */
  writers: WriterRow[];
}

/** Whose changes: all that is given must hold. None: the last operation (`undo`), the last undo (`redo`). */
export interface SelectionArgs extends TimeArgs {
  writer?: number;
  family?: number;
  exe?: string;
  session?: string;
  uid?: number;
  since?: string;
  until?: string;
}

/** An operation of `op log`. */
export interface OperationRow {
  id: number;
  operation: OperationKind;
  time: string;
  /** seq of the point after it; null: not ended, or interrupted. */
  after: number | null;
  note: string;
  name: string;
  session: string | null;
  code: number | null;
  undone: boolean;
  /** Its daemon died, or some of its steps failed; and the operation that went on with it. */
  interrupted: boolean;
  resumed_by: number | null;
}

/** A transaction over several files. */
export interface TransactionRow {
  id: string;
  state: 'open' | 'committed' | 'cancelled';
  paths: string[];
  /** Only what this process and all that it started did is taken back by a cancel; null: the files are put back, whoever changed them. */
  family: number | null;
  note: string;
  /** The instant that it began at, and the one that it ended at. */
  began: { seq: number; time: string };
  ended: { seq: number; time: string } | null;
}

/** One job of putting a file back: what asked for it, and what became of it. */
export interface RecoveryRow {
  type: 'recovery';
  id: number;
  path: string;
  /** An I/O error of the backing file, a scheduled comparison, or somebody who asked. */
  cause: 'read' | 'write' | 'sync' | 'close' | 'check' | 'asked';
  /** Who met the error, or asked; null when it is not known. */
  writer: { pid: number; exe: string } | null;
  started: string;
  ended: string | null;
  tries_left: number;
  /** `dropped`: it is of no matter any more. */
  result: 'running' | 'recovered' | 'failed' | 'dropped';
  /** The seq whose content was put back. */
  to: number | null;
  /** What was done, or why not. */
  note: string;
}

/** The last change that was acknowledged, and up to which history has all of them. */
export interface PositionRow { seq: number; extracted_seq: number }

/** Every method: its arguments and what it yields. api.ts describes them. */
export interface Methods {
  status: { args: Record<string, never>; item: StatusRow };
  position: { args: Record<string, never>; item: PositionRow };
  resolve: { args: TimeArgs & { time: string }; item: InstantRow };
  log: { args: TimeArgs & { path: string; since?: string; until?: string; limit?: number; all_writes?: boolean; raw?: boolean; group?: string; patch?: boolean; terminal?: boolean } & LogFilter; item: LogRow };
  summary: { args: TimeArgs & { path: string; since: string }; item: SummaryRow };
  ls: { args: TimeArgs & { path: string; at: string }; item: { at: InstantRow } | ListRow };
  cat: { args: TimeArgs & { path: string; at: string }; item: Buffer };
  /** `since`: only what changed since that time. */
  export: { args: TimeArgs & { at: string; since?: string; group?: string }; item: Buffer };
  /** `gaps`: not all is known of the stretch. */
  diff: { args: TimeArgs & { path: string; from: string; to: string; group?: string; patch?: boolean; terminal?: boolean }; item: { from: InstantRow; to: InstantRow; gaps?: GapsSaid } | DiffRow };
  /** `to`: of the paths, of all when there are none; `parts`: paths with an instant each. `planned_at`: `now` of the plan that was agreed to. */
  rollback: { args: TimeArgs & { paths: string[]; to?: string; parts?: { path: string; to: string }[]; group?: string; discard_after?: boolean; dry_run?: boolean; planned_at?: number; force?: boolean }; item: WorkRow };
  resume: { args: { dry_run?: boolean; planned_at?: number; force?: boolean }; item: WorkRow };
  restore: { args: TimeArgs & { path: string; at: string; into: string; group?: string; force?: boolean }; item: WorkRow };
  blame: { args: TimeArgs & { path: string; at: string; bytes?: boolean }; item: { at: InstantRow } | BlameRow };
  grep: {
    args: TimeArgs & { pattern: string; path: string; since?: string; until?: string; ignore_case?: boolean; fixed?: boolean; names_only?: boolean; all_versions?: boolean };
    item: GrepRow;
  };
  pack: { args: Record<string, never>; item: PackRow };
  /** `history`: also what is there no more. */
  du: { args: { path: string; history?: boolean }; item: DuRow };
  points: { args: TimeArgs & { kinds?: PointKind[]; since?: string; until?: string; group?: string }; item: PointRow };
  gaps: { args: TimeArgs & { path?: string; since?: string; until?: string }; item: GapRow };
  find: { args: TimeArgs & { pattern: string; path: string; since?: string; until?: string; deleted?: boolean; type?: 'f' | 'd' | 'l' }; item: FindRow };
  undo: { args: SelectionArgs & { dry_run?: boolean; require_complete?: boolean; planned_at?: number; force?: boolean }; item: WorkRow };
  redo: { args: { dry_run?: boolean; planned_at?: number; force?: boolean }; item: WorkRow };
  /** All since `since` but the changes of the selected. */
  replay: { args: SelectionArgs & { since: string; dry_run?: boolean; require_complete?: boolean; planned_at?: number; force?: boolean }; item: WorkRow };
  operations: { args: Record<string, never>; item: OperationRow };
  run_begin: { args: { argv: string[]; name?: string; session: string }; item: PointRow };
  run_end: { args: { session: string; code: number }; item: WorkRow };
  /** The points of that instant. */
  pin: { args: TimeArgs & { time: string; pinned: boolean }; item: PointRow };
  mark: { args: { name: string; note?: string }; item: PointRow };
  notify: { args: { paths: string[]; name?: string; note?: string }; item: PointRow };
  begin: { args: { paths: string[]; family?: number | 'caller'; note?: string }; item: TransactionRow };
  commit: { args: { id: string }; item: TransactionRow };
  cancel: { args: { id: string; dry_run?: boolean; force?: boolean }; item: WorkRow };
  transactions: { args: { open?: boolean }; item: TransactionRow };
  recover: { args: TimeArgs & { path: string; to?: string }; item: RecoveryRow };
  recoveries: { args: { failed?: boolean }; item: RecoveryRow };
  watch: { args: Record<string, never>; item: LogRow | RecoveryRow | AlarmRow };
  /** Without a pid all of them; yields those that were. */
  release: { args: { pid?: number }; item: BlockRow };
  policy: { args: { paths?: { path: string; directory: boolean }[] }; item: PolicyRow | PolicyPathRow };
  /** owner: the fork goes with that process. */
  fork: { args: TimeArgs & { time: string; name?: string; upper?: string; owner?: { pid: number; start: string } }; item: ForkRow };
  forks: { args: Record<string, never>; item: ForkRow };
  fork_open: { args: { name: string }; item: ForkRow };
  fork_diff: { args: { name: string; patch?: boolean; terminal?: boolean }; item: { fork: ForkRow } | DiffRow };
  fork_keep: { args: { name: string; paths: string[]; dry_run?: boolean; force?: boolean; planned_at?: number }; item: WorkRow };
  fork_drop: { args: { name: string; lazy?: boolean }; item: ForkRow };
  /** `undo`: takes back what is in the trash; `now`: it goes for good at once. */
  prune: { args: { dry_run?: boolean; undo?: boolean; now?: boolean }; item: PruneRow };
  purge: { args: { path: string; everywhere?: boolean; dry_run?: boolean }; item: PurgeRow };
  /** `deep`: also decodes every content; `anchor`: a line of `anchor` that was kept. */
  verify: { args: { deep?: boolean; anchor?: string }; item: VerifyRow };
  anchor: { args: Record<string, never>; item: AnchorRow };
  unmount: { args: { lazy?: boolean }; item: { type: 'stopped'; seq: number } };
}

export type MethodName = keyof Methods;
