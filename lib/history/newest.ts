/**
 * The one question that every state question comes down to: the newest entry at or before an instant. Guarantee: a
 * prefix's entries are sorted newest first (~seq), so that this is the first key at or after (prefix, ~n).
 */
import type { Family } from './families.js';
import { getU64, nameInKey, seqInKey, under } from './keys.js';
import type { Entry, Range, Rocks } from './rocks.js';
import type { Name, NodeId, Seq } from './types.js';

/** Seeks that run at the same time. */
const PARALLEL = 128;

/** The first entry of every range, in their order, null where a range is empty. */
export async function newestAt(rocks: Rocks, family: Family, ranges: Range[]): Promise<(Entry | null)[]> {
  const found: (Entry | null)[] = [];
  for (let i = 0; i < ranges.length; i += PARALLEL) {
    found.push(...await Promise.all(ranges.slice(i, i + PARALLEL).map((range) => rocks.peek(family, range))));
  }
  return found;
}

/** What every name under a node was at an instant (names, xattrs): tombstones left out, sorted by the names' bytes. */
export function newestByName(rocks: Rocks, family: 'names' | 'xattrs', node: NodeId, seq: Seq): Promise<{ node: NodeId; name: Name; value: Buffer; since: Seq }[]> {
  return newestInRange(rocks, family, under(node), seq);
}

/** The same for all nodes of a range of whole nodes. */
export async function newestInRange(rocks: Rocks, family: 'names' | 'xattrs', range: Range, seq: Seq): Promise<{ node: NodeId; name: Name; value: Buffer; since: Seq }[]> {
  const entries: { node: NodeId; name: Name; value: Buffer; since: Seq }[] = [];
  let done: Buffer | null = null;
  for await (const { key, value } of rocks.scan(family, range)) {
    const since = seqInKey(key);
    if (since > seq || (done !== null && key.length === done.length && key.compare(done, 0, done.length - 8, 0, key.length - 8) === 0)) continue;
    done = key;
    if (value.length > 0) entries.push({ node: getU64(key, 0), name: nameInKey(key, 8), value, since });
  }
  return entries;
}
