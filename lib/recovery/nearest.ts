/** Did a path ever exist, and if not, which one that did may have been meant? */
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import { ROOT, type Name, type NodeId } from '../history/types.js';
import { parseName, safeForTerminal, showName, showPath } from '../paths.js';
import { nearestNames } from '../time/nearest.js';

/** What is known of a path. */
export interface Nearest {
  /** It existed at some instant. */
  existed: boolean;
  /** How far it did: the longest part of it that ever existed. */
  known: Name[];
  /** Paths that did exist and are spelled nearly like it, the nearest first. */
  suggestions: Name[][];
}

/** Looks for a path in all of history. */
export async function nearest(history: HistoryReader, path: Name[]): Promise<Nearest> {
  let parents = new Set<NodeId>([ROOT]);
  for (const [depth, name] of path.entries()) {
    const next = new Set<NodeId>();
    for (const parent of parents) {
      for (const { node } of await history.nameHistory(parent, name)) if (node !== null) next.add(node);
    }
    if (next.size === 0) return { existed: false, known: path.slice(0, depth), suggestions: await alike(history, parents, path, depth) };
    parents = next;
  }
  return { existed: true, known: path, suggestions: [] };
}

async function alike(history: HistoryReader, parents: Set<NodeId>, path: Name[], depth: number): Promise<Name[][]> {
  const names = new Set<string>();
  for (const parent of parents) for (const name of await history.namesEver(parent)) names.add(showName(name));
  const near = nearestNames(showName(path[depth] as Name), names);
  return near.map((name) => [...path.slice(0, depth), parseName(name), ...path.slice(depth + 1)]);
}

/**
 * ERR_NEVER_EXISTED for a path that no instant of history has, naming the nearest that one has; null when one has it.
 * While history has but a part of the tree, it says so.
 */
export async function neverExisted(history: HistoryReader, path: Name[]): Promise<RewindError | null> {
  const found = await nearest(history, path);
  if (found.existed) return null;
  const shown = safeForTerminal(showPath(path));
  const suggestions: string[] = [];
  for (const candidate of found.suggestions) {
    const there = (await nearest(history, candidate)).known;
    suggestions.push(safeForTerminal(showPath(there)));
  }
  const known = found.known.length > 0 ? `; ${safeForTerminal(showPath(found.known))} did` : '';
  const meant = suggestions.length > 0 ? `did you mean ${suggestions.join(' or ')}?` : null;
  if (history.baselineSince?.() == null) return new RewindError('ERR_NEVER_EXISTED', `${shown} never existed in this tree${known}`, meant ?? '`rewind log` shows the paths that exist');
  return new RewindError('ERR_NEVER_EXISTED', `${shown} never existed as far as history knows${known}; the first walk over the tree is not complete`, meant ?? '`rewind mount` goes on with a walk that was cut short; `rewind status` says how far it is');
}
