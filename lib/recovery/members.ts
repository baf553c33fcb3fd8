/**
 * Differences and copies of a set of files in place of a whole tree. Guarantees: whether a path belongs to the set
 * is asked for its place at each of the two instants; what came into the set was created, what left it was deleted; a
 * directory that was renamed is looked into, since its own entry says nothing of what lies in it.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Name, NodeAttr, NodeId, Seq } from '../history/types.js';
import { isDir, noDifference } from './compare.js';
import { diffTrees } from './diff.js';
import type { DiffEntry, DiffOptions } from './types.js';

/** Does a path belong to the set? */
export type Members = (path: readonly Name[], directory: boolean) => boolean;

/** An object below a directory. */
interface Found { node: NodeId; path: Name[]; attr: NodeAttr }

async function* below(history: HistoryReader, directory: NodeId, path: readonly Name[], at: Seq): AsyncGenerator<Found> {
  const stack: { node: NodeId; path: readonly Name[] }[] = [{ node: directory, path }];
  for (let next = stack.pop(); next; next = stack.pop()) {
    const entries = await history.list(next.node, at);
    const attrs = await history.attrs(entries.map(({ node }) => node), at);
    for (const [i, { name, node }] of entries.entries()) {
      const attr = attrs[i];
      if (!attr) continue;
      const found = { node, path: [...next.path, name], attr };
      yield found;
      if (isDir(attr)) stack.push(found);
    }
  }
}

/** What a renamed directory took with it: each object with its path then and now. What changed in it has entries of its own. */
async function* carried(history: HistoryReader, entry: DiffEntry, then: Seq, now: Seq): AsyncGenerator<DiffEntry> {
  const { from, path, fromNode } = entry;
  if (entry.status !== 'renamed' || !from || fromNode === null || !entry.fromAttr || !isDir(entry.fromAttr)) return;
  for await (const found of below(history, fromNode, from, then)) {
    const goal = [...path, ...found.path.slice(from.length)];
    const toAttr = await history.resolve(goal, now) === found.node ? await history.attr(found.node, now) : null;
    if (!toAttr) continue;
    yield { status: 'renamed', path: goal, from: found.path, what: noDifference(), fromNode: found.node, toNode: found.node, fromAttr: found.attr, toAttr };
  }
}

/** As diffTrees, of the members only. What lay in a directory that was renamed is told with where it was, since the directory may be no member. */
export async function* diffMembers(history: HistoryReader, from: Seq, to: Seq, members: Members, options: DiffOptions = {}): AsyncGenerator<DiffEntry> {
  const entries: DiffEntry[] = [];
  for await (const entry of diffTrees(history, from, to, options)) entries.push(entry);
  const told = new Set(entries.filter(({ toNode }) => toNode !== null).map(({ path }) => path.join('/')));
  for (const entry of entries) {
    const own = ofMember(entry, members);
    if (own) yield own;
    if (own?.status === 'renamed') continue;
    for await (const one of carried(history, entry, from, to)) {
      const inner = told.has(one.path.join('/')) ? null : ofMember(one, members);
      if (inner) yield inner;
    }
  }
}

/** An entry as the set sees it; null when it does not. */
function ofMember(entry: DiffEntry, members: Members): DiffEntry | null {
  const now = entry.toAttr !== null && members(entry.path, isDir(entry.toAttr));
  const was = entry.from ?? entry.was;
  const then = entry.fromAttr !== null && members(was ?? entry.path, isDir(entry.fromAttr));
  if (now && then && was) return { ...entry, from: was };
  if (!was) return now || then ? entry : null;
  const side: DiffEntry = { ...entry, from: undefined, was: undefined, what: noDifference() };
  if (now) return { ...side, status: 'created', fromNode: null, fromAttr: null };
  return then ? { ...side, status: 'deleted', path: was, toNode: null, toAttr: null } : null;
}

/** Where members differ between two instants. */
export interface ChangedMembers {
  paths: Name[][];
  /** Left out: a directory stands there now that holds what belongs to others. */
  blocked: Name[][];
}

/**
 * Paths at which members differ, were, or are now; those in a directory that was renamed each by itself. A directory that
 * came is among them only if all that it holds now is.
 */
export async function changedMembers(history: HistoryReader, then: Seq, now: Seq, members: Members): Promise<ChangedMembers> {
  const paths = new Map<string, Name[]>();
  const add = (path: Name[], attr: NodeAttr | null): void => {
    if (attr && members(path, isDir(attr))) paths.set(path.join('/'), path);
  };
  const see = ({ path, from, was, fromAttr, toAttr }: DiffEntry): void => {
    add(from ?? was ?? path, fromAttr);
    add(path, toAttr);
  };
  for await (const entry of diffTrees(history, then, now, { times: true })) {
    see(entry);
    for await (const one of carried(history, entry, then, now)) see(one);
  }
  const blocked: Name[][] = [];
  for (const path of [...paths.values()].sort((a, b) => b.length - a.length)) {
    if (path.length > 0 && !await holdsOthers(history, path, then, now, paths)) continue;
    paths.delete(path.join('/'));
    if (path.length > 0 && await history.resolve(path, then) !== null) blocked.push(path);
  }
  return { paths: [...paths.values()], blocked };
}

/** Is it a directory that would have to go, and hold anything that would not? What lies deeper is decided already. */
async function holdsOthers(history: HistoryReader, path: Name[], then: Seq, now: Seq, going: ReadonlyMap<string, Name[]>): Promise<boolean> {
  const isDirAt = async (node: NodeId | null, seq: Seq): Promise<boolean> => {
    const attr = node === null ? null : await history.attr(node, seq);
    return attr !== null && isDir(attr);
  };
  const node = await history.resolve(path, now);
  if (node === null || !await isDirAt(node, now) || await isDirAt(await history.resolve(path, then), then)) return false;
  return (await history.list(node, now)).some(({ name }) => !going.has([...path, name].join('/')));
}

/** Of the tree below a path at an instant: the members, and the directories that lead to them. */
export async function memberTree(history: HistoryReader, top: readonly Name[], at: Seq, members: Members): Promise<ReadonlySet<string>> {
  const kept = new Set<string>();
  const node = await history.resolve([...top], at);
  const attr = node === null ? null : await history.attr(node, at);
  if (node === null || !attr) return kept;
  const keep = (path: readonly Name[]): void => {
    for (let length = path.length; length >= top.length && !kept.has(path.slice(0, length).join('/')); length--) kept.add(path.slice(0, length).join('/'));
  };
  if (members(top, isDir(attr))) keep(top);
  if (isDir(attr)) for await (const found of below(history, node, top, at)) if (members(found.path, isDir(found.attr))) keep(found.path);
  return kept;
}
