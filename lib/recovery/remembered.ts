/**
 * A history whose answers about names, links and attributes are remembered, and can be asked for in advance, many at a
 * time. The past does not change, so nothing remembered is ever stale; it is dropped with the plan that it was for.
 */
import type { Name, NameEntry, NodeAttr, NodeId, Seq } from '../history/types.js';
import { mapParallel } from './parallel.js';
import { slotKey } from './places.js';
import { Through } from './through.js';

/** Objects that are asked about at a time. */
const GROUP = 4096;

type Memory<T> = Map<string, Promise<T>>;

export class Remembered extends Through {
  private readonly names: Memory<NameEntry | null> = new Map();
  private readonly links: Memory<{ parent: NodeId; name: Name }[]> = new Map();
  private readonly attributes: Memory<NodeAttr | null> = new Map();
  private readonly extended: Memory<Map<Name, Buffer>> = new Map();

  /**
   * Asks what comparing two instants needs to know of objects that were touched between them: of those that have a name
   * at both everything, of the others their attributes and, with `remake`, what it takes to make again those of `then`.
   */
  async warm(nodes: Iterable<NodeId>, then: Seq, now: Seq, remake: boolean): Promise<void> {
    const list = [...nodes].sort((a, b) => a - b);
    for (let i = 0; i < list.length; i += GROUP) {
      const group = list.slice(i, i + GROUP);
      const [olds, news] = await Promise.all([this.base.attrs(group, then), this.base.attrs(group, now)]);
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
    const found = await this.base.xattrsOfAll(nodes, seq);
    nodes.forEach((node, i) => this.extended.set(`${seq} ${node}`, Promise.resolve(found[i] ?? new Map())));
  }

  override lookup(parent: NodeId, name: Name, seq: Seq): Promise<NameEntry | null> {
    return once(this.names, `${seq} ${slotKey(parent, name)}`, async () => (await this.isLinked(parent, seq) ? this.base.lookup(parent, name, seq) : null));
  }
  override linksOf(node: NodeId, seq: Seq): Promise<{ parent: NodeId; name: Name }[]> {
    return once(this.links, `${seq} ${node}`, async () => (await this.isLinked(node, seq) ? this.base.linksOf(node, seq) : []));
  }
  override attr(node: NodeId, seq: Seq): Promise<NodeAttr | null> {
    return once(this.attributes, `${seq} ${node}`, () => this.base.attr(node, seq));
  }
  override attrs(nodes: NodeId[], seq: Seq): Promise<(NodeAttr | null)[]> {
    return Promise.all(nodes.map((node) => this.attr(node, seq)));
  }
  override xattrs(node: NodeId, seq: Seq): Promise<Map<Name, Buffer>> {
    return once(this.extended, `${seq} ${node}`, () => this.base.xattrs(node, seq));
  }

  override attrsAt(wanted: readonly { node: NodeId; seq: Seq }[]): Promise<(NodeAttr | null)[]> {
    return Promise.all(wanted.map(({ node, seq }) => this.attr(node, seq)));
  }

  /** What has a link count of 0 has no name, and nothing in it has one. */
  private async isLinked(node: NodeId, seq: Seq): Promise<boolean> {
    const attr = await this.attr(node, seq);
    return attr !== null && attr.nlink > 0;
  }

  override xattrsOfAll(nodes: NodeId[], seq: Seq): Promise<Map<Name, Buffer>[]> {
    return Promise.all(nodes.map((node) => this.xattrs(node, seq)));
  }
}

function once<T>(memory: Memory<T>, key: string, ask: () => Promise<T>): Promise<T> {
  let answer = memory.get(key);
  if (!answer) memory.set(key, (answer = ask()));
  return answer;
}
