/**
 * A fork's changes as steps for the live tree. Guarantees: after them every path that the fork changed is as in the fork,
 * and no other is touched; a file that takes the place of another is complete before it does; nothing is done here. What
 * the live tree has changed at the same paths since the fork's instant is found, and named.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Name, NodeAttr, NodeId, Seq } from '../history/types.js';
import { RewindError } from '../errors.js';
import { safeForTerminal, showPath } from '../paths.js';
import { ACL_DEFAULT, compareObjects, differs, isDir, isFile, sameType } from '../recovery/compare.js';
import { diffTrees } from '../recovery/diff.js';
import { isUnder } from '../recovery/places.js';
import { changedAttributes, type Born } from '../recovery/plan/attributes.js';
import { changedContent, directoryAttributes, makeObject } from '../recovery/plan/objects.js';
import type { DiffEntry, DiffWhat, PlanCounts, PlanEntry, PlanOp } from '../recovery/types.js';
import type { ForkChange, ForkChanges } from './changes.js';
import type { UpperObject } from './reader.js';

/** Steps that graft a fork, and what they mean. */
export interface Graft {
  ops: PlanOp[];
  bytes: number;
  entries: PlanEntry[];
  counts: PlanCounts;
  /** Paths that both the fork and the live tree changed, and that differ now. */
  conflicts: Name[][];
}

/** What to graft where. */
export interface GraftOptions {
  /** Only what lies at or under these; all when empty. */
  paths: Name[][];
  /** The instant that the live tree is at. */
  now: Seq;
}

/** Names that exist while the steps are done. */
const ASIDE = '.rewind-fork';

const joined = (path: readonly Name[]): string => path.join('/');
const shown = (path: readonly Name[]): string => safeForTerminal(showPath(path));
const parentOf = (path: readonly Name[]): Name[] => path.slice(0, -1);

/** Plans the graft. Changes nothing. */
export async function planGraft(fork: ForkChanges, options: GraftOptions): Promise<Graft> {
  const within = (path: readonly Name[]): boolean => options.paths.length === 0 || options.paths.some((one) => isUnder(path, one));
  const wanted = fork.changes.filter((change) => within(change.path));
  const graft = new Grafting(fork, options.now);
  await graft.run(wanted);
  const live: DiffEntry[] = [];
  for await (const entry of diffTrees(fork.reader, fork.seq, options.now)) live.push(entry);
  const conflicts = graft.acted.filter((change) => live.some((entry) => clash(change, entry))).map(({ path }) => path);
  const counts: PlanCounts = { restored: 0, unchanged: wanted.length - graft.entries.length, updated: 0, deleted: 0, skipped: 0 };
  for (const { action } of graft.entries) counts[action === 'restore' ? 'restored' : action === 'delete' ? 'deleted' : 'updated']++;
  return { ops: graft.ops, bytes: graft.bytes, entries: graft.entries, counts, conflicts };
}

/** Did the live tree change what the fork changed, or the way to it? */
function clash(change: ForkChange, live: DiffEntry): boolean {
  const lives = live.from ? [live.path, live.from] : [live.path];
  const ours = change.from ? [change.path, change.from, change.lower] : [change.path, change.lower];
  const gone = live.status === 'renamed' ? live.from! : live.status === 'deleted' || live.status === 'type' ? live.path : null;
  return ours.some((path) => lives.some((other) => joined(other) === joined(path) || (change.upper === null && isUnder(other, path))) || (gone !== null && isUnder(path, gone)));
}

class Grafting {
  readonly ops: PlanOp[] = [];
  readonly entries: PlanEntry[] = [];
  /** Changes that the live tree does not have yet. */
  readonly acted: ForkChange[] = [];
  bytes = 0;
  private readonly last: { depth: number; ops: PlanOp[] }[] = [];
  /** Places of the steps so far: made, and emptied. */
  private readonly made = new Set<string>();
  private readonly gone = new Set<string>();
  private readonly links = new Map<bigint, string>();
  /** Directories of the live tree that have stepped aside, by where they were. */
  private readonly moved = new Map<string, Live>();
  private readonly byPath: Map<string, ForkChange>;
  private asides = 0;

  constructor(private readonly fork: ForkChanges, private readonly now: Seq) {
    this.byPath = new Map(fork.changes.map((change) => [joined(change.path), change]));
  }

  private get history(): HistoryReader {
    return this.fork.reader;
  }

  /** What moves steps aside, what goes is removed, what moved arrives, the rest is brought; directories get their attributes last. */
  async run(changes: ForkChange[]): Promise<void> {
    const moves = await this.stepAside(changes.filter((change) => change.status === 'renamed'));
    const removed = changes.filter((change) => change.upper === null);
    const isInMoved = (change: ForkChange): boolean => joined(this.lowerOf(change.path)) !== joined(change.path);
    for (const change of removed) if (!isInMoved(change)) await this.remove(change);
    for (const { change, aside } of moves) await this.arrive(change, aside);
    for (const change of removed) if (isInMoved(change)) await this.remove(change);
    for (const change of changes) if (change.upper !== null) await this.bring(change, change.upper);
    this.last.sort((a, b) => b.depth - a.depth);
    for (const { ops } of this.last) for (const one of ops) this.ops.push(one);
  }

  /** The deepest first, so that each is still where it was. What has arrived already by an earlier graft stays. */
  private async stepAside(renames: ForkChange[]): Promise<{ change: ForkChange; aside: string }[]> {
    const moves: { change: ForkChange; aside: string }[] = [];
    for (const change of renames) {
      const live = await this.live(change.from!);
      if (live && isDir(live.attr)) {
        this.moved.set(joined(change.from!), live);
        moves.push({ change, aside: this.aside() });
      } else if (!(await this.live(change.path))) {
        throw new RewindError('ERR_NEWER_CHANGES', `Nothing was changed: the fork renamed ${shown(change.from!)}, which the tree has no more`, 'Name the other paths one by one.');
      }
    }
    for (const { change, aside } of [...moves].sort((a, b) => b.change.from!.length - a.change.from!.length)) {
      this.ops.push({ op: 'rename', from: joined(change.from!), path: aside });
    }
    return moves;
  }

  private async arrive(change: ForkChange, aside: string): Promise<void> {
    await this.parents(change.path);
    await this.clear(change.path, [...this.lowerOf(parentOf(change.path)), change.path.at(-1)!]);
    this.ops.push({ op: 'rename', from: aside, path: joined(change.path) });
    this.made.add(joined(change.path));
    this.tell(change, { action: 'rename', path: change.path, from: change.from!, what: change.what, bytes: 0 });
  }

  private async remove(change: ForkChange): Promise<void> {
    const inGone = this.gone.has(joined(parentOf(change.path)));
    if (inGone) this.gone.add(joined(change.path));
    if (inGone || await this.clear(change.path, this.lowerOf(change.path))) this.tell(change, { action: 'delete', path: change.path, what: change.what, bytes: 0 });
  }

  private async bring(change: ForkChange, upper: UpperObject): Promise<void> {
    const { path } = change;
    const moved = change.from && this.moved.get(joined(change.from));
    const live = moved ?? await this.there(path);
    if (live && this.stays(live.attr, upper)) return await this.settle(change, upper, live);
    if (live && !isDir(live.attr) && live.attr.nlink === upper.attr.nlink && !differs(await this.compare(upper, live))) return;
    if (isDir(upper.attr)) {
      await this.clear(path, this.lowerOf(path));
      await this.directory(path, upper);
    } else {
      await this.make(path, upper, live);
    }
    this.tell(change, { action: live ? 'update' : 'restore', path, what: change.what, bytes: isFile(upper.attr) ? upper.attr.size : 0 });
  }

  /** Is the live object changed in place? Not when it has names that the fork did not change. */
  private stays(live: NodeAttr, { attr }: UpperObject): boolean {
    return sameType(live, attr) && (isDir(attr) || (isFile(attr) && live.nlink === 1 && attr.nlink === 1));
  }

  private compare(upper: UpperObject, live: Live): Promise<DiffWhat> {
    return compareObjects(this.history, { node: upper.node, seq: this.now, attr: upper.attr }, { ...live, seq: this.now });
  }

  private async settle(change: ForkChange, upper: UpperObject, live: Live): Promise<void> {
    const path = joined(change.path);
    const what = await this.compare(upper, live);
    if (!differs(what)) return;
    const ops: PlanOp[] = [];
    let bytes = 0;
    if (what.content) {
      const content = await changedContent(this.history, path, { node: upper.node, seq: this.now, attr: upper.attr }, { ...live, seq: this.now });
      for (const one of content.ops) ops.push(one);
      bytes = content.bytes;
    }
    const [want, have] = await Promise.all([this.history.xattrs(upper.node, this.now), this.history.xattrs(live.node, this.now)]);
    ops.push(...changedAttributes(path, what, upper.attr, live.attr, want, have, { content: what.content, times: true, mode: false }));
    if (isDir(upper.attr)) this.last.push({ depth: change.path.length, ops });
    else for (const one of ops) this.ops.push(one);
    this.bytes += bytes;
    this.tell(change, { action: 'update', path: change.path, what, bytes });
  }

  private async directory(path: Name[], upper: UpperObject): Promise<void> {
    const place = joined(path);
    if (this.made.has(place)) return;
    await this.parents(path);
    this.made.add(place);
    const born = await this.bornOf(path);
    this.ops.push(...(await makeObject(this.history, place, upper.node, upper.attr, this.now, born)).ops);
    this.last.push({ depth: path.length, ops: await directoryAttributes(this.history, place, upper.node, upper.attr, this.now, born) });
  }

  private async make(path: Name[], upper: UpperObject, live: Live | null): Promise<void> {
    await this.parents(path);
    const place = joined(path);
    if (live && isDir(live.attr)) await this.clear(path, this.lowerOf(path));
    const target = live && !isDir(live.attr) ? this.aside() : place;
    const other = this.links.get(upper.ino);
    if (other !== undefined) {
      this.ops.push({ op: 'link', from: other, path: target });
    } else {
      const steps = await makeObject(this.history, target, upper.node, upper.attr, this.now, await this.bornOf(path));
      for (const one of steps.ops) this.ops.push(one);
      this.bytes += steps.bytes;
      this.links.set(upper.ino, place);
    }
    if (target !== place) this.ops.push({ op: 'rename', from: target, path: place });
  }

  /** Nothing is known of the owner; an ACL comes from the directory only where that has one to hand on. */
  private async bornOf(path: Name[]): Promise<Born> {
    const upper = this.fork.directories.get(joined(parentOf(path)));
    return { owner: null, acl: upper === undefined || upper.xattrs.has(ACL_DEFAULT) };
  }

  /** Directories on the way that the live tree has no more, as they are in the fork. */
  private async parents(path: Name[]): Promise<void> {
    for (let depth = 1; depth < path.length; depth++) {
      const parent = path.slice(0, depth);
      const upper = this.fork.directories.get(joined(parent));
      if (!upper || this.made.has(joined(parent))) continue;
      const live = await this.there(parent);
      if (live && isDir(live.attr)) continue;
      await this.clear(parent, this.lowerOf(parent));
      await this.directory(parent, upper);
    }
  }

  /** Where the live tree has a place of the fork: inside a renamed directory under its old name, until that is brought. */
  private lowerOf(path: Name[]): Name[] {
    for (let depth = path.length; depth > 0; depth--) {
      const change = this.byPath.get(joined(path.slice(0, depth)));
      if (change?.from && this.moved.has(joined(change.from))) return [...change.from, ...path.slice(depth)];
    }
    return path;
  }

  /** Removes what the live tree has at a place, with all that it holds. False: there is nothing. */
  private async clear(place: Name[], lower: Name[]): Promise<boolean> {
    const live = this.gone.has(joined(place)) || this.moved.has(joined(lower)) ? null : await this.live(lower);
    if (!live) return false;
    if (isDir(live.attr)) {
      for (const { name } of await this.history.list(live.node, this.now)) await this.clear([...place, name], [...lower, name]);
    }
    this.gone.add(joined(place));
    this.ops.push({ op: isDir(live.attr) ? 'rmdir' : 'unlink', path: joined(place) });
    return true;
  }

  /** What the live tree still has at a place of the fork when the steps so far are done; what was made there does not count. */
  private async there(path: Name[]): Promise<Live | null> {
    const lower = this.lowerOf(path);
    return this.gone.has(joined(path)) || this.moved.has(joined(lower)) ? null : await this.live(lower);
  }

  private async live(path: Name[]): Promise<Live | null> {
    const node = await this.history.resolve(path, this.now);
    const attr = node === null ? null : await this.history.attr(node, this.now);
    return node === null || !attr ? null : { node, attr };
  }

  private aside(): string {
    return `${ASIDE}-${process.pid}-${this.asides++}`;
  }

  private tell(change: ForkChange, entry: PlanEntry): void {
    this.acted.push(change);
    if (!this.entries.some((known) => known.action === 'rename' && joined(known.path) === joined(entry.path))) this.entries.push(entry);
  }
}

interface Live {
  node: NodeId;
  attr: NodeAttr;
}
