/**
 * The one question that every state question comes down to: the newest entry at or before an instant. Guarantee: a
 * prefix's entries are sorted newest first (~seq), so that this is the first key at or after (prefix, ~n).
 */
import type { Family } from './families.js';
import { getU64, nameInKey, putInverse, seqInKey, under } from './keys.js';
import type { Entry, Range, Rocks } from './rocks.js';
import type { Name, NodeId, Seq } from './types.js';

/** Seeks that run at the same time. */
const PARALLEL = 128;
/** Entries in a row that do not count; a new seek costs about as much. */
const MOST_PASSED = 64;

/** The first entry of every range, in their order, null where a range is empty. */
export async function newestAt(rocks: Rocks, family: Family, ranges: Range[]): Promise<(Entry | null)[]> {
  const found: (Entry | null)[] = [];
  for (let i = 0; i < ranges.length; i += PARALLEL) {
    found.push(...await Promise.all(ranges.slice(i, i + PARALLEL).map((range) => rocks.peek(family, range))));
  }
  return found;
}

/** A name at an instant, what it led to and since when. */
export interface NewestName { node: NodeId; name: Name; value: Buffer; since: Seq }

/** What every name under a node was at an instant (names, xattrs): tombstones left out, sorted by the names' bytes. */
export function newestByName(rocks: Rocks, family: 'names' | 'xattrs', node: NodeId, seq: Seq): Promise<NewestName[]> {
  return newestInRange(rocks, family, under(node), seq);
}

/**
 * The same for all nodes of a range of whole nodes. The cost is what the names were at that instant, not what they ever
 * were: entries that do not count are passed while they are few, and then leapt over.
 */
export async function newestInRange(rocks: Rocks, family: 'names' | 'xattrs', range: Range, seq: Seq): Promise<NewestName[]> {
  const entries: NewestName[] = [];
  let done: Buffer | null = null;
  for (let rest: Range | null = range; rest !== null;) {
    let passed = 0;
    let further: Range | null = null;
    const scan: AsyncGenerator<Entry> = rocks.scan(family, rest);
    for await (const { key, value } of scan) {
      const since = seqInKey(key);
      const known = done !== null && isOfName(key, done);
      if (since > seq || known) {
        if (++passed <= MOST_PASSED) continue;
        further = { ...range, gte: known ? afterName(key) : atInstant(key, seq) };
        break;
      }
      done = key;
      passed = 0;
      if (value.length > 0) entries.push({ node: getU64(key, 0), name: nameInKey(key, 8), value, since });
    }
    rest = further;
  }
  return entries;
}

const isOfName = (key: Buffer, other: Buffer): boolean => key.length === other.length && key.compare(other, 0, other.length - 8, 0, key.length - 8) === 0;

/** The first key behind all those of the same name: the byte that ends the name, and one more. */
function afterName(key: Buffer): Buffer {
  const after = Buffer.from(key.subarray(0, key.length - 8));
  after[after.length - 1] = 1;
  return after;
}

function atInstant(key: Buffer, seq: Seq): Buffer {
  const at = Buffer.from(key);
  putInverse(at, seq, at.length - 8);
  return at;
}
