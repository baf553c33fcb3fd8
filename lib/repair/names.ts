/**
 * Names, from either side: what a directory says and what an object says are made the same. Guarantee: what one of the two
 * says is added to the other, so that no name is lost that either has; where both speak of the same instant the directory
 * counts.
 */
import { getU64, linkKey, nameBounds, nameInKey, nameKey, seqInKey, u64Key } from '../history/keys.js';
import type { Rocks } from '../history/rocks.js';
import { TOMBSTONE } from '../history/values.js';

const PRESENT = Buffer.from([1]);

/** An entry of `links` of which the directory does not say the same. */
export async function mendName(rocks: Rocks, key: Buffer): Promise<void> {
  const [node, parent, name, seq] = [getU64(key, 0), getU64(key, 8), nameInKey(key, 16), seqInKey(key)];
  const [link] = await rocks.getMany('links', [key]);
  const place = nameKey(parent, name, seq);
  const [said] = await rocks.getMany('names', [place]);
  if (link == null) return;
  const batch = rocks.batch();
  // The end of a name may be the beginning of another's there: that one was put, or is.
  if (said == null) batch.put('names', place, link.length > 0 ? u64Key(node) : TOMBSTONE);
  else if (link.length > 0) batch.delete('links', key);
  else if (said.length > 0 && getU64(said, 0) === node) batch.put('links', key, PRESENT);
  await rocks.commit(batch);
}

/** An entry of `names` of which an object does not say the same: that it has the name from then on, and no more from the next one on. */
export async function mendLink(rocks: Rocks, key: Buffer): Promise<void> {
  const [parent, name, seq] = [getU64(key, 0), nameInKey(key, 8), seqInKey(key)];
  const [value] = await rocks.getMany('names', [key]);
  if (value == null || value.length === 0) return;
  const node = getU64(value, 0);
  const batch = rocks.batch();
  batch.put('links', linkKey(node, parent, name, seq), PRESENT);
  const newer = await rocks.peek('names', { gte: nameBounds(parent, name).gte, lt: key }, true);
  if (newer !== null && !newer.value.subarray(0, 8).equals(value.subarray(0, 8))) batch.put('links', linkKey(node, parent, name, seqInKey(newer.key)), TOMBSTONE);
  await rocks.commit(batch);
}
