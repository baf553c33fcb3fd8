/**
 * Bounds what a read of a block costs: the newest entry of a chain of patches that has grown too long is replaced, under
 * the same key, by a full entry with the block's bytes at that seq. Guarantee: what any read answers stays the same, so
 * that doing it twice, or not at all because of a crash, changes nothing but the cost.
 */
import type { History } from '../history/history.js';
import { blockKey } from '../history/keys.js';
import { encodeBlock } from '../history/values.js';
import { keep, trimZeroes } from './fold-data.js';
import type { FoldState } from './state.js';

/** Blocks that are read and written at a time. */
const GROUP = 64;

/** Shortens the chains that the batch just committed has made too long. */
export async function shortenChains(history: History, state: FoldState): Promise<void> {
  const overlong = [...state.overlong].flatMap(([id, place]) => {
    const head = state.heads.get(id);
    return head === undefined || head.depth === 0 ? [] : [{ id, ...place, seq: head.seq }];
  });
  for (let i = 0; i < overlong.length; i += GROUP) {
    const group = overlong.slice(i, i + GROUP);
    const blocks = await Promise.all(group.map(({ node, block, seq }) => history.readBlock(node, block, seq)));
    const batch = history.rocks.batch(4 * GROUP);
    state.begin(batch);
    group.forEach(({ id, node, block, seq }, j) => {
      const bytes = trimZeroes(blocks[j]!);
      batch.put('blocks', blockKey(node, block, seq), encodeBlock({ kind: 'full', depth: 0, chainBytes: 0, offset: 0, length: bytes.length, data: keep(state, bytes) }));
      state.heads.set(id, { seq, depth: 0, chainBytes: 0 });
    });
    await history.commit(batch, state.meta);
  }
}
