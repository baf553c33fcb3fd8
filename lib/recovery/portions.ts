/**
 * Changes of several objects in portions that grow: whoever needs only the newest does not pay for all there ever were.
 * Guarantees: of a portion no change is missing that is newer than `from`; each has all of the one before.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Change, NodeId, Seq } from '../history/types.js';
import { mapParallel } from './parallel.js';

/** Changes of an object that are read at first, and how much more the next portion has. */
const FIRST = 4096;
const MORE = 8;

export interface Portion {
  /** By object, oldest first. */
  changes: Change[][];
  /** Nothing up to this one is in it; null: there is nothing older. */
  from: Change | null;
}

/** `growing`: otherwise everything at once. */
export async function* portionsOf(history: HistoryReader, nodes: Iterable<NodeId>, { after = 0, upTo = history.watermark(), growing }: { after?: Seq; upTo?: Seq; growing: boolean }): AsyncGenerator<Portion> {
  const all = [...nodes];
  for (let most = growing ? FIRST : Infinity; ; most *= MORE) {
    const read = await mapParallel(all, (node) => newestOf(history, node, after, upTo, most));
    const from = read.map(({ rest }) => rest).reduce((a, b) => (a === null || (b !== null && b.seq > a.seq) ? b : a), null);
    yield { changes: read.map(({ changes }) => (from === null ? changes : changes.filter(({ seq }) => seq > from.seq)).reverse()), from };
    if (from === null) return;
  }
}

/** Newest first, at most so many; `rest`: the next one. */
async function newestOf(history: HistoryReader, node: NodeId, after: Seq, upTo: Seq, most: number): Promise<{ changes: Change[]; rest: Change | null }> {
  const changes: Change[] = [];
  for await (const change of history.nodeChanges(node, after, upTo, { reverse: true })) {
    if (changes.length === most) return { changes, rest: change };
    changes.push(change);
  }
  return { changes, rest: null };
}
