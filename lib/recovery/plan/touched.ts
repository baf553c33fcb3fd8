/** What a rollback has to look at. Guarantee: of everything in its scope that changed between the two instants nothing is left out. */
import type { HistoryReader } from '../../history/reader.js';
import type { NodeId, Seq } from '../../history/types.js';
import { isDir } from '../compare.js';
import { touchedBetween, type Touched } from '../places.js';
import type { Scope, Side } from './scope.js';

/**
 * One pass over the timeline between the two; when all that was named are files, only over theirs: what happened to others
 * meanwhile does not matter then, and is much more.
 */
export async function touchedIn(history: HistoryReader, scope: Scope, seqs: Record<Side, Seq>): Promise<Touched> {
  const files = scope.exact ? null : await filesOf(history, scope, seqs);
  if (files === null) return touchedBetween(history, seqs.then, seqs.now);
  const changed = await Promise.all(files.map((node) => hasChanged(history, node, seqs)));
  return { nodes: new Set(files.filter((_, i) => changed[i])), slots: new Map() };
}

/** The objects of a scope that no directory was named in; else null. */
async function filesOf(history: HistoryReader, { roots }: Scope, seqs: Record<Side, Seq>): Promise<NodeId[] | null> {
  const nodes = new Set<NodeId>();
  for (const root of roots) {
    for (const side of ['then', 'now'] as const) {
      const node = root[side];
      if (node === null) continue;
      const attr = await history.attr(node, seqs[side]);
      if (attr === null || isDir(attr)) return null;
      nodes.add(node);
    }
  }
  return [...nodes];
}

async function hasChanged(history: HistoryReader, node: NodeId, { then, now }: Record<Side, Seq>): Promise<boolean> {
  for await (const _ of history.nodeChanges(node, Math.min(then, now), Math.max(then, now), { reverse: true })) return true;
  return false;
}
