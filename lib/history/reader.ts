/**
 * What the layers above may ask of history. Implemented by History (history.ts); views, recovery and the CLI know only
 * this. Every state question takes a seq and answers as of that seq, after the record with it took effect.
 */
import type { Hidden } from './retained.js';
import type { Birth, Change, ClockReading, Gap, Link, Name, NameEntry, NameSpan, NodeAttr, NodeId, Point, Seq, Writer } from './types.js';

export interface HistoryReader {
  /** Everything up to this seq is in history. */
  watermark(): Seq;
  /** seq and time of the first and last instant that can be asked for. null before the first mount record. */
  range(): Promise<{ first: { seq: Seq; timeNs: bigint }; last: { seq: Seq; timeNs: bigint } } | null>;
  /** The last seq with a time not after timeNs, or null when it lies before the first. */
  seqAt(timeNs: bigint): Promise<Seq | null>;
  /**
   * The instants that are answered for beside one that is not (docs/retention.md); null, or no such question, when it is.
   * `named`: for a path that a rule of the policy keeps by a schedule of its own.
   */
  hidden?(seq: Seq, named?: boolean): Hidden | null;
  /** Since when the whole tree has been on its way into history; null, or no such question, once all of it was. */
  baselineSince?(): { seq: Seq; timeNs: bigint } | null;
  timeOf(seq: Seq): Promise<bigint | null>;
  /** Times of many seqs at once, in their order. */
  timesOf(seqs: readonly Seq[]): Promise<(bigint | null)[]>;

  lookup(parent: NodeId, name: Name, seq: Seq): Promise<NameEntry | null>;
  /** Sorted by bytes. */
  list(node: NodeId, seq: Seq): Promise<NameEntry[]>;
  attr(node: NodeId, seq: Seq): Promise<NodeAttr | null>;
  /** Attributes of many nodes at once, in their order. */
  attrs(nodes: NodeId[], seq: Seq): Promise<(NodeAttr | null)[]>;
  /** Attributes of objects each at an instant of its own, in their order. */
  attrsAt(wanted: readonly { node: NodeId; seq: Seq }[]): Promise<(NodeAttr | null)[]>;
  xattrs(node: NodeId, seq: Seq): Promise<Map<Name, Buffer>>;
  /** Extended attributes of many nodes at once, in their order. */
  xattrsOfAll(nodes: NodeId[], seq: Seq): Promise<Map<Name, Buffer>[]>;
  /** Nodes in [from, until) that have, or ever had, extended attributes; null when they are too many to tell cheaply. */
  xattrNodes?(from: NodeId, until: NodeId): Promise<Set<NodeId> | null>;
  /**
   * Bytes of a file, holes as zeroes, cut at its size then. A caller who knows that size already, and that the content was
   * captured, may say it. @throws ERR_NOT_CAPTURED, ERR_TIME_THINNED, ERR_PURGED
   */
  read(node: NodeId, offset: number, length: number, seq: Seq, size?: number): Promise<Buffer>;
  /** Data ranges (not holes) of a file, in units of blocks, ascending. */
  dataRanges(node: NodeId, seq: Seq): Promise<{ offset: number; length: number }[]>;
  readlink(node: NodeId, seq: Seq): Promise<Buffer>;
  /** Names of the path from the root; [] is the root itself. */
  resolve(path: Name[], seq: Seq): Promise<NodeId | null>;
  /** One path of the node (the first by bytes among hard links), or null when it had none. */
  pathOf(node: NodeId, seq: Seq): Promise<Name[] | null>;
  /** All names of a node: (parent, name). */
  linksOf(node: NodeId, seq: Seq): Promise<{ parent: NodeId; name: Name }[]>;

  /** Changes with after < seq <= upTo, in order of seq (or the reverse). */
  changes(after: Seq, upTo: Seq, options?: { reverse?: boolean }): AsyncIterable<Change>;
  /** Only those of one node. */
  nodeChanges(node: NodeId, after: Seq, upTo: Seq, options?: { reverse?: boolean }): AsyncIterable<Change>;
  /** Every life of a name in a directory: the nodes it led to and when, oldest first. */
  nameHistory(parent: NodeId, name: Name): Promise<{ since: Seq; node: NodeId | null }[]>;
  /** Every name that a directory ever had. */
  namesEver(parent: NodeId): Promise<Name[]>;
  /** Every name that an object ever had, and when. */
  everyLink(node: NodeId): Promise<Link[]>;
  /** All names of all of history with what they led to, and when: one pass, in batches, by directory and name. */
  sweepNames(): AsyncIterable<NameSpan[]>;
  /** All objects of history with their first attributes: one pass, in batches. */
  sweepBirths(): AsyncIterable<Birth[]>;
  /** Blocks of a file whose content may differ between two instants, ascending, in bytes; its cost is what changed. */
  changedRanges(node: NodeId, from: Seq, to: Seq): Promise<{ offset: number; length: number }[]>;

  writer(id: Seq): Promise<Writer | null>;
  /** Every writer that was ever recorded, oldest first. */
  allWriters(): AsyncIterable<Writer>;
  points(): Promise<Point[]>;
  /** Readings of the machine's clock while it had been set back, in order of seq. */
  clockReadings?(): Promise<readonly ClockReading[]>;
  gaps(): Promise<Gap[]>;
}
