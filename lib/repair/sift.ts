/**
 * Takes out what is none of history's entries, and what is of later than history goes. Guarantee: what is taken out is told
 * as lost, so that nothing that depended on it is answered as if it had never been.
 */
import { FAMILIES, type Family } from '../history/families.js';
import { getInverse, getU64 } from '../history/keys.js';
import type { FoldMeta } from '../history/meta.js';
import { MERGED_CONTENT, type Retention } from '../history/retained.js';
import type { Entry, Rocks } from '../history/rocks.js';
import type { Seq } from '../history/types.js';
import { META_DICTIONARY } from '../history/zip.js';
import { examine, type Examined } from '../verify/examine.js';
import { Bulk } from './bulk.js';
import type { Losses } from './losses.js';

/** `newest`: the last record that has a time, whether history goes so far or not. */
export interface Sifted { taken: Map<Family, number>; newest: Seq }

export async function sift(rocks: Rocks, meta: FoldMeta, retention: Retention, losses: Losses): Promise<Sifted> {
  const sifted: Sifted = { taken: new Map(), newest: meta.watermark };
  const bulk = new Bulk(rocks);
  for (const family of FAMILIES) {
    for await (const entry of rocks.scan(family, {}, { stored: true, capacity: family === 'content' ? 64 : 256 })) {
      const { problem, newest } = judge(rocks, family, entry, meta, retention);
      if (family === 'times' && newest !== null) sifted.newest = Math.max(sifted.newest, newest);
      if (problem === null) continue;
      await bulk.delete(family, entry.key);
      sifted.taken.set(family, (sifted.taken.get(family) ?? 0) + 1);
      // What came after the end was never answered: nothing of before is missing with it, but what a run began with.
      if (newest === null || firstOf(family, entry.key) <= meta.watermark) losses.add(family, entry.key, entry.key, problem);
    }
  }
  await bulk.end();
  return sifted;
}

/** What cannot be understood, whatever history says of itself: from what is left it is told what that is. Content is looked at later. */
export async function siftUndecodable(rocks: Rocks, losses: Losses): Promise<void> {
  const bulk = new Bulk(rocks);
  for (const family of FAMILIES) {
    if (family === 'content' || family === 'meta') continue;
    for await (const { key, value } of rocks.scan(family, {}, { stored: true })) {
      const { problem } = understood(rocks, family, key, value);
      if (problem === null) continue;
      await bulk.delete(family, key);
      losses.add(family, key, key, problem);
    }
  }
  await bulk.end();
}

function understood(rocks: Rocks, family: Family, key: Buffer, stored: Buffer): Examined {
  try {
    return examine(family, key, rocks.zip.unzip(family, stored));
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

function judge(rocks: Rocks, family: Family, { key, value }: Entry, meta: FoldMeta, retention: Retention): { problem: string | null; newest: Seq | null } {
  const examined = understood(rocks, family, key, value);
  if (examined.problem !== null) return { problem: examined.problem, newest: null };
  if (examined.newest !== null && examined.newest > meta.watermark) return { problem: `it is of #${examined.newest}, and history goes to #${meta.watermark}`, newest: examined.newest };
  const never = isNeverGiven(family, key, meta, retention);
  return { problem: never ? 'an id that was never given' : null, newest: never ? Number.POSITIVE_INFINITY : examined.newest };
}

function isNeverGiven(family: Family, key: Buffer, { nextContent, nextNode }: FoldMeta, retention: Retention): boolean {
  if (family === 'nodes') return getU64(key, 0) === 0 || getU64(key, 0) >= nextNode;
  if (family !== 'content') return false;
  const id = getU64(key, 0);
  return id === 0 || id >= (id >= MERGED_CONTENT ? retention.nextContent : nextContent);
}

/** The instant that an entry begins with; that of one that has none is behind all. */
function firstOf(family: Family, key: Buffer): Seq {
  if (family === 'content' || family === 'hashes' || family === 'meta' || family === 'inodes') return Number.POSITIVE_INFINITY;
  if (family === 'times' || family === 'writers' || family === 'points' || family === 'chain') return getU64(key, 0);
  if (family === 'changes' || family === 'gaps' || family === 'clock' || family === 'removed') return getU64(key, 8);
  const at = family === 'nodechanges' || family === 'cuts' ? 8 : key.length - 8;
  return getInverse(key, at);
}

/** Dictionaries are learnt when a database is opened. */
export async function learnDictionaries(rocks: Rocks): Promise<void> {
  for await (const { key, value } of rocks.scan('meta', { gte: Buffer.from(META_DICTIONARY), lt: Buffer.from(`${META_DICTIONARY}~`) })) rocks.zip.learn(key, value);
}
