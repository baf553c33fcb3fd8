/**
 * A HistoryReader that keeps every version of everything as it is: slow, and plain enough to be right by looking. ModelTree
 * writes it; tests of what reads history compare against it.
 */
import type { HistoryReader } from '../../lib/history/reader.js';
import {
  ROOT, type Birth, type Change, type Gap, type Link, type Name, type NameEntry, type NameSpan, type NodeAttr, type NodeId, type Point, type Seq, type Writer,
} from '../../lib/history/types.js';

/** Content is tracked, and compared, in blocks of this size here. */
export const MODEL_BLOCK = 4096;

/** An object between two changes; never changed in place. */
export interface ModelNode {
  attr: NodeAttr;
  xattrs: ReadonlyMap<Name, Buffer>;
  data: Buffer;
  /** Numbers of the blocks that are no holes. */
  blocks: ReadonlySet<number>;
  target: Buffer;
  links: readonly { parent: NodeId; name: Name }[];
}

class Versions<T> {
  private readonly all: { seq: Seq; value: T }[] = [];
  set(seq: Seq, value: T): void {
    const last = this.all.at(-1);
    if (last?.seq === seq) last.value = value;
    else this.all.push({ seq, value });
  }
  at(seq: Seq): T | undefined {
    let [low, high] = [0, this.all.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.all[middle] as { seq: Seq }).seq <= seq) low = middle + 1;
      else high = middle;
    }
    return this.all[low - 1]?.value;
  }
  list(): readonly { seq: Seq; value: T }[] {
    return this.all;
  }
}

const bytesOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export class ModelHistory implements HistoryReader {
  private readonly nodes = new Map<NodeId, Versions<ModelNode | null>>();
  private readonly directories = new Map<NodeId, Map<Name, Versions<NodeId | null>>>();
  readonly timeline: Change[] = [];
  readonly times: bigint[] = [];
  readonly writers = new Map<Seq, Writer>();
  readonly pointList: Point[] = [];

  /** The next seq, with its time. */
  tick(timeNs: bigint): Seq {
    this.times.push(timeNs);
    return this.times.length;
  }
  setNode(node: NodeId, seq: Seq, state: ModelNode | null): void {
    let versions = this.nodes.get(node);
    if (!versions) this.nodes.set(node, (versions = new Versions()));
    versions.set(seq, state);
  }
  setName(parent: NodeId, name: Name, seq: Seq, node: NodeId | null): void {
    let directory = this.directories.get(parent);
    if (!directory) this.directories.set(parent, (directory = new Map()));
    let versions = directory.get(name);
    if (!versions) directory.set(name, (versions = new Versions()));
    versions.set(seq, node);
  }
  node(node: NodeId, seq: Seq): ModelNode | null {
    return this.nodes.get(node)?.at(seq) ?? null;
  }

  watermark(): Seq {
    return this.times.length;
  }
  async range(): ReturnType<HistoryReader['range']> {
    const last = this.times.length;
    return last === 0 ? null : { first: { seq: 1, timeNs: this.times[0] as bigint }, last: { seq: last, timeNs: this.times[last - 1] as bigint } };
  }
  /** Nobody walks over a tree of the model. */
  baselineSince() {
    return { seq: 1, timeNs: this.times[0] as bigint };
  }
  async seqAt(timeNs: bigint): Promise<Seq | null> {
    return this.times.filter((time) => time <= timeNs).length || null;
  }
  async timeOf(seq: Seq): Promise<bigint | null> {
    return this.times[seq - 1] ?? null;
  }

  async timesOf(seqs: readonly Seq[]): Promise<(bigint | null)[]> {
    return Promise.all(seqs.map((seq) => this.timeOf(seq)));
  }
  async lookup(parent: NodeId, name: Name, seq: Seq): Promise<NameEntry | null> {
    const versions = this.directories.get(parent)?.get(name);
    const node = versions?.at(seq);
    if (!versions || node === undefined || node === null) return null;
    return { name, node, since: (versions.list().filter((version) => version.seq <= seq).at(-1) as { seq: Seq }).seq };
  }
  async list(node: NodeId, seq: Seq): Promise<NameEntry[]> {
    const names = [...(this.directories.get(node)?.keys() ?? [])].sort(bytesOrder);
    const entries = await Promise.all(names.map((name) => this.lookup(node, name, seq)));
    return entries.filter((entry) => entry !== null);
  }
  async attr(node: NodeId, seq: Seq): Promise<NodeAttr | null> {
    return this.node(node, seq)?.attr ?? null;
  }
  async attrs(nodes: NodeId[], seq: Seq): Promise<(NodeAttr | null)[]> {
    return Promise.all(nodes.map((node) => this.attr(node, seq)));
  }
  async attrsAt(wanted: readonly { node: NodeId; seq: Seq }[]): Promise<(NodeAttr | null)[]> {
    return Promise.all(wanted.map(({ node, seq }) => this.attr(node, seq)));
  }
  async *sweepNames(): AsyncGenerator<NameSpan[]> {
    for (const [parent, names] of this.directories) {
      yield [...names].flatMap(([name, versions]) => versions.list().flatMap(({ seq, value }, i, all) =>
        (value === null ? [] : [{ parent, name, node: value, from: seq, until: all[i + 1]?.seq ?? Infinity }])));
    }
  }
  async *sweepBirths(): AsyncGenerator<Birth[]> {
    for (const [node, versions] of this.nodes) {
      const [first] = versions.list();
      if (first?.value) yield [{ node, seq: first.seq, attr: first.value.attr }];
    }
  }
  async everyLink(node: NodeId): Promise<Link[]> {
    const links: Link[] = [];
    for await (const spans of this.sweepNames()) links.push(...spans.filter((span) => span.node === node));
    return links;
  }
  async xattrs(node: NodeId, seq: Seq): Promise<Map<Name, Buffer>> {
    return new Map(this.node(node, seq)?.xattrs ?? []);
  }
  async xattrsOfAll(nodes: NodeId[], seq: Seq): Promise<Map<Name, Buffer>[]> {
    return Promise.all(nodes.map((node) => this.xattrs(node, seq)));
  }
  async read(node: NodeId, offset: number, length: number, seq: Seq): Promise<Buffer> {
    return this.node(node, seq)?.data.subarray(offset, offset + length) ?? Buffer.alloc(0);
  }
  async dataRanges(node: NodeId, seq: Seq): Promise<{ offset: number; length: number }[]> {
    const state = this.node(node, seq);
    return state ? rangesOf([...state.blocks], state.data.length) : [];
  }
  async readlink(node: NodeId, seq: Seq): Promise<Buffer> {
    return this.node(node, seq)?.target ?? Buffer.alloc(0);
  }
  async resolve(path: Name[], seq: Seq): Promise<NodeId | null> {
    let node: NodeId | null = ROOT;
    for (const name of path) {
      node = (await this.lookup(node, name, seq))?.node ?? null;
      if (node === null) return null;
    }
    return node;
  }
  async pathOf(node: NodeId, seq: Seq): Promise<Name[] | null> {
    if (node === ROOT) return [];
    const paths: Name[][] = [];
    for (const { parent, name } of await this.linksOf(node, seq)) {
      const above = await this.pathOf(parent, seq);
      if (above) paths.push([...above, name]);
    }
    return paths.sort((a, b) => bytesOrder(a.join('/'), b.join('/')))[0] ?? null;
  }
  async linksOf(node: NodeId, seq: Seq): Promise<{ parent: NodeId; name: Name }[]> {
    return [...(this.node(node, seq)?.links ?? [])];
  }

  async *changes(after: Seq, upTo: Seq, options: { reverse?: boolean } = {}): AsyncGenerator<Change> {
    const part = this.timeline.filter((change) => change.seq > after && change.seq <= upTo);
    yield* options.reverse ? part.reverse() : part;
  }
  async *nodeChanges(node: NodeId, after: Seq, upTo: Seq, options?: { reverse?: boolean }): AsyncGenerator<Change> {
    for await (const change of this.changes(after, upTo, options)) if (change.node === node || change.target === node) yield change;
  }
  async nameHistory(parent: NodeId, name: Name): Promise<{ since: Seq; node: NodeId | null }[]> {
    return (this.directories.get(parent)?.get(name)?.list() ?? []).map(({ seq, value }) => ({ since: seq, node: value }));
  }
  async namesEver(parent: NodeId): Promise<Name[]> {
    return [...(this.directories.get(parent)?.keys() ?? [])].sort(bytesOrder);
  }
  async changedRanges(node: NodeId, from: Seq, to: Seq): Promise<{ offset: number; length: number }[]> {
    const [a, b] = [this.node(node, from), this.node(node, to)];
    if (!a || !b) return [];
    const size = Math.max(a.data.length, b.data.length);
    const blocks: number[] = [];
    for (let block = 0; block * MODEL_BLOCK < size; block++) {
      const [start, end] = [block * MODEL_BLOCK, (block + 1) * MODEL_BLOCK];
      if (!a.data.subarray(start, end).equals(b.data.subarray(start, end))) blocks.push(block);
    }
    return rangesOf(blocks, size);
  }

  async writer(id: Seq): Promise<Writer | null> {
    return this.writers.get(id) ?? null;
  }
  async *allWriters() {
    yield* this.writers.values();
  }
  async points(): Promise<Point[]> {
    return this.pointList;
  }
  async gaps(): Promise<Gap[]> {
    return [];
  }
}

function rangesOf(blocks: number[], size: number): { offset: number; length: number }[] {
  const ranges: { offset: number; length: number }[] = [];
  for (const block of blocks.sort((a, b) => a - b)) {
    const offset = block * MODEL_BLOCK;
    const length = Math.min(MODEL_BLOCK, size - offset);
    if (length <= 0) continue;
    const last = ranges.at(-1);
    if (last && last.offset + last.length === offset) last.length += length;
    else ranges.push({ offset, length });
  }
  return ranges;
}
