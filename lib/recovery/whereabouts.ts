/**
 * Where objects lay over all of history: not at one instant (places.ts, tracks.ts) but as stretches of time. Directories
 * are asked for once and remembered. Guarantee: the stretches of a name follow from those of its directory, so that a
 * name counts only for the time in which its directory had a path.
 */
import type { HistoryReader } from '../history/reader.js';
import { ROOT, type Link, type Name, type NodeId, type Seq } from '../history/types.js';

/** A path led to an object from `from` until just before `until`. */
export interface Stay {
  path: Name[];
  from: Seq;
  until: Seq;
}

export class Whereabouts {
  private readonly directories = new Map<NodeId, Promise<Stay[]>>([[ROOT, Promise.resolve([{ path: [], from: 0, until: Infinity }])]]);

  constructor(private readonly history: HistoryReader) {}

  /** Where a directory lay, oldest first. */
  directory(node: NodeId): Promise<Stay[]> {
    let stays = this.directories.get(node);
    if (!stays) this.directories.set(node, (stays = this.object(node)));
    return stays;
  }

  /** Where an object lay, under every name that it ever had, oldest first. */
  async object(node: NodeId): Promise<Stay[]> {
    const stays: Stay[] = [];
    for (const link of await this.history.everyLink(node)) stays.push(...staysOf(link, await this.directory(link.parent)));
    return stays.sort((a, b) => a.from - b.from);
  }
}

/** The paths of one name whose directory lay at `above`, oldest first: several when a directory above it moved. */
export function staysOf({ name, from, until }: Link, above: Stay[]): Stay[] {
  const stays = above.map((stay) => ({ path: [...stay.path, name], from: Math.max(from, stay.from), until: Math.min(until, stay.until) }));
  return stays.filter((stay) => stay.from < stay.until);
}
