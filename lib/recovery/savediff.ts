/** What one save changed, as a difference: the path as it was before the first record of the save against its end. */
import type { HistoryReader } from '../history/reader.js';
import { noDifference } from './compare.js';
import type { DiffEntry, Save } from './types.js';

/** null for what had no name, and for the state that the first mount found. */
export async function saveDifference(history: HistoryReader, save: Save): Promise<{ entry: DiffEntry; fromSeq: number; toSeq: number } | null> {
  if (save.path === null || save.records === 0) return null;
  const fromSeq = save.firstSeq - 1;
  const fromNode = await history.resolve(save.from ?? save.path, fromSeq);
  const toNode = save.marker === 'delete' ? null : save.node;
  const [fromAttr, toAttr] = await Promise.all([
    fromNode === null ? null : history.attr(fromNode, fromSeq), toNode === null ? null : history.attr(toNode, save.seq),
  ]);
  const status = save.marker === 'rename' ? 'renamed' : fromAttr === null ? 'created' : toAttr === null ? 'deleted' : 'modified';
  const entry: DiffEntry = {
    status, path: save.path, ...save.from && { from: save.from }, what: { ...noDifference(), content: true },
    fromNode: fromAttr && fromNode, toNode: toAttr && toNode, fromAttr, toAttr,
  };
  return { entry, fromSeq, toSeq: save.seq };
}
