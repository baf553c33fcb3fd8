/**
 * The only file that loads the native addon, and its types. Names of files are Buffers here: a file name is bytes, not
 * text. Every method that can wait returns a promise and runs off the JavaScript thread.
 * A failed call rejects with an Error that has `errno` (positive), `syscall` and, where there is one, `path`.
 */
import type { Transport } from './transport.js';
import { createRequire } from 'node:module';

/** What `Journal.open` found. */
export interface JournalState {
  /** seq of the first record still in the segments, or nextSeq when there is none. */
  firstSeq: number;
  /** seq of the last whole record, firstSeq - 1 when there is none. */
  lastSeq: number;
  /** Bytes of a torn tail that were cut, 0 when the last session ended clean. */
  cutBytes: number;
  /** Whole records that a crash of the machine left behind missing ones: history cannot hold them. */
  stranded: StrandedRecords | null;
}

/** seqs of records, and the file in which they are kept (empty when the journal was opened to be read only). */
export interface StrandedRecords { firstSeq: number; lastSeq: number; kept: string }

export interface JournalOptions {
  directory: string;
  /** 16 bytes. A segment of another store is refused (ERR_JOURNAL_CORRUPT in the message's `code`). */
  storeId: Buffer;
  /** The seq to go on with when the directory holds no segment: the watermark of history + 1. */
  nextSeq: number;
  /** Group fdatasync period; 0 = only at fsync. Default 1000. */
  syncIntervalMs?: number;
  /** Unreleased bytes at which writers wait; from three quarters of it on they are slowed down. Default 2 GiB. */
  backlogHardBytes?: number;
  /** Bytes that must stay free on the store's disk: below, reserving fails with ENOSPC. Default 256 MiB. */
  minFreeBytes?: number;
  /** Only read (no recovery, no appends): for a store whose daemon does not run and that one only looks at. */
  readOnly?: boolean;
}

export interface JournalStats {
  firstSeq: number; lastSeq: number; releasedSeq: number; syncedSeq: number;
  segments: number; appendedBytes: number; syncs: number;
  /** What history has not taken in, and the most that it may be: from three quarters of that on writers are slowed down. */
  backlogBytes: number; backlogHardBytes: number;
  /** Of the store's disk, at most a second old; 2^64 when the journal was opened to be read only. */
  freeBytes: number;
  /** errno of the write or fdatasync after which every change is refused (EIO) until the next mount; 0 when all is well. */
  failedErrno: number;
  /** errno because of which changes are refused for now, of the first that was refused on; 0 when they are taken. */
  refusedErrno: number;
  /** Since when changes of the tree are not recorded, why, and how many records are missing; null when all are. */
  gap: { errno: number; sinceNs: bigint; records: number } | null;
}

export interface Journal {
  open(): Promise<JournalState>;
  /** Whole records from `fromSeq` on, raw as on disk (both checksums checked), at most maxBytes but at least one; empty at the end. */
  read(fromSeq: number, maxBytes: number): Promise<Buffer>;
  /** Appends a record that no request makes (kGap, kMark ...): resolves to its seq and time. */
  append(kind: number, payload: Buffer): Promise<{ seq: number; timeNs: bigint }>;
  /** fdatasync of all that was appended so far: resolves to the last seq that is durable. */
  sync(): Promise<number>;
  /** History durably holds everything up to seq: deletes the segments that lie wholly below (never the newest; nothing when readOnly). */
  release(seq: number): Promise<void>;
  /** History takes nothing for now, because of this errno (0: it goes on): who meets the backlog's limit is refused instead of waiting. */
  historyStands(errno: number): void;
  /** Who is called, on the JavaScript thread, after an append that somebody is armed for. */
  onAppend(callback: ((lastSeq: number) => void) | null): void;
  /** The callback is called once, as soon as a record after this seq is there: an append that nobody waits for wakes nobody. */
  arm(afterSeq: number): void;
  /** Whether a change that cannot be recorded is made nevertheless, from now on (docs/policy.md `on_full`); false at first. */
  workFirst(on: boolean): void;
  stats(): JournalStats;
  close(): Promise<void>;
}

export interface EngineOptions {
  journal: Journal;
  /** The directory to protect; its descriptor is taken before anything is mounted over it. */
  backing: string;
  /** Where to mount; may be the same directory. */
  mountpoint: string;
  /** Shown as the mount's source. */
  fsname: string;
  /** Name, in the root, of the synthetic directory that views are mounted on. */
  snapshotsName: string;
  /** Make it a symbolic link to this place instead. */
  snapshotsLink?: string;
  /** Default 'auto'. */
  transport?: Transport;
  /** Over /dev/fuse. Default 8. */
  threads?: number;
  /** What the mount is for, and free words: kept with the mount record, the words also with the unmount record. */
  purpose?: string;
  tags?: readonly string[];
  /** Was the last session ended by an unmount record? Goes into the mount record, as do bootId and version. */
  clean: boolean;
  /** The gap in which the last session ended, as JSON, for the mount record. */
  unrecorded?: string | undefined;
  bootId: string;
  version: string;
  /** When the first walk began, while none was ever complete: this session's goes on with it. */
  baselineSinceNs?: bigint;
}

export interface BaselineProgress {
  state: 'loading' | 'walking' | 'done' | 'failed';
  directories: number; files: number; bytes: number;
  /** Objects that differed from what history expected (0 at a first mount). */
  differences: number;
}

export interface EngineStats {
  transport: string;
  /** Why it is /dev/fuse and not io_uring; empty when it is. */
  transportReason: string;
  /** Requests answered, by opcode name. */
  requests: Record<string, number>;
  inodes: number; handles: number;
  baseline: BaselineProgress;
  /** Does the kernel pass reads and writes of files under `on-close` and `none` on to the backing file? */
  passthrough: boolean;
  /** Is content being captured that a change of policy or of names made due? */
  recapturing: boolean;
}

/** An I/O error of a backing file. */
export interface Trouble {
  /** Of a read that waits for answerTrouble; 0: nobody waits. */
  id: number;
  what: 'read' | 'write' | 'sync' | 'close';
  ino: number;
  offset: number;
  length: number;
  errno: number;
  /** The thread whose call it was; 0 for the kernel's own. */
  thread: number;
}

export interface BackingPiece {
  /** Shorter than was asked for at the file's end. */
  data: Buffer;
  /** Of the whole file. */
  size: number;
  ino: number;
  /** Of the file, after the data was read. */
  ctimeNs: bigint;
  /** Open handles for writing, through the mount. */
  writers: number;
}

export interface Engine {
  /** Mounts, appends the mount record, starts the threads. Resolves to that record's seq once the mount answers. */
  start(): Promise<{ mountSeq: number; rootIno: bigint }>;
  /**
   * What history holds as the live state: entries packed one after another, each u64 parent ino, u64 ino, u32 mode,
   * u32 uid, u32 gid, u32 nlink, u64 size, i64 mtime_s, u32 mtime_ns, i64 ctime_s, u32 ctime_ns, u32 name length, name (little-endian, no padding).
   * Bit 31 of the mode: history does not have the content. The root has parent 0 and no name, and so has an object that
   * history knows without knowing where it lies. May be called many times, before startBaseline.
   */
  expect(entries: Buffer): Promise<void>;
  /**
   * The rules from now on, and how often content of open files under `on-close` is captured (seconds). Before start, or at
   * any time later: files that are open keep how they are open; what was left out and no longer is gets captured.
   */
  setPolicy(rules: NativeRule[], interval: number): void;
  /**
   * Processes that may change nothing from now on (EROFS), each with all that it started: "PID:START", START in clock ticks
   * since boot. Replaces those of before. Before start, or at any time later.
   */
  block(families: string[]): void;
  /** No more `expect`: the background walk starts. */
  startBaseline(): void;
  /** Resolves once the walk is complete (its kBaseEnd is appended). Rejects when it fails; with ECANCELED when the tree is unmounted before. */
  baselineDone(): Promise<void>;
  stats(): EngineStats;
  /** Unmounts (rejects with EBUSY, still mounted, when in use and not lazy), waits for the threads, appends the unmount record. */
  stop(options: { lazy: boolean; reason: string }): Promise<void>;
  /** Told of backing files that fail, on the JavaScript thread; only while there is patience. After start. */
  onTrouble(callback: (troubles: Trouble[]) => void): void;
  /** How long a read that fails waits for an answer, in milliseconds; 0 (the default): nothing is told. */
  setPatience(milliseconds: number): void;
  /** The bytes that a read should have got, or that nobody knows them. */
  answerTrouble(id: number, bytes: Buffer | null): void;
  /** Of the backing file at a path from the root of the tree, read anew; EINVAL for what is no regular file. At most 4 MiB. */
  readBacking(path: Buffer, offset: number, length: number): Promise<BackingPiece>;
  /** Resolves after all of the tree's file system is on stable storage. */
  syncBacking(): Promise<void>;
  /**
   * Changes are recorded again after a gap: a session of its own begins, as at a mount, and wants `expect` and
   * `startBaseline`. `unfinishedSinceNs`: as baselineSinceNs. Everything recorded must be released; rejects while the
   * journal cannot be written, and then the gap goes on.
   */
  resume(unfinishedSinceNs?: bigint): Promise<{ mountSeq: number; rootIno: bigint }>;
  /** Called once when the kernel connection ended without stop(): somebody else unmounted it. */
  onGone(callback: () => void): void;
}

/** A read-only mount whose requests are answered in TypeScript (lib/view). */
export interface ViewChannelOptions {
  mountpoint: string;
  fsname: string;
  subtype: string;
  /**
   * Requests as they came from the kernel, on the JavaScript thread: frames of a 40-byte fuse_in_header and its body, one
   * after another. FUSE_INIT and FUSE_DESTROY are answered natively. An empty batch is possible.
   */
  onRequests(batch: Buffer): void;
  /** The mount is gone, not by stop(). */
  onGone(): void;
}

/** Read-only, nosuid, nodev, noexec and default_permissions are always on; allow_other as root. */
export interface ViewChannel {
  start(): Promise<void>;
  /** errno 0 with the body, or a positive errno. Answers an errno itself: ENOENT when the kernel does not wait for it any more. */
  reply(unique: number, errno: number, body?: Buffer): number;
  /** Rejects with EBUSY, still serving, when in use and not lazy. */
  stop(options: { lazy: boolean }): Promise<void>;
}

/** One change to a directory tree, by a path relative to its root; no component is ever followed through a symlink. */
export type TreeOp =
  | { op: 'mkdir'; path: Buffer; mode: number }
  | { op: 'create'; path: Buffer; mode: number }
  | { op: 'symlink'; path: Buffer; target: Buffer }
  | { op: 'mknod'; path: Buffer; mode: number; rdev: bigint }
  | { op: 'link'; path: Buffer; from: Buffer }
  | { op: 'unlink' | 'rmdir'; path: Buffer }
  | { op: 'rename'; path: Buffer; from: Buffer; exchange?: boolean }
  | { op: 'write'; path: Buffer; offset: number; data: Buffer }
  | { op: 'truncate'; path: Buffer; size: number }
  | { op: 'punch'; path: Buffer; offset: number; length: number }
  | { op: 'chmod'; path: Buffer; mode: number }
  | { op: 'chown'; path: Buffer; uid: number; gid: number }
  | { op: 'times'; path: Buffer; atimeNs: bigint; mtimeNs: bigint }
  | { op: 'setxattr'; path: Buffer; name: Buffer; value: Buffer }
  | { op: 'removexattr'; path: Buffer; name: Buffer }
  | { op: 'fsync'; path: Buffer };

/** A directory tree opened for changing, safe against symlinks that are swapped in during the work (openat2 RESOLVE_BENEATH). */
export interface TreeWriter {
  /** Applies in order, all of them; resolves to one errno (0 = done) for each. */
  apply(ops: TreeOp[]): Promise<number[]>;
  close(): void;
}

/** A rule of the policy (native/live/policy.h); lib/policy compiles them. */
export interface NativeRule {
  /** One glob for each name of the path; `**` stands for any number of directories. */
  parts: string[];
  /** Matches directories only. */
  directory: boolean;
  /** 0 none, 1 on-close, 2 each-write. */
  capture: number;
  /** As it was written, and by whom. */
  pattern: string;
  by: string;
}

/** Absolute paths of directories that exist; upper and work on one file system. */
export interface OverlayOptions {
  lower: string;
  upper: string;
  work: string;
  mountpoint: string;
  /** Shown as the mount's source. */
  source: string;
}

export interface NativeAddon {
  Journal: new (options: JournalOptions) => Journal;
  Engine: new (options: EngineOptions) => Engine;
  ViewChannel: new (options: ViewChannelOptions) => ViewChannel;
  openTree(path: string): Promise<TreeWriter>;
  /** mount table tools: umount2(2) as root, else fusermount3. */
  unmount(path: string, lazy: boolean): Promise<void>;
  /** Mounts an overlay (native/os/overlay.h). Rejects with EINVAL when the upper layer's file system is unfit, EPERM without the right to mount. */
  mountOverlay(options: OverlayOptions): Promise<void>;
  /** Names and values of an object's extended attributes; of a symlink itself. */
  readXattrs(path: Buffer): Promise<[name: Buffer, value: Buffer][]>;
  /**
   * A flock(2) on path: exclusive on a file that is created 0600 if missing, or shared on one that is only read. null when
   * another holds one that excludes it. Held until release.
   */
  lockFile(path: string, shared: boolean): { release(): void } | null;
  /** fdatasync(2) of a file or directory by path. */
  syncPath(path: string): Promise<void>;
  /** syncfs(2) of the file system that holds a file or directory. */
  syncFileSystem(path: string): Promise<void>;
  crc32c(data: Buffer, seed?: number): number;
  /** Who connected a unix socket to this one, as the kernel knows it (SO_PEERCRED, unix(7)). */
  peerOf(fd: number): { pid: number; uid: number };
  /** Index of the rule that decides for a path from the root of the tree; -1 when none matches. */
  policyRule(rules: NativeRule[], path: Buffer, directory: boolean): number;
}

const require = createRequire(import.meta.url);

/** dist/lib/native.js -> build/rewindfs.node beside dist. REWIND_ADDON names another build (sanitizers). */
export const native: NativeAddon = require(process.env['REWIND_ADDON'] ?? '../../build/rewindfs.node') as NativeAddon;
