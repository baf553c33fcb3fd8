/** What a link of the chain covers, read from the database. */
import { CHAINED, lastOf, type Chained, type Link } from './chain.js';
import { getU64, pairKey, u64Key } from './keys.js';
import type { Entry, Rocks } from './rocks.js';
import type { Seq } from './types.js';

/** Entries of the chained families. */
export type Linked = Record<Chained, Entry[]>;

/** Of `changes` and `gaps` that a record from `from` up to `last` made, whatever instant they are dated to. */
export const madeIn = (entries: readonly Entry[], from: Seq, last: Seq): Entry[] => entries.filter(({ key }) => getU64(key, 8) >= from && getU64(key, 8) <= last);

/** All that the records of a link put into the chained families. */
export async function linkedBy(rocks: Rocks, link: Pick<Link, 'from' | 'count' | 'mount' | 'found'>): Promise<Linked> {
  const last = lastOf(link);
  const linked = {} as Linked;
  for (const family of CHAINED) {
    linked[family] = [];
    for await (const entry of rocks.scan(family, { gte: u64Key(link.from), lt: u64Key(last + 1) })) linked[family].push(entry);
  }
  for (const family of ['changes', 'gaps'] as const) linked[family] = [...madeIn(linked[family], link.from, last), ...await foundIn(rocks, family, link)];
  return linked;
}

/** What it found that is dated to its mount, where that is an earlier record. */
export async function foundIn(rocks: Rocks, family: 'changes' | 'gaps', link: Pick<Link, 'from' | 'count' | 'mount' | 'found'>): Promise<Entry[]> {
  const found: Entry[] = [];
  if (link.found === 0 || link.mount >= link.from) return found;
  for await (const entry of rocks.scan(family, { gte: pairKey(link.mount, link.from), lte: pairKey(link.mount, lastOf(link)) })) found.push(entry);
  return found;
}
