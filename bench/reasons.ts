/**
 * Why bars are missed: what bounds a row, and what would move it. Said of a bar only when it is missed; which requests and how
 * much CPU stand behind a figure is beside it in the report.
 */
import { HP, HP_URING, type Bar } from './bars.js';

export interface Reason {
  rows: readonly string[];
  /** Only in comparison with these peers. */
  against?: readonly string[];
  /** Both are ends of sentences: "bound by ...", "would move it: ...". */
  bound: string;
  move: string;
}

const PASSES_ON = [HP, HP_URING];

export const REASONS: readonly Reason[] = [
  {
    rows: ['4 KiB writes', 'sequential write'], against: PASSES_ON,
    bound: 'one request for each write (up to 1 MiB), whose bytes are copied out of the kernel and from there to the file and to the journal; passthrough_hp registers the file with the kernel, which then writes to it without a request.',
    move: 'a kernel that passes a write on and tells of it; nothing of ours, since what is not seen cannot be recorded.',
  },
  {
    rows: ['creates', 'renames', 'unlinks', 'untar', 'rm -rf'], against: PASSES_ON,
    bound: 'the round trips, which are as many as those of the peer or fewer; the record (parent and child attributes are read back below for it) comes on top.',
    move: 'attributes that the engine knows by itself after a call, instead of asking the file system below for them.',
  },
  {
    rows: ['stats, cold'], against: PASSES_ON,
    bound: 'one LOOKUP for each name, which the peer has, too; JavaScript, which takes the records of the preparation into history, had one of two processors meanwhile.',
    move: 'a third processor; extraction that waits until a client that only looks has ended.',
  },
  {
    rows: ['grep -r', 'open+read'], against: PASSES_ON,
    bound: 'OPEN, one or two READs and RELEASE for each small file; reads of a file that the peer has registered with the kernel are no requests.',
    move: 'opens without a request (ENOSYS once), which would take away the handle that says who writes; the first read with the answer to OPEN, which the protocol does not have.',
  },
  {
    rows: ['4 KiB writes'],
    bound: 'one round trip for each write, 30 to 60 microseconds over /dev/fuse, whoever answers it.',
    move: 'io_uring (15 microseconds).',
  },
  {
    rows: ['sequential write, fdatasync'],
    bound: 'the disk, to which each byte goes twice, to the file and to the journal; history takes its part later.',
    move: 'a store on another disk; a policy that captures the file on close.',
  },
  {
    rows: ['second read, a large file', 'second read, 4 KiB of an open file'],
    bound: 'the kernel\'s own path for cached reads of a FUSE file: not one request is sent for them.',
    move: 'nothing of ours; a kernel whose FUSE reads its page cache as fast as a disk file system does.',
  },
  {
    rows: ['first read, left out', 'first read, on close'],
    bound: 'the kernel, which passes reads on to the file below: not one READ is sent; extraction took half a second of CPU beside it.',
    move: 'a measurement once history has caught up; else nothing of ours.',
  },
  {
    rows: ['npm ci, node_modules left out', 'rm -rf node_modules, left out'],
    bound: 'the requests for names, which are the same as when all is recorded; only the writes are saved, and attributes of a file that the kernel writes by itself are asked for again.',
    move: 'attributes that may be cached again as soon as such a file is closed.',
  },
  {
    rows: ['second read, small files'],
    bound: 'the requests of open and release: what is read comes from the page cache without one.',
    move: 'FUSE_NO_OPEN_SUPPORT (no request for an open), at the price of not knowing which files are open for writing, on which saves, policy and conflicts are built.',
  },
  {
    rows: ['git status, after a checkout', 'git status', 'git status, cold'],
    bound: 'round trips, one for each name or file that the kernel knows nothing of (any longer): a LOOKUP for each name, two readings for each directory, and after a checkout OPEN, READ and RELEASE for each file that git reads once more. The directory itself answers from memory.',
    move: 'nothing of ours once the kernel has forgotten; the first READ with the answer to OPEN, which the protocol does not have.',
  },
  {
    rows: ['sqlite, one-row transactions'],
    bound: '30 requests a transaction, and 4 syncs, each of the file and of the journal side by side: seen through strace over io_uring 260 microseconds a sync where the directory takes 165, 37 a write where it takes 14. Taking it into history beside it costs a fifth: put off altogether, 2,000 transactions took 3.0 s instead of 3.6 s (the directory: 1.1 s).',
    move: 'more than two processors; a store on another disk. Tried without effect worth keeping: written blocks ahead of the journal (0 to 6% less), a lower priority for all but the engine (5% less).',
  },
  {
    rows: ['git checkout', 'npm ci', 'make -j2'],
    bound: 'round trips times calls: both are in the table of requests, and the processors, of which the daemon takes its part from the program.',
    move: 'fewer requests for each name that is made or looked up; io_uring, where the kernel offers it.',
  },
  {
    rows: ['grep -r of a past tree, first', 'grep -r of a past tree, again'],
    bound: 'the one thread of JavaScript that serves views: each lookup, open and read of a past file waits for its turn there.',
    move: 'views served by the engine, with nothing of JavaScript on the path of a cached answer.',
  },
  {
    rows: ['extractor, 100-byte writes', 'extractor, 128 KiB writes', 'history behind at 20,000 records/s, most'],
    bound: 'one thread of JavaScript that decodes and folds records, and RocksDB, which writes each content to its log and to its blob files; on two cores both share with the tree\'s programs and the engine.',
    move: 'decoding and the assembly of blocks in native code, on a thread of their own.',
  },
];

/** What is known of a bar that was missed: the first reason that speaks of it. */
export function reasonOf({ row, against }: Pick<Bar, 'row' | 'against'>): Reason | undefined {
  return REASONS.find((reason) => reason.rows.includes(row) && (reason.against === undefined || reason.against.includes(against ?? '')));
}
