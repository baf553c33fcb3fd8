/**
 * What recovery answers, as data: listings, differences, plans and what became of them. Paths are lists of names (bytes
 * as latin1 strings) relative to the root of the tree; lib/paths.ts shows them.
 */
import type { Marker, Name, NodeAttr, NodeId, RecordKind, Seq, Writer } from '../history/types.js';

/** Limits of a listing. */
export interface ListOptions {
  /** Only what took effect after this seq ... */
  since?: Seq;
  /** ... and not after this one. Default: all of history. */
  until?: Seq;
  /** The newest so many. */
  limit?: number;
  /** A save by rename (an editor writes another file and renames it over) shown as the steps that it was, not as `modify`. */
  raw?: boolean;
  /** Only these; what is left out does not count for `limit`. */
  wanted?: (entry: Pick<WriteEntry, 'marker' | 'writer' | 'path' | 'from' | 'node' | 'seq'>) => boolean | Promise<boolean>;
}

/** One save of one path: what people mean by a version. */
export interface Save {
  /** The last record of the save: the state at this seq is the saved one. */
  seq: Seq;
  /** The first record of the save. */
  firstSeq: Seq;
  timeNs: bigint;
  marker: Marker;
  /**
   * Counts the saves of one life of the path from 1; null in a listing of a directory, where lives are not followed, of the newest of
   * very many, and where saves before it in that life were given up.
   */
  ver: number | null;
  /** Bytes of the file after it; null for a delete and for what is not a regular file. */
  size: number | null;
  /** Where the object lay when it was saved. null when it never had a name. */
  path: Name[] | null;
  /** Where a rename took it from. */
  from?: Name[];
  node: NodeId;
  /** Records folded into it, and how many before it were given up that they stand for. */
  records: number;
  givenUp: number;
  /** null when it is not known. */
  writer: Writer | null;
  /** Not certain who (mmap writeback). */
  writeback: boolean;
  /** Found changed at a mount. */
  unmounted: boolean;
}

/** One record of a path, for `--all-writes`. */
export interface WriteEntry {
  seq: Seq;
  timeNs: bigint;
  kind: RecordKind;
  marker: Marker;
  path: Name[] | null;
  from?: Name[];
  node: NodeId;
  offset: number;
  length: number;
  size: number;
  /** seq of the open that it belongs to, 0 = none. */
  save: Seq;
  /** Records before it that were given up, and that it stands for. */
  givenUp: number;
  writer: Writer | null;
  writeback: boolean;
  unmounted: boolean;
}

/** What of an object differs between two instants: snapper's columns, and the modification time. */
export interface DiffWhat {
  content: boolean;
  type: boolean;
  mode: boolean;
  owner: boolean;
  group: boolean;
  xattr: boolean;
  acl: boolean;
  time: boolean;
}

export type DiffStatus = 'created' | 'deleted' | 'modified' | 'renamed' | 'type';

/** One difference. A renamed directory is one entry; what changed inside it are others. */
export interface DiffEntry {
  status: DiffStatus;
  /** Where it is at the later side (`to`); for `deleted` where it was. */
  path: Name[];
  /** Where it was, for `renamed`. */
  from?: Name[];
  /** Where it was, for all others, when a directory above it was renamed. */
  was?: Name[];
  what: DiffWhat;
  /** null: not there. */
  fromNode: NodeId | null;
  toNode: NodeId | null;
  fromAttr: NodeAttr | null;
  toAttr: NodeAttr | null;
}

/** Options of `diffTrees`. */
export interface DiffOptions {
  /** Only what lies at or under these. Default: the whole tree. */
  paths?: Name[][];
  /** Also objects of which nothing but the modification time differs. */
  times?: boolean;
}

/** A path, with all below it, and the instant that it shall be as at. */
export interface Part {
  path: Name[];
  to: Seq;
}

/** A stretch of a file, in bytes. */
export interface ByteRange {
  offset: number;
  length: number;
}

/** A step of a plan. Paths are joined with `/`, relative to the root, bytes as latin1; '' is the root itself. */
export type PlanOp =
  | { op: 'mkdir' | 'create'; path: string; mode: number }
  | { op: 'symlink'; path: string; target: string }
  | { op: 'mknod'; path: string; mode: number; rdev: bigint }
  | { op: 'link' | 'rename'; path: string; from: string }
  | { op: 'unlink' | 'rmdir'; path: string }
  | { op: 'truncate'; path: string; size: number }
  | { op: 'punch'; path: string; offset: number; length: number }
  /** These ranges get the bytes that `node` had at the plan's `to`. `fresh`: the file was just made, it is a hole all over. */
  | { op: 'content'; path: string; node: NodeId; ranges: ByteRange[]; fresh: boolean }
  | { op: 'chmod'; path: string; mode: number }
  | { op: 'chown'; path: string; uid: number; gid: number }
  | { op: 'times'; path: string; atimeNs: bigint; mtimeNs: bigint }
  | { op: 'setxattr'; path: string; name: Name; value: Buffer }
  /** `maybe`: it is no failure when the attribute is not there. */
  | { op: 'removexattr'; path: string; name: Name; maybe?: boolean };

export type PlanAction = 'restore' | 'update' | 'rename' | 'delete' | 'skip';

/** What the plan does to one path, for people. */
export interface PlanEntry {
  action: PlanAction;
  path: Name[];
  /** Where a rename takes it from. */
  from?: Name[];
  what: DiffWhat;
  /** Bytes of content that will be written. */
  bytes: number;
  /** Why it is skipped. */
  reason?: string;
}

/** How many objects a plan restores (they are not there now), updates in place (renames too), deletes, leaves. */
export interface PlanCounts {
  restored: number;
  unchanged: number;
  updated: number;
  deleted: number;
  skipped: number;
}

/** An ordered list of steps that make the state at `now` the state at `to`. Nothing was done yet. */
export interface Plan {
  now: Seq;
  to: Seq;
  paths: Name[][];
  ops: PlanOp[];
  entries: PlanEntry[];
  counts: PlanCounts;
  /** Bytes of content that will be written. */
  bytes: number;
}

/** How far `applyPlan` is. */
export interface ApplyProgress {
  doneOps: number;
  totalOps: number;
  doneBytes: number;
  totalBytes: number;
}

/** A step that failed. */
export interface ApplyFailure {
  op: PlanOp['op'];
  path: string;
  errno: number;
}
