/** The tree at an instant: names, attributes, extended attributes, paths. Nothing here waits for the live tree. */
import { stateAt, statesIn } from './attributes.js';
import { nameBounds, nameInKey, nameKey, nodeKey, getU64, seqInKey, u64Key, under } from './keys.js';
import { newestAt, newestByName, newestInRange } from './newest.js';
import type { Rocks } from './rocks.js';
import { ROOT, type Name, type NameEntry, type NodeAttr, type NodeId, type Seq } from './types.js';
import { decodeAttr } from './values.js';

/** A deeper path than this is a loop, which only damage can make. */
const MAX_DEPTH = 4096;
/** Keys that are passed at most to tell which of many nodes have extended attributes. */
const MAX_XATTR_KEYS = 4096;

/** Fewer nodes side by side than this are sought one by one; so are those behind a longer hole of ids. */
const MIN_RUN = 8;
const MAX_HOLE = 8;
/** Entries that a scan may pass for each node. */
const PASSED_PER_NODE = 10;
/** Runs that are scanned at the same time. */
const PARALLEL_RUNS = 64;

/** Follows a path from the root, name by name; null where one leads nowhere. */
export async function walkPath(path: Name[], lookup: (node: NodeId, name: Name) => Promise<NameEntry | null>): Promise<NodeId | null> {
  let node: NodeId = ROOT;
  for (const name of path) {
    const entry = await lookup(node, name);
    if (entry === null) return null;
    node = entry.node;
  }
  return node;
}

export class TreeReader {
  constructor(private readonly rocks: Rocks) {}

  async lookup(parent: NodeId, name: Name, seq: Seq): Promise<NameEntry | null> {
    const entry = await this.rocks.peek('names', { gte: nameKey(parent, name, seq), lt: nameBounds(parent, name).lt });
    return entry === null || entry.value.length === 0 ? null : { name, node: getU64(entry.value, 0), since: seqInKey(entry.key) };
  }

  async list(node: NodeId, seq: Seq): Promise<NameEntry[]> {
    return (await newestByName(this.rocks, 'names', node, seq)).map(({ name, value, since }) => ({ name, node: getU64(value, 0), since }));
  }

  /** seq of a node's newest state at or before `seq`; 0 without one. */
  async lastStateAt(node: NodeId, seq: Seq): Promise<Seq> {
    const entry = await this.rocks.peek('nodes', { gte: nodeKey(node, seq), lt: u64Key(node + 1) });
    return entry === null ? 0 : statesIn(entry.value, seqInKey(entry.key)).filter((state) => state.seq <= seq).at(-1)!.seq;
  }

  /** Attributes of nodes each at a seq of its own, in their order. */
  async attrsAt(wanted: readonly { node: NodeId; seq: Seq }[]): Promise<(NodeAttr | null)[]> {
    const values: (Buffer | null)[] = new Array<Buffer | null>(wanted.length).fill(null);
    const order = wanted.map((_, i) => i).sort((a, b) => wanted[a]!.node - wanted[b]!.node || wanted[b]!.seq - wanted[a]!.seq);
    const left: number[] = [];
    for (let first = 0, end = 0; first < order.length; first = end) {
      for (end = first + 1; end < order.length && wanted[order[end]!]!.node - wanted[order[end - 1]!]!.node <= MAX_HOLE;) end++;
      const run = order.slice(first, end);
      left.push(...run.length < MIN_RUN ? run : await this.scanRun(run, wanted, values));
    }
    const sought = await newestAt(this.rocks, 'nodes', left.map((i) => ({ gte: nodeKey(wanted[i]!.node, wanted[i]!.seq), lt: u64Key(wanted[i]!.node + 1) })));
    sought.forEach((entry, j) => { values[left[j]!] = entry && stateAt(entry.value, seqInKey(entry.key), wanted[left[j]!]!.seq); });
    return values.map((value) => (value === null ? null : decodeAttr(value)));
  }

  /** One scan for wanted states that lie side by side, newest first within a node. Answers which it did not come to. */
  private async scanRun(run: number[], wanted: readonly { node: NodeId; seq: Seq }[], values: (Buffer | null)[]): Promise<number[]> {
    const first = wanted[run[0]!]!;
    let next = 0;
    let passes = run.length * PASSED_PER_NODE;
    for await (const { key, value } of this.rocks.scan('nodes', { gte: nodeKey(first.node, first.seq), lt: u64Key(wanted[run.at(-1)!]!.node + 1) }, { capacity: 512 })) {
      const node = getU64(key, 0);
      while (next < run.length && wanted[run[next]!]!.node < node) next++;
      const before = next;
      for (; next < run.length && wanted[run[next]!]!.node === node && wanted[run[next]!]!.seq >= seqInKey(key); next++) values[run[next]!] = stateAt(value, seqInKey(key), wanted[run[next]!]!.seq);
      if (next === run.length) return [];
      if (before === next && --passes < 0) return run.slice(next);
    }
    return [];
  }

  /** States of `nodes`, in the order of the nodes. */
  async nodeValues(nodes: NodeId[], seq: Seq): Promise<(Buffer | null)[]> {
    const found = nodes.length < MIN_RUN ? new Map<NodeId, Buffer>() : await this.scanRuns(nodes, seq);
    const left = nodes.filter((node) => !found.has(node));
    const sought = await newestAt(this.rocks, 'nodes', left.map((node) => ({ gte: nodeKey(node, seq), lt: u64Key(node + 1) })));
    sought.forEach((entry, i) => { if (entry !== null) found.set(left[i]!, stateAt(entry.value, seqInKey(entry.key), seq)); });
    return nodes.map((node) => found.get(node) ?? null);
  }

  /**
   * Nodes made one after another lie side by side, and passing a few entries costs less than seeking one: runs of them are
   * scanned. What is not found (nothing there, or too many entries in its way) is left to be sought.
   */
  private async scanRuns(nodes: NodeId[], seq: Seq): Promise<Map<NodeId, Buffer>> {
    const found = new Map<NodeId, Buffer>();
    const wanted = new Set(nodes);
    const sorted = [...wanted].sort((a, b) => a - b);
    for (let first = 0, last = 0; first < sorted.length; first = last = last + 1) {
      while (last + 1 < sorted.length && sorted[last + 1]! - sorted[last]! <= MAX_HOLE) last++;
      if (last - first + 1 < MIN_RUN) continue;
      let passes = (last - first + 1) * PASSED_PER_NODE;
      for await (const { key, value } of this.rocks.scan('nodes', { gte: nodeKey(sorted[first]!, seq), lt: u64Key(sorted[last]! + 1) }, { capacity: 512 })) {
        const node = getU64(key, 0);
        if (wanted.has(node) && !found.has(node) && seqInKey(key) <= seq) found.set(node, stateAt(value, seqInKey(key), seq));
        else if (--passes < 0) break;
      }
    }
    return found;
  }

  async attrs(nodes: NodeId[], seq: Seq): Promise<(NodeAttr | null)[]> {
    return (await this.nodeValues(nodes, seq)).map((value) => (value === null ? null : decodeAttr(value)));
  }

  async xattrs(node: NodeId, seq: Seq): Promise<Map<Name, Buffer>> {
    const found = await newestByName(this.rocks, 'xattrs', node, seq);
    return new Map(found.map(({ name, value }) => [name, value.subarray(1)]));
  }

  /** Those of many nodes, in their order: nodes that lie side by side come from one scan. */
  async xattrsOfAll(nodes: NodeId[], seq: Seq): Promise<Map<Name, Buffer>[]> {
    const found = new Map(nodes.map((node): [NodeId, Map<Name, Buffer>] => [node, new Map()]));
    const sorted = [...found.keys()].sort((a, b) => a - b);
    const runs: { first: NodeId; last: NodeId }[] = [];
    for (const node of sorted) {
      const run = runs.at(-1);
      if (run && node - run.last <= MAX_HOLE) run.last = node;
      else runs.push({ first: node, last: node });
    }
    for (let i = 0; i < runs.length; i += PARALLEL_RUNS) {
      const entries = await Promise.all(runs.slice(i, i + PARALLEL_RUNS).map(({ first, last }) =>
        newestInRange(this.rocks, 'xattrs', { gte: u64Key(first), lt: u64Key(last + 1) }, seq)));
      for (const { node, name, value } of entries.flat()) found.get(node)?.set(name, value.subarray(1));
    }
    return nodes.map((node) => found.get(node)!);
  }

  async xattrNodes(from: NodeId, until: NodeId): Promise<Set<NodeId> | null> {
    const nodes = new Set<NodeId>();
    let keys = 0;
    for await (const { key } of this.rocks.scan('xattrs', { gte: u64Key(from), lt: u64Key(until) }, { values: false })) {
      if (++keys > MAX_XATTR_KEYS) return null;
      nodes.add(getU64(key, 0));
    }
    return nodes;
  }

  async resolve(path: Name[], seq: Seq): Promise<NodeId | null> {
    return walkPath(path, (node, name) => this.lookup(node, name, seq));
  }

  async linksOf(node: NodeId, seq: Seq): Promise<{ parent: NodeId; name: Name }[]> {
    const links: { parent: NodeId; name: Name }[] = [];
    let done = '';
    for await (const { key, value } of this.rocks.scan('links', under(node), { capacity: 16 })) {
      const place = key.toString('latin1', 8, key.length - 8);
      if (seqInKey(key) > seq || place === done) continue;
      done = place;
      if (value.length > 0) links.push({ parent: getU64(key, 8), name: nameInKey(key, 16) });
    }
    return links;
  }

  async pathOf(node: NodeId, seq: Seq): Promise<Name[] | null> {
    if (node === ROOT) return [];
    const links = await this.linksOf(node, seq);
    const paths: Name[][] = [];
    for (const link of links) {
      const path = await this.ascend(link, seq);
      if (path !== null) paths.push(path);
    }
    const text = (path: Name[]) => path.join('\0');
    return paths.reduce<Name[] | null>((first, path) => (first === null || text(path) < text(first) ? path : first), null);
  }

  /** The path that ends in this name, or null when it does not begin at the root: only directories lie above, and they have one name. */
  private async ascend(link: { parent: NodeId; name: Name }, seq: Seq): Promise<Name[] | null> {
    const path = [link.name];
    let node = link.parent;
    while (node !== ROOT) {
      const up = (await this.linksOf(node, seq))[0];
      if (up === undefined || path.length > MAX_DEPTH) return null;
      path.unshift(up.name);
      node = up.parent;
    }
    return path;
  }

  async nameHistory(parent: NodeId, name: Name): Promise<{ since: Seq; node: NodeId | null }[]> {
    const { gte, lt } = nameBounds(parent, name);
    const lives: { since: Seq; node: NodeId | null }[] = [];
    for await (const { key, value } of this.rocks.scan('names', { gte, lt }, { reverse: true })) {
      const node = value.length === 0 ? null : getU64(value, 0);
      if ((lives.at(-1)?.node ?? null) !== node) lives.push({ since: seqInKey(key), node });
    }
    return lives;
  }

  async namesEver(parent: NodeId): Promise<Name[]> {
    const names: Name[] = [];
    for await (const { key } of this.rocks.scan('names', under(parent), { values: false })) {
      const name = nameInKey(key, 8);
      if (names.at(-1) !== name) names.push(name);
    }
    return names;
  }
}

