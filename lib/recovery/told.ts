/**
 * Names as the timeline tells them. Of what came and went between two kept instants history holds nothing else: it answers
 * whoever asks when it was called what, not what it held.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Change, Link, Name, NodeId, Seq } from '../history/types.js';
import { isBirth, makesDirectory } from './grouping.js';

/** What a change made of one name: it leads to `node` from then on, or nowhere. */
interface Named { parent: NodeId; name: Name; node: NodeId | null }

function namedBy({ marker, node, parent, name, parent2, name2, target, exchange }: Change): Named[] {
  if (parent === undefined || name === undefined || name === '' || marker === 'modify') return [];
  if (marker !== 'rename') return [{ parent, name, node: marker === 'create' ? node : null }];
  const left: Named = { parent, name, node: exchange === true && target !== undefined ? target : null };
  return parent2 === undefined || name2 === undefined ? [left] : [left, { parent: parent2, name: name2, node }];
}

/** Every name that an object ever had, and when. */
export async function linksTold(history: HistoryReader, node: NodeId): Promise<Link[]> {
  const links: Link[] = [];
  for await (const change of history.nodeChanges(node, 0, history.watermark())) {
    for (const one of namedBy(change)) {
      const open = links.find(({ parent, name, until }) => until === Infinity && parent === one.parent && name === one.name);
      if (open) open.until = change.seq;
      if (one.node === node) links.push({ parent: one.parent, name: one.name, from: change.seq, until: Infinity });
    }
  }
  return links;
}

/** What a name of a directory led to, oldest first; null: nowhere. */
export async function nameTold(history: HistoryReader, parent: NodeId, name: Name): Promise<{ since: Seq; node: NodeId | null }[]> {
  const states: { since: Seq; node: NodeId | null }[] = [];
  for await (const change of history.nodeChanges(parent, 0, history.watermark())) {
    for (const one of namedBy(change)) if (one.parent === parent && one.name === name) states.push({ since: change.seq, node: one.node });
  }
  return states;
}

/** Was the object made as a directory? */
export async function madeDirectory(history: HistoryReader, node: NodeId): Promise<boolean> {
  for await (const change of history.nodeChanges(node, 0, history.watermark())) if (change.node === node && isBirth(change)) return makesDirectory(change);
  return false;
}
