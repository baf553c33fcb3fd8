/**
 * A whole history in memory, built step by step: each change is one seq, a second after the one before. The simplest
 * thing that can be right about what history answers; tests of what stands on a HistoryReader use it.
 */
import type { HistoryReader } from '../../lib/history/reader.js';
import { ROOT, type Change, type Gap, type Name, type NameEntry, type NodeAttr, type NodeId, type Point, type Seq } from '../../lib/history/types.js';
/** Numbers of native/journal/format.h. */
const Kind = { create: 8, link: 13, unlink: 14, rename: 16, write: 24, setattr: 27, setxattr: 28 };

interface State {
  attr: NodeAttr;
  xattrs: Map<Name, Buffer>;
  content: Buffer;
}

interface Stamped<T> {
  since: Seq;
  value: T;
}

export const SECOND = 1_000_000_000n;
/** The time of seq 1; seq n is n - 1 seconds later. */
export const FIRST_NS = 1_795_000_000_123_456_789n;

const newestAt = <T>(states: Stamped<T>[] | undefined, seq: Seq): T | null =>
  states?.filter(({ since }) => since <= seq).at(-1)?.value ?? null;

export class MemoryHistory implements HistoryReader {
  private last: Seq = 0;
  private nextNode: NodeId = ROOT + 1;
  private readonly nodes = new Map<NodeId, Stamped<State | null>[]>();
  private readonly names = new Map<NodeId, Map<Name, Stamped<NodeId | null>[]>>();
  private readonly log: Change[] = [];
  private readonly marks: Point[] = [];

  constructor(rootMode = 0o755) {
    this.step();
    this.put(ROOT, { attr: this.fresh(0o040000 | rootMode), xattrs: new Map(), content: Buffer.alloc(0) });
  }

  // ---- building

  /** A new object at a path; its directory exists. Resolves to its node. */
  add(path: string, mode: number, content: string | Buffer = '', more: Partial<NodeAttr> = {}, save: Seq = 0): NodeId {
    const seq = this.step();
    const node = this.nextNode++;
    const bytes = Buffer.from(content as string);
    this.put(node, { attr: { ...this.fresh(mode), size: bytes.length, ...more }, xattrs: new Map(), content: bytes });
    this.lead(path, node);
    this.note(Kind.create, 'create', node, { save: save || seq });
    return node;
  }

  mkdir(path: string, mode = 0o755, more: Partial<NodeAttr> = {}): NodeId {
    return this.add(path, 0o040000 | mode, '', { nlink: 2, ...more });
  }

  file(path: string, content: string | Buffer, mode = 0o644, more: Partial<NodeAttr> = {}): NodeId {
    return this.add(path, 0o100000 | mode, content, more);
  }

  write(path: string, content: string | Buffer, save: Seq = 0): Seq {
    const node = this.nodeAt(path);
    this.step();
    const bytes = Buffer.from(content as string);
    this.change(node, (state) => ({ ...state, content: bytes, attr: { ...state.attr, size: bytes.length, mtime: this.now(), ctime: this.now() } }));
    return this.note(Kind.write, 'modify', node, { save, length: bytes.length });
  }

  setattr(path: string, attr: Partial<NodeAttr>): Seq {
    const node = this.nodeAt(path);
    this.step();
    this.change(node, (state) => ({ ...state, attr: { ...state.attr, ...attr } }));
    return this.note(Kind.setattr, 'modify', node);
  }

  setxattr(path: string, name: Name, value: Buffer): Seq {
    const node = this.nodeAt(path);
    this.step();
    this.change(node, (state) => ({ ...state, xattrs: new Map(state.xattrs).set(name, value) }));
    return this.note(Kind.setxattr, 'modify', node);
  }

  link(from: string, to: string): Seq {
    const node = this.nodeAt(from);
    this.step();
    this.lead(to, node);
    this.change(node, (state) => ({ ...state, attr: { ...state.attr, nlink: state.attr.nlink + 1 } }));
    return this.note(Kind.link, 'create', node);
  }

  rename(from: string, to: string): Seq {
    const node = this.nodeAt(from);
    this.step();
    this.lead(from, null);
    this.lead(to, node);
    return this.note(Kind.rename, 'rename', node);
  }

  remove(path: string): Seq {
    const node = this.nodeAt(path);
    this.step();
    this.lead(path, null);
    return this.note(Kind.unlink, 'delete', node);
  }

  mark(name: string): Seq {
    const seq = this.step();
    this.marks.push({ id: seq, seq, timeNs: this.now(), kind: 'mark', name, note: '' });
    return seq;
  }

  private step(): Seq {
    return ++this.last;
  }

  private now(): bigint {
    return FIRST_NS + BigInt(this.last - 1) * SECOND;
  }

  private fresh(mode: number): NodeAttr {
    const now = this.now();
    return { mode, uid: 0, gid: 0, nlink: 1, size: 0, rdev: 0n, atime: now, mtime: now, ctime: now, btime: now };
  }

  private put(node: NodeId, state: State | null): void {
    const states = this.nodes.get(node) ?? [];
    states.push({ since: this.last, value: state });
    this.nodes.set(node, states);
  }

  private change(node: NodeId, make: (state: State) => State): void {
    this.put(node, make(newestAt(this.nodes.get(node), this.last) as State));
  }

  private lead(path: string, node: NodeId | null): void {
    const names = path.split('/');
    const name = names.pop() as string;
    const parent = this.nodeAt(names.join('/'));
    const entries = this.names.get(parent) ?? new Map<Name, Stamped<NodeId | null>[]>();
    entries.set(name, [...(entries.get(name) ?? []), { since: this.last, value: node }]);
    this.names.set(parent, entries);
  }

  private nodeAt(path: string): NodeId {
    let node: NodeId = ROOT;
    for (const name of path.split('/').filter(Boolean)) {
      const next = newestAt(this.names.get(node)?.get(name), this.last);
      if (next === null) throw new Error(`no ${path} in this history`);
      node = next;
    }
    return node;
  }

  private note(kind: number, marker: Change['marker'], node: NodeId, more: Partial<Change> = {}): Seq {
    const size = newestAt(this.nodes.get(node), this.last)?.attr.size ?? 0;
    this.log.push({
      seq: this.last, record: this.last, timeNs: this.now(), kind, marker, node, offset: 0, length: 0, size, writer: 0, save: 0,
      writeback: false, unmounted: false, ...more,
    });
    return this.last;
  }

  // ---- reading

  watermark(): Seq {
    return this.last;
  }
  async range() {
    const last = { seq: this.last, timeNs: this.now() };
    return { first: { seq: 1, timeNs: FIRST_NS }, last };
  }
  async seqAt(timeNs: bigint) {
    if (timeNs < FIRST_NS) return null;
    return Math.min(this.last, Number((timeNs - FIRST_NS) / SECOND) + 1);
  }
  async timeOf(seq: Seq) {
    return seq >= 1 && seq <= this.last ? FIRST_NS + BigInt(seq - 1) * SECOND : null;
  }
  async timesOf(seqs: readonly Seq[]) {
    return Promise.all(seqs.map((seq) => this.timeOf(seq)));
  }
  async lookup(parent: NodeId, name: Name, seq: Seq): Promise<NameEntry | null> {
    const states = this.names.get(parent)?.get(name)?.filter(({ since }) => since <= seq);
    const state = states?.at(-1);
    return state?.value ? { name, node: state.value, since: state.since } : null;
  }
  async list(node: NodeId, seq: Seq): Promise<NameEntry[]> {
    const entries = await Promise.all([...(this.names.get(node)?.keys() ?? [])].map((name) => this.lookup(node, name, seq)));
    return entries.filter((entry) => entry !== null).sort((a, b) => (a.name < b.name ? -1 : 1));
  }
  async attr(node: NodeId, seq: Seq) {
    return newestAt(this.nodes.get(node), seq)?.attr ?? null;
  }
  async attrs(nodes: NodeId[], seq: Seq) {
    return Promise.all(nodes.map((node) => this.attr(node, seq)));
  }
  async attrsAt(wanted: readonly { node: NodeId; seq: Seq }[]) {
    return Promise.all(wanted.map(({ node, seq }) => this.attr(node, seq)));
  }
  async everyLink(): Promise<never> {
    throw new Error('not asked of a view');
  }
  async *sweepNames(): AsyncGenerator<never> {
    throw new Error('not asked of a view');
  }
  async *sweepBirths(): AsyncGenerator<never> {
    throw new Error('not asked of a view');
  }
  async xattrsOfAll(nodes: NodeId[], seq: Seq) {
    return Promise.all(nodes.map((node) => this.xattrs(node, seq)));
  }

  async xattrs(node: NodeId, seq: Seq) {
    return newestAt(this.nodes.get(node), seq)?.xattrs ?? new Map<Name, Buffer>();
  }
  async xattrNodes(from: NodeId, until: NodeId) {
    const had = [...this.nodes].filter(([, states]) => states.some(({ value }) => (value?.xattrs.size ?? 0) > 0));
    return new Set(had.map(([node]) => node).filter((node) => node >= from && node < until));
  }
  async read(node: NodeId, offset: number, length: number, seq: Seq) {
    return newestAt(this.nodes.get(node), seq)?.content.subarray(offset, offset + length) ?? Buffer.alloc(0);
  }
  async dataRanges(node: NodeId, seq: Seq) {
    const content = newestAt(this.nodes.get(node), seq)?.content ?? Buffer.alloc(0);
    const ranges: { offset: number; length: number }[] = [];
    for (let offset = 0; offset < content.length; offset += 65_536) {
      if (content.subarray(offset, offset + 65_536).some((byte) => byte !== 0)) ranges.push({ offset, length: 65_536 });
    }
    return ranges;
  }
  async readlink(node: NodeId, seq: Seq) {
    return newestAt(this.nodes.get(node), seq)?.content ?? Buffer.alloc(0);
  }
  async resolve(path: Name[], seq: Seq) {
    let node: NodeId = ROOT;
    for (const name of path) {
      const entry = await this.lookup(node, name, seq);
      if (!entry) return null;
      node = entry.node;
    }
    return node;
  }
  async linksOf(node: NodeId, seq: Seq) {
    const links: { parent: NodeId; name: Name }[] = [];
    for (const parent of this.names.keys()) {
      for (const entry of await this.list(parent, seq)) if (entry.node === node) links.push({ parent, name: entry.name });
    }
    return links;
  }
  async pathOf(node: NodeId, seq: Seq): Promise<Name[] | null> {
    if (node === ROOT) return [];
    const [link] = await this.linksOf(node, seq);
    const above = link && (await this.pathOf(link.parent, seq));
    return above ? [...above, link.name] : null;
  }
  async *changes(after: Seq, upTo: Seq, { reverse = false }: { reverse?: boolean } = {}) {
    const changes = this.log.filter(({ seq }) => seq > after && seq <= upTo);
    yield* reverse ? changes.reverse() : changes;
  }
  async *nodeChanges(node: NodeId, after: Seq, upTo: Seq, options?: { reverse?: boolean }) {
    for await (const change of this.changes(after, upTo, options)) if (change.node === node) yield change;
  }
  async nameHistory(parent: NodeId, name: Name) {
    return (this.names.get(parent)?.get(name) ?? []).map(({ since, value }) => ({ since, node: value }));
  }
  async namesEver(parent: NodeId) {
    return [...(this.names.get(parent)?.keys() ?? [])];
  }
  async changedRanges(): Promise<{ offset: number; length: number }[]> {
    throw new Error('not asked of a view');
  }
  async writer() {
    return null;
  }
  async *allWriters() {}
  async points() {
    return this.marks;
  }
  async gaps(): Promise<Gap[]> {
    return [];
  }
}
