/** What the operations of a view share: where answers come from, the node table, and what they keep for a while. */
import type { HistoryReader } from '../history/reader.js';
import type { NodeId, Seq } from '../history/types.js';
import { Lens, type ViewGroup } from './lens.js';
import { LruMap } from './lru.js';
import { NodeTable, type Holder, type Slot } from './nodes.js';
import type { Listing } from './ops/listing.js';
import { ReadAhead, type Siblings } from './siblings.js';

/** Where a view's answers come from. */
export interface ViewSource {
  history: HistoryReader;
  /** Resolves once history holds everything that was acknowledged before the call. */
  settle(): Promise<void>;
  /** A time expression to an instant, as `resolveSettled`. */
  resolveTime(expression: string): Promise<{ seq: Seq; timeNs: bigint }>;
  /** May the state at seq still grow? So it is while the first walk over the tree has not come to its end. Default: never. */
  provisional?(seq: Seq): boolean;
  /** Resolves once no state may grow any more, or nobody should be kept waiting for it any longer. Default: at once. */
  whole?(): Promise<void>;
  /** The group of this name, as it is defined now. Default: there is none. */
  group?(name: string): ViewGroup | null;
}

/** What the kernel was told of a file: its size, and the small files that were named together with it, if it is one. */
export interface KnownFile {
  size: number;
  among?: { siblings: Siblings; index: number };
}

/** What one request was given that must be taken back if its answer does not arrive. */
export class Grants {
  private readonly holders: Holder[] = [];
  constructor(private readonly nodes: NodeTable) {}

  add(holder: Holder): void {
    this.holders.push(holder);
  }

  revoke(): void {
    for (const holder of this.holders) this.nodes.release(holder, 1);
    this.holders.length = 0;
  }
}

/** One mounted view. */
export class View {
  readonly nodes = new NodeTable();
  /** Directory listings that somebody may be in the middle of. */
  readonly listings = new LruMap<string, Promise<Listing>>(64);
  /** Files that the kernel was told of and may read next. */
  readonly files = new LruMap<string, KnownFile>(4096);
  readonly ahead: ReadAhead;
  readonly xattrs = new LruMap<string, Promise<Map<string, Buffer>>>(256);
  /** Which of many neighbouring nodes may have any, at an instant: see ops/xattrs.ts. */
  readonly xattrNodes = new LruMap<string, ReadonlySet<NodeId> | 'many'>(256);
  readonly dataRanges = new LruMap<string, Promise<{ offset: number; length: number }[]>>(16);
  /** Who owns the directories of the view itself. */
  readonly owner = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

  private readonly groupIds = new WeakMap<ViewGroup, number>();
  private lastGroupId = 0;

  constructor(readonly source: ViewSource) {
    this.ahead = new ReadAhead(source.history);
  }

  get history(): HistoryReader {
    return this.source.history;
  }

  /**
   * The slot of an instant under a name, held once. A provisional state gets a slot for each watermark, so that nothing
   * which the kernel keeps of it is taken for the state that it becomes.
   */
  holdSlot(name: string, seq: Seq, group: ViewGroup | null = null): Slot {
    const shown = group ? `${name}/group ${this.groupId(group)}` : name;
    return this.nodes.holdSlot(this.provisional(seq) ? `${shown}/${this.history.watermark()}` : shown, seq, group && (() => new Lens(this.history, seq, group)));
  }

  /** A group that is defined anew is another one. */
  private groupId(group: ViewGroup): number {
    const id = this.groupIds.get(group) ?? ++this.lastGroupId;
    this.groupIds.set(group, id);
    return id;
  }

  provisional(seq: Seq): boolean {
    return this.source.provisional?.(seq) ?? false;
  }
}

/** Notes the size of a file that the kernel is told of; what a listing said of it stays. */
export function rememberSize(view: View, seq: Seq, node: NodeId, size: number): void {
  const key = objectKey(seq, node);
  if (!view.files.get(key)) view.files.set(key, { size });
}

/** A key for what belongs to one object at one instant. */
export const objectKey = (seq: Seq, node: NodeId): string => `${seq}/${node}`;
