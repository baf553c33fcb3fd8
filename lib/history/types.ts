/** The words of history as types. Names of files are latin1 strings: one char a byte (see lib/paths.ts for showing them). */

/** Number of a record; safe as a double up to 2^53. */
export type Seq = number;
/** An object's identity in history. The root is 1. */
export type NodeId = number;
/** A file name or xattr name: its bytes as a latin1 string, never decoded. */
export type Name = string;

export const ROOT: NodeId = 1;

/** Attributes of a node at an instant; times in nanoseconds since the epoch. */
export interface NodeAttr {
  /** st_mode: type and permission bits. */
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  size: number;
  /** (major << 32) | minor, as in the journal. */
  rdev: bigint;
  atime: bigint;
  mtime: bigint;
  ctime: bigint;
  btime: bigint;
  /** Of the content only these attributes are known: it was never captured (policy, or it could not be read), or is kept no longer. */
  uncaptured?: true;
  /** Such content was captured, and its schedule gave it up: the instants around that are kept of it (0 = nothing before). */
  thinned?: { from: Seq; to: Seq };
}

/** What a name led to. */
export interface NameEntry {
  name: Name;
  node: NodeId;
  /** seq since which it is so. */
  since: Seq;
}

/** A name in a directory. */
export interface Slot {
  parent: NodeId;
  name: Name;
}

/** A name of one object, from `from` until just before `until` (Infinity: to this day). */
export interface Link extends Slot {
  from: Seq;
  until: Seq;
}

/** What a name led to in such a time. */
export interface NameSpan extends Link {
  node: NodeId;
}

/** An object as history first knew it. */
export interface Birth {
  node: NodeId;
  seq: Seq;
  attr: NodeAttr;
}

/** What a change was. `rename` is on one change record with both places. */
export type Marker = 'create' | 'modify' | 'delete' | 'rename';

/** What kind of record made it. Numbers of native/journal/format.h `Kind`. */
export type RecordKind = number;

/** One change of the timeline. */
export interface Change {
  /** When it took effect: the record's seq, or the session's mount seq for what was found changed while unmounted. */
  seq: Seq;
  /** The record's own seq. */
  record: Seq;
  timeNs: bigint;
  kind: RecordKind;
  marker: Marker;
  node: NodeId;
  /** Directory and name for changes of names (of a link: its new name); the place it came from for a rename. */
  parent?: NodeId;
  name?: Name;
  /** Where a rename went to. */
  parent2?: NodeId;
  name2?: Name;
  /** What a rename replaced or was exchanged with; what lay at that name before, for what a mount found there. */
  target?: NodeId;
  exchange?: boolean;
  offset: number;
  length: number;
  /** Size of the file after it. */
  size: number;
  /** seq of the writer record, 0 = not known. */
  writer: Seq;
  /** seq of the open, 0 = none. */
  save: Seq;
  /** Not certain who (mmap writeback). */
  writeback: boolean;
  /** Found at a mount: it happened while the tree was not mounted. */
  unmounted: boolean;
  /** It stands for changes before it, too, which were given up (docs/retention.md): of the same kind, by the same writer to the same object. */
  givenUp?: GivenUp;
}

/** How many changes were given up, and what of a file they concerned: none of them anything before `from` or from `to` on (a truncation: anything before its new end). */
export interface GivenUp {
  count: number;
  from: number;
  to: number;
}

/** Who made a change. */
export interface Writer {
  id: Seq;
  pid: number;
  /** Start time in clock ticks since boot (/proc/PID/stat field 22). */
  start: number;
  ppid: number;
  exe: string;
  argv: string[];
  uid: number;
  gid: number;
  cgroup: string;
  certain: boolean;
  /** Who started it, the nearest first, each `PID:START`. */
  ancestors?: string[];
  /** The sessions of `rewind run` that it ran in, the outermost first, joined with `/`; empty without. */
  session?: string;
}

/** Reasons for which an instant is found again; docs/points.md says what each means. */
export const POINT_KINDS = ['mount', 'unmount', 'killed', 'boot', 'shutdown', 'mark', 'notify', 'transaction', 'recover', 'rollback', 'undo', 'redo', 'replay', 'restore', 'run', 'fork', 'install', 'uninstall', 'write', 'connection', 'interval', 'alarm', 'clock', 'gap'] as const;
export type PointKind = (typeof POINT_KINDS)[number];
/** Of something that takes time: the instant before it began, or after it had ended. */
export type PointPhase = 'before' | 'after';

/** A recoverable instant with a name or a reason. */
export interface Point {
  /** seq of the record that tells of it. */
  id: Seq;
  /** The instant that it names: not after `id`, and before it where the reason was known only later. */
  seq: Seq;
  timeNs: bigint;
  kind: PointKind;
  name: string;
  note: string;
  phase?: PointPhase;
  /** Of a mount: the start of the machine that it was in. */
  boot?: string;
  /** It is kept whatever is forgotten. */
  pinned?: boolean;
  /** Of a mount or unmount: free words that it was given. */
  tags?: string[];
  /** What an operation keeps with its points (lib/recovery/operations.ts). */
  detail?: Record<string, unknown>;
}

/** What the clock of the machine showed at a record, while it lay behind history's, which stands still then (invariant I3). */
export interface ClockReading {
  seq: Seq;
  wallNs: bigint;
  /** Where history's clock stood. */
  stoodNs: bigint;
}

/** A stretch or object that was not captured (invariant I10). */
export interface Gap {
  seq: Seq;
  timeNs: bigint;
  reason: string;
  detail: Record<string, unknown>;
  /** What it concerns, when it is one object. */
  node?: NodeId;
  /** Where that lay, when it is known. */
  parent?: NodeId;
  name?: Name;
}
