/**
 * Bounds what a read of a block costs: over a chain of patches that has grown too long lies a full entry with the block's
 * bytes at the seq of the newest one, which it replaces if that has the key alone. Guarantee: what any read answers stays
 * the same, so that doing it twice, or not at all because of a crash, changes nothing but the cost. What rests on content that
 * cannot be read stays long: damaged, or cold and away (of a file that has no name any more, and is still written to).
 */
import type { History } from '../history/history.js';
import { putFull, wholeBlock } from './fold-data.js';
import type { FoldState } from './state.js';
import { unlessUnreadable } from './unreadable.js';

/** Blocks that are read and written at a time. */
const GROUP = 64;

/** Shortens the chains that the batch just committed has made too long. */
export async function shortenChains(history: History, state: FoldState): Promise<void> {
  const overlong = [...state.overlong].flatMap(([id, place]) => {
    const head = state.heads.get(id);
    return head === undefined || head.depth === 0 ? [] : [{ ...place, seq: head.seq }];
  });
  for (let i = 0; i < overlong.length; i += GROUP) {
    const group = overlong.slice(i, i + GROUP);
    const blocks = await Promise.all(group.map(({ node, block, seq }) => unlessUnreadable(history.readBlock(node, block, seq), state.damaged)));
    const batch = history.rocks.batch(4 * GROUP);
    state.begin(batch);
    group.forEach(({ node, block, seq }, j) => {
      if (blocks[j] !== null) putFull(state, node, block, wholeBlock(state, blocks[j]!, seq));
    });
    await history.commit(batch, state.meta);
  }
}
