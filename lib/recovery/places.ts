/**
 * Where things lay at one instant, and what was touched between two. Paths of directories are remembered, so that a walk
 * over many changes asks history once for each directory.
 */
import type { HistoryReader } from '../history/reader.js';
import { ROOT, type Name, type NodeId, type Seq, type Slot } from '../history/types.js';

export type { Slot };

export const slotKey = (parent: NodeId, name: Name): string => `${parent}/${name}`;

/** Is `path` the same as `under`, or below it? */
export function isUnder(path: readonly Name[], under: readonly Name[]): boolean {
  return path.length >= under.length && under.every((name, i) => path[i] === name);
}

/** Paths at one instant. */
export class Places {
  private readonly dirs = new Map<NodeId, Promise<Name[] | null>>([[ROOT, Promise.resolve([])]]);

  constructor(private readonly history: HistoryReader, readonly seq: Seq) {}

  /** The path of a directory, or null when it had none. */
  dirPath(node: NodeId): Promise<Name[] | null> {
    let path = this.dirs.get(node);
    if (!path) {
      path = this.find(node);
      this.dirs.set(node, path);
    }
    return path;
  }

  /** The path of a name, or null when its directory had none. */
  async slotPath(slot: Slot): Promise<Name[] | null> {
    const parent = await this.dirPath(slot.parent);
    return parent && [...parent, slot.name];
  }

  /** Every path of an object. */
  async paths(node: NodeId): Promise<Name[][]> {
    if (node === ROOT) return [[]];
    const paths = await Promise.all((await this.history.linksOf(node, this.seq)).map((link) => this.slotPath(link)));
    return paths.filter((path) => path !== null);
  }

  private async find(node: NodeId): Promise<Name[] | null> {
    const [link] = await this.history.linksOf(node, this.seq);
    return link ? this.slotPath(link) : null;
  }
}

/** Everything that changes between two instants concern. */
export interface Touched {
  /** Objects whose content or attributes may differ, directories of changed names among them. */
  nodes: Set<NodeId>;
  slots: Map<string, Slot>;
}

/** One pass over the timeline between two instants, whichever is earlier. */
export async function touchedBetween(history: HistoryReader, a: Seq, b: Seq): Promise<Touched> {
  const touched: Touched = { nodes: new Set(), slots: new Map() };
  const slot = (parent: NodeId | undefined, name: Name | undefined): void => {
    if (parent === undefined) return;
    touched.nodes.add(parent);
    if (name === undefined || name === '') return;
    touched.slots.set(slotKey(parent, name), { parent, name });
  };
  for await (const change of history.changes(Math.min(a, b), Math.max(a, b))) {
    touched.nodes.add(change.node);
    if (change.target !== undefined && change.target !== 0) touched.nodes.add(change.target);
    slot(change.parent, change.name);
    slot(change.parent2, change.name2);
  }
  return touched;
}
