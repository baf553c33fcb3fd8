/**
 * What a rollback is about: the objects at or under the paths that were named, at the two instants. An object belongs to
 * it by where it lay, so one that was moved out of the paths is missing and one that was moved in is foreign.
 */
import type { HistoryReader } from '../../history/reader.js';
import { ROOT, type Name, type NodeId, type Seq } from '../../history/types.js';
import { isUnder, slotKey, type Slot } from '../places.js';

/** `then` is the state to go to, `now` the one that the tree has. */
export type Side = 'then' | 'now';

/** One of the paths that were named. */
export interface ScopeRoot {
  path: Name[];
  then: NodeId | null;
  now: NodeId | null;
}

export class Scope {
  private readonly members: Record<Side, Map<NodeId, Promise<boolean>>> = { then: new Map(), now: new Map() };
  private readonly rootSlots: Record<Side, Set<string>> = { then: new Set(), now: new Set() };

  private constructor(
    private readonly history: HistoryReader,
    readonly roots: ScopeRoot[],
    private readonly seqs: Record<Side, Seq>,
    /** The paths alone are the scope: what lies below one is part of it only when it was named itself. */
    readonly exact: boolean,
  ) {}

  /** The scope of these paths; one that lies inside another is part of it. */
  static async of(history: HistoryReader, paths: Name[][], then: Seq, now: Seq): Promise<Scope> {
    const outer = paths.filter((path, i) => !paths.some((other, j) => i !== j && isUnder(path, other) && (other.length < path.length || j < i)));
    return Scope.from(history, outer.length > 0 ? outer : [[]], { then, now }, false);
  }

  /** The scope of these paths alone. */
  static exactly(history: HistoryReader, paths: readonly Name[][], then: Seq, now: Seq): Promise<Scope> {
    return Scope.from(history, [...paths].sort((a, b) => a.length - b.length), { then, now }, true);
  }

  private static async from(history: HistoryReader, paths: Name[][], seqs: Record<Side, Seq>, exact: boolean): Promise<Scope> {
    const scope = new Scope(history, [], seqs, exact);
    const { then, now } = seqs;
    for (const path of paths) {
      const root = { path, then: await history.resolve(path, then), now: await history.resolve(path, now) };
      scope.roots.push(root);
      for (const side of ['then', 'now'] as const) {
        const node = root[side];
        if (node === null) continue;
        if (!exact) scope.members[side].set(node, Promise.resolve(true));
        const parent = path.length === 0 ? null : await history.resolve(path.slice(0, -1), scope.seqs[side]);
        if (parent !== null) scope.rootSlots[side].add(slotKey(parent, path.at(-1) as Name));
      }
    }
    return scope;
  }

  /** Does this directory lie in the scope? */
  within(dir: NodeId, side: Side): Promise<boolean> {
    if (this.exact) return Promise.resolve(false);
    const members = this.members[side];
    let member = members.get(dir);
    if (!member) {
      member = dir === ROOT ? Promise.resolve(false) : this.history.linksOf(dir, this.seqs[side])
        .then(([link]) => (link ? this.within(link.parent, side) : false));
      members.set(dir, member);
    }
    return member;
  }

  /** The names of an object that lie in the scope. The root of the tree has none. */
  async slots(node: NodeId, side: Side): Promise<Slot[]> {
    const slots: Slot[] = [];
    for (const link of await this.history.linksOf(node, this.seqs[side])) {
      if (this.rootSlots[side].has(slotKey(link.parent, link.name)) || await this.within(link.parent, side)) slots.push(link);
    }
    return slots;
  }

  /** Is the object in the scope? */
  async has(node: NodeId, side: Side): Promise<boolean> {
    if (node === ROOT) return this.within(ROOT, side);
    return (await this.slots(node, side)).length > 0;
  }
}
