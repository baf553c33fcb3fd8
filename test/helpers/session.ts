/**
 * A session on the model as the journal sees it: mounts, the background walk and the hooks that save what is about to
 * change. Every record is kept, and the tree after it.
 */
import { Flag, Kind } from '../../lib/extractor/record.js';
import { attrOf, isFile, Model, S_IFLNK, type Frozen, type ModelNode } from './model.js';
import type { Random } from './random.js';
import { encodeBaseNode, encodeRecord, type RecordDraft } from './records.js';

export const BLOCK = 65536;
export const MAX_FILE = 4 * BLOCK;

/** What a later mount finds different from history. */
export interface Difference { nodes: Set<ModelNode>; names: Set<string>; data: Set<ModelNode>; gone: { parent: ModelNode; name: string }[] }

/** What the walk still has to find, or a hook to save, in this session. */
interface Pending {
  nodes: Set<ModelNode>;
  /** `ino/name` -> the object there at the mount, null where there was none. */
  names: Map<string, { parent: ModelNode; name: string; node: ModelNode | null }>;
  blocks: Map<ModelNode, Map<number, Buffer | null>>;
  attrs: Map<ModelNode, { attr: ReturnType<typeof attrOf>; xattrs: Map<string, Buffer>; target: Buffer }>;
  /** `ino/name` of every name at the mount. */
  present: Set<string>;
  flags: number;
}

export class Session {
  readonly model = new Model();
  readonly records: Buffer[] = [];
  /** The tree after each record, by seq. */
  readonly states = new Map<number, Frozen>();
  mountSeq = 0;
  firstSeq = 0;
  protected seq = 0;
  protected pending: Pending | null = null;
  protected readonly handles: ModelNode[] = [];

  constructor(readonly random: Random) {}

  get lastSeq(): number { return this.seq; }

  protected emit(draft: Omit<RecordDraft, 'seq'>): void {
    this.seq++;
    this.records.push(encodeRecord({ seq: this.seq, timeNs: this.model.tick(), ...draft }));
    this.states.set(this.seq, this.model.freeze());
  }

  /** Begins a session. `changed`: objects and names that differ from history; at the first mount, everything is to be found. */
  mount(changed?: Difference): void {
    const { model } = this;
    const first = this.firstSeq === 0;
    this.emit({ kind: Kind.Mount, ino: model.root.ino, payload: { root_ino: model.root.ino, clean: true } });
    this.mountSeq = this.seq;
    if (first) this.firstSeq = this.seq;
    const pending: Pending = { nodes: new Set(), names: new Map(), blocks: new Map(), attrs: new Map(), present: new Set(), flags: first ? 0 : Flag.Unmounted };
    const objects = new Set([model.root, ...model.names().map((entry) => entry.node)]);
    for (const node of objects) {
      pending.attrs.set(node, { attr: attrOf(node), xattrs: new Map(node.xattrs), target: node.data });
      if (first || changed?.nodes.has(node)) pending.nodes.add(node);
      if (isFile(node) && (first || changed?.nodes.has(node) || changed?.data.has(node))) pending.blocks.set(node, this.blocksOf(node));
    }
    for (const { parent, name, node } of model.names()) {
      pending.present.add(`${parent.ino}/${name}`);
      if (first || changed?.names.has(`${parent.ino}/${name}`)) pending.names.set(`${parent.ino}/${name}`, { parent, name, node });
    }
    for (const { parent, name } of changed?.gone ?? []) pending.names.set(`${parent.ino}/${name}`, { parent, name, node: null });
    this.pending = pending;
  }

  protected blocksOf(node: ModelNode): Map<number, Buffer | null> {
    const blocks = new Map<number, Buffer | null>();
    for (let block = 0; block * BLOCK < node.size; block++) {
      const bytes = node.data.subarray(block * BLOCK, (block + 1) * BLOCK);
      blocks.set(block, this.random.chance(0.5) && bytes.every((byte) => byte === 0) ? null : bytes);
    }
    return blocks;
  }

  unmount(): void {
    this.emit({ kind: Kind.Unmount, payload: { reason: 'test' } });
  }

  /** The background walk finds everything that is left. */
  finishWalk(): void {
    const { pending } = this;
    if (pending === null) return;
    while (this.walkStep());
    this.emit({ kind: Kind.BaseEnd });
    this.pending = null;
  }

  protected walkStep(): boolean {
    const pending = this.pending!;
    const nodes = [...pending.nodes];
    if (nodes.length > 0 && this.random.chance(0.5)) return this.saveNode(this.random.pick(nodes)), true;
    const names = [...pending.names.values()];
    if (names.length > 0) {
      const { parent, name } = this.random.pick(names);
      return this.saveName(parent, name, this.random.chance(0.5)), true;
    }
    const files = [...pending.blocks.keys()];
    if (files.length > 0) {
      const file = this.random.pick(files);
      return this.saveBlocks(file, 0, MAX_FILE * 2), true;
    }
    return nodes.length > 0 ? (this.saveNode(nodes[0]!), true) : false;
  }

  protected saveNode(node: ModelNode): void {
    const { pending } = this;
    if (pending === null || !pending.nodes.delete(node)) return;
    const { attr, xattrs, target } = pending.attrs.get(node)!;
    this.emit({ kind: Kind.BaseNode, ino: node.ino, attr, flags: pending.flags, payload: encodeBaseNode((attr.mode & 0o170000) === S_IFLNK ? target : Buffer.alloc(0), xattrs) });
  }

  /** The walk names an object before it looks at it; a hook looks first. */
  protected saveName(parent: ModelNode, name: string, nameFirst = false): void {
    const { pending } = this;
    if (pending === null) return;
    const id = `${parent.ino}/${name}`;
    const found = pending.names.get(id);
    if (found === undefined || found.parent !== parent) return;
    pending.names.delete(id);
    if (found.node === null) {
      this.emit({ kind: Kind.BaseAbsent, parent: parent.ino, name, flags: pending.flags });
      return;
    }
    if (!nameFirst) this.saveNode(found.node);
    this.saveNode(parent);
    this.emit({ kind: Kind.BaseName, parent: parent.ino, name, ino: found.node.ino, flags: pending.flags });
  }

  protected saveBlocks(node: ModelNode, from: number, to: number): void {
    const blocks = this.pending?.blocks.get(node);
    if (blocks === undefined) return;
    this.saveNode(node);
    for (const [block, bytes] of [...blocks]) {
      if (block * BLOCK >= to || (block + 1) * BLOCK <= from) continue;
      blocks.delete(block);
      const flags = this.pending!.flags | (blocks.size === 0 ? Flag.Captured : 0);
      this.emit({ kind: Kind.BaseData, ino: node.ino, offset: block * BLOCK, length: bytes?.length ?? Math.min(BLOCK, this.pending!.attrs.get(node)!.attr.size - block * BLOCK), flags, ...(bytes === null ? {} : { payload: bytes }) });
    }
    if (blocks.size === 0) this.pending?.blocks.delete(node);
  }

  /** What the engine's hooks do before an inode number means a new object: what lay in a directory that had it is said to be gone. */
  protected born(node: ModelNode): void {
    for (const { parent, name } of [...this.pending?.names.values() ?? []]) if (parent.ino === node.ino) this.saveName(parent, name);
  }

  /** What the engine's hooks do before a name changes. */
  protected beforeName(parent: ModelNode, name: string, child: ModelNode | undefined): void {
    const { pending } = this;
    if (pending === null) return;
    this.saveNode(parent);
    if (child !== undefined) {
      this.saveNode(child);
      if (child.nlink === 1 && isFile(child)) this.saveBlocks(child, 0, MAX_FILE * 2);
      // A directory that may go takes along what the mount found missing in it.
      for (const pended of [...pending.names.values()]) if (pended.parent === child && child.children.size === 0) this.saveName(child, pended.name);
    } else if (!pending.present.has(`${parent.ino}/${name}`) && !pending.names.has(`${parent.ino}/${name}`) && this.random.chance(0.3)) {
      this.emit({ kind: Kind.BaseAbsent, parent: parent.ino, name });
      return;
    }
    this.saveName(parent, name);
  }
}
