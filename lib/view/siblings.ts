/**
 * Reads small files of a directory ahead of a program that reads one after the other (`grep -r`, `cp -r`, a compiler's
 * include path): each question to history costs the same, however many files it is about. Guarantee: what is read ahead
 * is bounded in bytes, and dropped when it is not asked for.
 */
import type { HistoryReader } from '../history/reader.js';
import type { NodeId, Seq } from '../history/types.js';
import { LruMap } from './lru.js';

/** Larger files are read as they are asked for. */
const SMALL_BYTES = 64 << 10;
const MAX_AHEAD = 64;
/** With the size above the bound of what is held: 8 MiB. */
const KEPT = 128;

interface File { node: NodeId; size: number }

/** Small files that one listing named together, in its order, and where a reader of them all would go on. */
export interface Siblings {
  readonly seq: Seq;
  readonly files: File[];
  next: number;
  /** How many to read ahead: doubles while the order is kept. */
  window: number;
}

export class ReadAhead {
  private readonly contents = new LruMap<string, Promise<Buffer>>(KEPT);

  constructor(private readonly history: HistoryReader) {}

  /** The content of files[index], whole. */
  content(siblings: Siblings, index: number): Promise<Buffer> {
    const known = this.taken(siblings, index);
    if (known === undefined && index === siblings.next) this.readOn(siblings, index);
    siblings.next = index + 1;
    return known ?? this.taken(siblings, index) ?? this.readOne(siblings, index);
  }

  private key({ seq, files }: Siblings, index: number): string {
    return `${seq}/${files[index]!.node}`;
  }

  /** What was read ahead is handed out once: the kernel keeps it. */
  private taken(siblings: Siblings, index: number): Promise<Buffer> | undefined {
    const key = this.key(siblings, index);
    const known = this.contents.get(key);
    this.contents.delete(key);
    return known;
  }

  private readOn(siblings: Siblings, from: number): void {
    const until = Math.min(from + siblings.window, siblings.files.length);
    siblings.window = Math.min(siblings.window * 2, MAX_AHEAD);
    for (let index = from; index < until; index++) {
      const content = this.readOne(siblings, index);
      content.catch(() => this.contents.delete(this.key(siblings, index)));
      this.contents.set(this.key(siblings, index), content);
    }
  }

  private readOne({ seq, files }: Siblings, index: number): Promise<Buffer> {
    const { node, size } = files[index]!;
    return this.history.read(node, 0, size, seq, size);
  }
}

/** Files of a listing that are read ahead. */
export const siblingsOf = (seq: Seq, files: readonly File[]): Siblings =>
  ({ seq, files: files.filter(({ size }) => size > 0 && size <= SMALL_BYTES), next: 0, window: 16 });
