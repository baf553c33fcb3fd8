/**
 * A history whose answers about names, links and attributes are remembered, and can be asked for in advance, many at a
 * time. The past does not change, so nothing remembered is ever stale; it is dropped with the plan that it was for.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Name, NameEntry, NodeAttr, NodeId, Seq } from '../history/types.js';
import { mapParallel } from './parallel.js';
import { slotKey } from './places.js';

type Memory<T> = Map<string, Promise<T>>;

export class Remembered implements HistoryReader {
  private readonly names: Memory<NameEntry | null> = new Map();
  private readonly links: Memory<{ parent: NodeId; name: Name }[]> = new Map();
  private readonly attributes: Memory<NodeAttr | null> = new Map();
  private readonly extended: Memory<Map<Name, Buffer>> = new Map();

  constructor(private readonly history: HistoryReader) {}

  /**
   * Asks what comparing two instants needs to know of objects that were touched between them: of those that have a name
   * at both everything, of the others their attributes and, with `remake`, what it takes to make again those of `then`.
   */
  async warm(nodes: Iterable<NodeId>, then: Seq, now: Seq, remake: boolean): Promise<void> {
    await mapParallel(nodes, async (node) => {
      const [before, after] = await Promise.all([this.isLinked(node, then), this.isLinked(node, now)]);
      if (before && (after || remake)) await this.xattrs(node, then);
      if (before && after) await Promise.all([this.xattrs(node, now), this.linksOf(node, then), this.linksOf(node, now)]);
    });
  }

  lookup(parent: NodeId, name: Name, seq: Seq): Promise<NameEntry | null> {
    return once(this.names, `${seq} ${slotKey(parent, name)}`, async () => (await this.isLinked(parent, seq) ? this.history.lookup(parent, name, seq) : null));
  }
  linksOf(node: NodeId, seq: Seq): Promise<{ parent: NodeId; name: Name }[]> {
    return once(this.links, `${seq} ${node}`, async () => (await this.isLinked(node, seq) ? this.history.linksOf(node, seq) : []));
  }
  attr(node: NodeId, seq: Seq): Promise<NodeAttr | null> {
    return once(this.attributes, `${seq} ${node}`, () => this.history.attr(node, seq));
  }
  attrs(nodes: NodeId[], seq: Seq): Promise<(NodeAttr | null)[]> {
    return Promise.all(nodes.map((node) => this.attr(node, seq)));
  }
  xattrs(node: NodeId, seq: Seq): Promise<Map<Name, Buffer>> {
    return once(this.extended, `${seq} ${node}`, () => this.history.xattrs(node, seq));
  }

  /** What has a link count of 0 has no name, and nothing in it has one. */
  private async isLinked(node: NodeId, seq: Seq): Promise<boolean> {
    const attr = await this.attr(node, seq);
    return attr !== null && attr.nlink > 0;
  }

  watermark: HistoryReader['watermark'] = () => this.history.watermark();
  range: HistoryReader['range'] = () => this.history.range();
  seqAt: HistoryReader['seqAt'] = (...args) => this.history.seqAt(...args);
  timeOf: HistoryReader['timeOf'] = (...args) => this.history.timeOf(...args);
  list: HistoryReader['list'] = (...args) => this.history.list(...args);
  read: HistoryReader['read'] = (...args) => this.history.read(...args);
  dataRanges: HistoryReader['dataRanges'] = (...args) => this.history.dataRanges(...args);
  readlink: HistoryReader['readlink'] = (...args) => this.history.readlink(...args);
  resolve: HistoryReader['resolve'] = (...args) => this.history.resolve(...args);
  pathOf: HistoryReader['pathOf'] = (...args) => this.history.pathOf(...args);
  changes: HistoryReader['changes'] = (...args) => this.history.changes(...args);
  nodeChanges: HistoryReader['nodeChanges'] = (...args) => this.history.nodeChanges(...args);
  nameHistory: HistoryReader['nameHistory'] = (...args) => this.history.nameHistory(...args);
  namesEver: HistoryReader['namesEver'] = (...args) => this.history.namesEver(...args);
  changedRanges: HistoryReader['changedRanges'] = (...args) => this.history.changedRanges(...args);
  writer: HistoryReader['writer'] = (...args) => this.history.writer(...args);
  points: HistoryReader['points'] = () => this.history.points();
  gaps: HistoryReader['gaps'] = () => this.history.gaps();
}

function once<T>(memory: Memory<T>, key: string, ask: () => Promise<T>): Promise<T> {
  let answer = memory.get(key);
  if (!answer) memory.set(key, (answer = ask()));
  return answer;
}
