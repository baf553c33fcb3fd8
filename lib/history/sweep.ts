/**
 * Passes over all of history at once, for questions that no path or instant narrows down. Guarantee: a pass reads its
 * family once, in order, batch by batch; what is added meanwhile is not seen.
 */
import { firstState } from './attributes.js';
import { getU64, nameInKey, seqInKey, under } from './keys.js';
import type { Rocks } from './rocks.js';
import type { Birth, Link, NameSpan, NodeId, Seq } from './types.js';
import { decodeAttr } from './values.js';

/** Entries that are fetched at a time: one trip to another thread costs as much as many entries. */
const CAPACITY = 4096;

/** Do two keys differ in nothing but their seq? */
const samePlace = (key: Buffer, last: Buffer | null): boolean =>
  last !== null && key.length === last.length && key.compare(last, 0, key.length - 8, 0, key.length - 8) === 0;

/** Every name of every directory with what it led to, by directory and name, each from its newest entry to its oldest. */
export async function* sweepNames(rocks: Rocks): AsyncGenerator<NameSpan[]> {
  let batch: NameSpan[] = [];
  let last: Buffer | null = null;
  let until: Seq = Infinity;
  for await (const { key, value } of rocks.scan('names', {}, { capacity: CAPACITY })) {
    if (!samePlace(key, last)) until = Infinity;
    const from = seqInKey(key);
    if (value.length > 0) batch.push({ parent: getU64(key, 0), name: nameInKey(key, 8), node: getU64(value, 0), from, until });
    until = from;
    last = key;
    if (batch.length < CAPACITY) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Every object with the first attributes that history has of it, by node. */
export async function* sweepBirths(rocks: Rocks): AsyncGenerator<Birth[]> {
  let batch: Birth[] = [];
  let oldest: { key: Buffer; value: Buffer } | null = null;
  const note = (): void => {
    if (oldest !== null && oldest.value.length > 0) batch.push({ node: getU64(oldest.key, 0), seq: seqInKey(oldest.key), attr: decodeAttr(firstState(oldest.value)) });
  };
  for await (const entry of rocks.scan('nodes', {}, { capacity: CAPACITY })) {
    if (oldest !== null && entry.key.compare(oldest.key, 0, 8, 0, 8) !== 0) note();
    oldest = entry;
    if (batch.length < CAPACITY) continue;
    yield batch;
    batch = [];
  }
  note();
  if (batch.length > 0) yield batch;
}

/** Every name that an object ever had, and when, in no order. */
export async function everyLink(rocks: Rocks, node: NodeId): Promise<Link[]> {
  const links: Link[] = [];
  let last: Buffer | null = null;
  let until: Seq = Infinity;
  for await (const { key, value } of rocks.scan('links', under(node), { capacity: 16 })) {
    if (!samePlace(key, last)) until = Infinity;
    const from = seqInKey(key);
    if (value.length > 0) links.push({ parent: getU64(key, 8), name: nameInKey(key, 16), from, until });
    until = from;
    last = key;
  }
  return links;
}
