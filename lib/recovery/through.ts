/** A history that answers as another one does: what is built on it says only what it answers otherwise. */
import type { HistoryReader } from '../history/reader.js';
import type { Change, Name, NodeAttr, NodeId, Seq } from '../history/types.js';

export class Through implements HistoryReader {
  constructor(protected readonly base: HistoryReader) {}

  watermark(): Seq { return this.base.watermark(); }
  range(): ReturnType<HistoryReader['range']> { return this.base.range(); }
  seqAt(timeNs: bigint): Promise<Seq | null> { return this.base.seqAt(timeNs); }
  baselineSince(): { seq: Seq; timeNs: bigint } | null { return this.base.baselineSince?.() ?? null; }
  timeOf(seq: Seq): Promise<bigint | null> { return this.base.timeOf(seq); }
  timesOf(seqs: readonly Seq[]): Promise<(bigint | null)[]> { return this.base.timesOf(seqs); }
  lookup(parent: NodeId, name: Name, seq: Seq): ReturnType<HistoryReader['lookup']> { return this.base.lookup(parent, name, seq); }
  list(node: NodeId, seq: Seq): ReturnType<HistoryReader['list']> { return this.base.list(node, seq); }
  attr(node: NodeId, seq: Seq): Promise<NodeAttr | null> { return this.base.attr(node, seq); }
  attrs(nodes: NodeId[], seq: Seq): Promise<(NodeAttr | null)[]> { return this.base.attrs(nodes, seq); }
  attrsAt(wanted: readonly { node: NodeId; seq: Seq }[]): Promise<(NodeAttr | null)[]> { return this.base.attrsAt(wanted); }
  xattrs(node: NodeId, seq: Seq): Promise<Map<Name, Buffer>> { return this.base.xattrs(node, seq); }
  xattrsOfAll(nodes: NodeId[], seq: Seq): Promise<Map<Name, Buffer>[]> { return this.base.xattrsOfAll(nodes, seq); }
  read(node: NodeId, offset: number, length: number, seq: Seq, size?: number): Promise<Buffer> { return this.base.read(node, offset, length, seq, size); }
  dataRanges(node: NodeId, seq: Seq): ReturnType<HistoryReader['dataRanges']> { return this.base.dataRanges(node, seq); }
  changedRanges(node: NodeId, from: Seq, to: Seq): ReturnType<HistoryReader['changedRanges']> { return this.base.changedRanges(node, from, to); }
  readlink(node: NodeId, seq: Seq): Promise<Buffer> { return this.base.readlink(node, seq); }
  resolve(path: Name[], seq: Seq): Promise<NodeId | null> { return this.base.resolve(path, seq); }
  pathOf(node: NodeId, seq: Seq): Promise<Name[] | null> { return this.base.pathOf(node, seq); }
  linksOf(node: NodeId, seq: Seq): ReturnType<HistoryReader['linksOf']> { return this.base.linksOf(node, seq); }
  changes(after: Seq, upTo: Seq, options?: { reverse?: boolean }): AsyncIterable<Change> { return this.base.changes(after, upTo, options); }
  nodeChanges(node: NodeId, after: Seq, upTo: Seq, options?: { reverse?: boolean }): AsyncIterable<Change> { return this.base.nodeChanges(node, after, upTo, options); }
  nameHistory(parent: NodeId, name: Name): ReturnType<HistoryReader['nameHistory']> { return this.base.nameHistory(parent, name); }
  namesEver(parent: NodeId): Promise<Name[]> { return this.base.namesEver(parent); }
  everyLink(node: NodeId): ReturnType<HistoryReader['everyLink']> { return this.base.everyLink(node); }
  sweepNames(): ReturnType<HistoryReader['sweepNames']> { return this.base.sweepNames(); }
  sweepBirths(): ReturnType<HistoryReader['sweepBirths']> { return this.base.sweepBirths(); }
  writer(id: Seq): ReturnType<HistoryReader['writer']> { return this.base.writer(id); }
  allWriters(): ReturnType<HistoryReader['allWriters']> { return this.base.allWriters(); }
  points(): ReturnType<HistoryReader['points']> { return this.base.points(); }
  gaps(): ReturnType<HistoryReader['gaps']> { return this.base.gaps(); }
}
