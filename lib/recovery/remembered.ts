/**
 * A history whose answers about names, links and attributes are remembered, and can be asked for in advance, many at a
 * time. The past does not change, so nothing remembered is ever stale; it is dropped with the plan that it was for.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Name, NameEntry, NodeAttr, NodeId, Seq } from '../history/types.js';
import { mapParallel } from './parallel.js';
import { slotKey } from './places.js';

/** Objects that are asked about at a time. */
const GROUP = 4096;

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
    const list = [...nodes].sort((a, b) => a - b);
    for (let i = 0; i < list.length; i += GROUP) {
      const group = list.slice(i, i + GROUP);
      const [olds, news] = await Promise.all([this.history.attrs(group, then), this.history.attrs(group, now)]);
      group.forEach((node, j) => {
        this.attributes.set(`${then} ${node}`, Promise.resolve(olds[j] ?? null));
        this.attributes.set(`${now} ${node}`, Promise.resolve(news[j] ?? null));
      });
      const before = group.filter((_, j) => (olds[j]?.nlink ?? 0) > 0);
      const both = group.filter((_, j) => (olds[j]?.nlink ?? 0) > 0 && (news[j]?.nlink ?? 0) > 0);
      await Promise.all([
        this.warmExtended(remake ? before : both, then), this.warmExtended(both, now),
        mapParallel(both, (node) => this.linksOf(node, then)), mapParallel(both, (node) => this.linksOf(node, now)),
      ]);
    }
  }

  private async warmExtended(nodes: NodeId[], seq: Seq): Promise<void> {
    const found = await this.history.xattrsOfAll(nodes, seq);
    nodes.forEach((node, i) => this.extended.set(`${seq} ${node}`, Promise.resolve(found[i] ?? new Map())));
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

  attrsAt(wanted: readonly { node: NodeId; seq: Seq }[]): Promise<(NodeAttr | null)[]> {
    return Promise.all(wanted.map(({ node, seq }) => this.attr(node, seq)));
  }

  /** What has a link count of 0 has no name, and nothing in it has one. */
  private async isLinked(node: NodeId, seq: Seq): Promise<boolean> {
    const attr = await this.attr(node, seq);
    return attr !== null && attr.nlink > 0;
  }

  xattrsOfAll(nodes: NodeId[], seq: Seq): Promise<Map<Name, Buffer>[]> {
    return Promise.all(nodes.map((node) => this.xattrs(node, seq)));
  }

  watermark: HistoryReader['watermark'] = () => this.history.watermark();
  range: HistoryReader['range'] = () => this.history.range();
  seqAt: HistoryReader['seqAt'] = (...args) => this.history.seqAt(...args);
  timeOf: HistoryReader['timeOf'] = (...args) => this.history.timeOf(...args);
  timesOf: HistoryReader['timesOf'] = (...args) => this.history.timesOf(...args);
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
  everyLink: HistoryReader['everyLink'] = (...args) => this.history.everyLink(...args);
  sweepNames: HistoryReader['sweepNames'] = () => this.history.sweepNames();
  sweepBirths: HistoryReader['sweepBirths'] = () => this.history.sweepBirths();
  changedRanges: HistoryReader['changedRanges'] = (...args) => this.history.changedRanges(...args);
  writer: HistoryReader['writer'] = (...args) => this.history.writer(...args);
  allWriters: HistoryReader['allWriters'] = () => this.history.allWriters();
  points: HistoryReader['points'] = () => this.history.points();
  gaps: HistoryReader['gaps'] = () => this.history.gaps();
}

function once<T>(memory: Memory<T>, key: string, ask: () => Promise<T>): Promise<T> {
  let answer = memory.get(key);
  if (!answer) memory.set(key, (answer = ask()));
  return answer;
}
