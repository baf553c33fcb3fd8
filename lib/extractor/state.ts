/**
 * What the fold remembers between records, and where its mutations go. Guarantee: no I/O; everything that a record needs
 * from history was put here by prefetch.ts before. The same state and the same records give the same mutations.
 */
import type { RewindError } from '../errors.js';
import type { Family } from '../history/families.js';
import { u64Key } from '../history/keys.js';
import type { FoldMeta } from '../history/meta.js';
import type { Packer } from '../history/packing.js';
import type { Entry } from '../history/rocks.js';
import { ROOT, type Change, type NodeId, type Seq } from '../history/types.js';
import { encodeBinding, type Binding, type Pending } from '../history/values.js';
import { Arena } from './arena.js';
import { AgingMap } from './cache.js';
import { RecentContents } from './contents.js';
import type { BlockId } from './ids.js';
import { Images } from './images.js';
import { btimeAt, sizeAt, typeAt, type Record } from './record.js';
import { Runs, type BlockRun } from './runs.js';
import { Sealer } from './sealer.js';

/** Where mutations go. */
export interface Sink {
  put(family: Family, key: Buffer, value: Buffer): void;
}

/** An inode number's binding, with the file's size now (-1 = not loaded). */
export interface Bound extends Binding { size: number }

/** The newest patch of a block: how long its chain is (docs/history.md), and the run of this batch that it lies in. */
export interface Head { seq: Seq; depth: number; chainBytes: number; run: BlockRun | null }

/** What prefetch.ts has found for this batch. Base entries as of the session's mount: at it exactly, or the newest before it. */
export interface Looked {
  /** By `baseName`. */
  names: Map<string, { atMount: boolean; node: NodeId | null }>;
  nodes: Map<NodeId, { atMount: boolean; value: Buffer | null; xattrs: Map<string, Buffer> }>;
  /** By `dated`: blocks that have an entry already at the mount that their base data are of. */
  blocks: Set<string>;
  /** Sizes of files at an earlier mount that their content is still to come of. */
  sizes: Map<NodeId, number>;
  /** Entries of `nodes` that wait for content of which this batch has the last. */
  waiting: Map<NodeId, Entry[]>;
  /** Names of nodes whose inode number, as the mount found it, stands for another object now. */
  links: Map<NodeId, Link[]>;
  /** What lay in such a node, when it was a directory. */
  entries: Map<NodeId, { name: string; node: NodeId }[]>;
}

/** `stated`: a base-name record of this session says so. */
export interface Link { parent: NodeId; name: string; stated: boolean }

export const emptyLooked = (): Looked => ({ names: new Map(), nodes: new Map(), blocks: new Set(), sizes: new Map(), waiting: new Map(), links: new Map(), entries: new Map() });

/** Inodes and blocks whose state is kept in memory. */
export interface Cached { bindings: number; heads: number }
const CACHED: Cached = { bindings: 20_000, heads: 30_000 };

export class FoldState {
  readonly bindings: AgingMap<number, Bound>;
  readonly heads: AgingMap<BlockId, Head>;
  looked: Looked = emptyLooked();
  readonly contents = new RecentContents();
  /** What this batch has written at the mount, names apart: the oldest original wins. */
  readonly based = new Set<string>();
  readonly basedNames = new Map<string, { parent: NodeId; name: string; node: NodeId | null }>();
  /** Blocks whose chain of patches has grown too long in this batch. */
  readonly overlong = new Map<BlockId, { node: NodeId; block: number }>();
  changes: Change[] = [];
  /** May content that is in history already be named again? Not while it is being freed. */
  mayReuse: (id: number) => boolean = () => true;
  /** Told of content that history holds damaged, and that the fold goes on without. */
  damaged: (error: RewindError) => void = () => undefined;
  /** Two that take turns: the values of the batch before may still be on their way. */
  private readonly arenas = [new Arena(), new Arena()] as const;
  arena: Arena = this.arenas[0];
  readonly images = new Images();
  /** Of this batch. */
  seal: Sealer;
  /** What a batch puts: by way of the seal. */
  sink: Sink;
  readonly runs = new Runs((family, key, value) => this.sink.put(family, key, value), (family, key, packed) => this.putPacked(family, key, packed));

  constructor(public meta: FoldMeta, sink: Sink, cached = CACHED) {
    this.sink = this.seal = new Sealer(sink);
    this.bindings = new AgingMap(cached.bindings);
    this.heads = new AgingMap(cached.heads);
  }

  /** Begins a batch: what only the last one needed is dropped. `heldBytes`: of the read that its records lie in. */
  begin(sink: Sink, heldBytes = 0): void {
    this.sink = this.seal = new Sealer(sink);
    this.looked = emptyLooked();
    this.arena = this.arenas[this.arena === this.arenas[0] ? 1 : 0];
    this.arena.reset();
    this.contents.age(heldBytes);
    this.based.clear();
    this.basedNames.clear();
    this.overlong.clear();
    this.changes = [];
    this.bindings.age();
    this.heads.age();
  }

  /** Ends a batch: what was gathered goes to the sink. */
  end(): void {
    this.runs.end();
  }

  private putPacked(family: Family, key: Buffer, packed: Packer): void {
    const value = this.arena.take(packed.length);
    packed.bytes.copy(value, 0, 0, packed.length);
    this.sink.put(family, key, value);
  }

  /** The node of an inode number; one never heard of gets a node whose type and birth are still unknown. */
  bound(ino: number): Bound {
    return this.bindings.get(ino) ?? this.bind(ino, { node: this.meta.nextNode++, type: 0, btime: 0n, size: -1 });
  }

  /** A new object under this inode number, whatever it stood for before. */
  bear(ino: number, record: Record): Bound {
    const { raw, attrAt } = record;
    const known = attrAt !== 0;
    return this.bind(ino, { node: this.meta.nextNode++, type: known ? typeAt(raw, attrAt) : 0, btime: known ? btimeAt(raw, attrAt) : 0n, size: 0 });
  }

  bind(ino: number, bound: Bound): Bound {
    this.bindings.set(ino, bound);
    this.sink.put('inodes', u64Key(ino), encodeBinding(bound));
    return bound;
  }

  bindRoot(ino: number): Bound {
    const known = this.bindings.get(ino);
    return known?.node === ROOT ? known : this.bind(ino, { node: ROOT, type: 0o040000, btime: 0n, size: -1 });
  }

  /** From here on the content is known, or is not; attributes that are written afterwards say so. */
  capture(ino: number, bound: Bound, captured: boolean): Bound {
    if (bound.pending === undefined && captured === (bound.uncaptured !== true)) return bound;
    const { uncaptured: _, pending: __, ...rest } = bound;
    return this.bind(ino, captured ? rest : { ...rest, uncaptured: true });
  }

  /** From the mount `pending.since` on the content is still to come. */
  await(ino: number, bound: Bound, pending: Pending): Bound {
    const { uncaptured: _, ...rest } = bound;
    return this.bind(ino, { ...rest, pending });
  }

  /** A `nodes` entry from the journal's attributes at this place; nothing when the section is missing. */
  attributes(record: Record, at: number, ino: number, bound: Bound, seq: Seq): void {
    if (at === 0) return;
    this.runs.state(bound.node, ino, bound.pending ? 'pending' : bound.uncaptured ? 'none' : 'all', seq, record.view, at);
    bound.size = sizeAt(record.raw, at);
  }
}
