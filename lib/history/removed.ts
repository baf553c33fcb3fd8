/**
 * What was taken out of history of single objects, by name or by a schedule of its own, without its content: the family
 * `removed`. Guarantee: content that was taken out is never answered as something else, so that whoever reads it is told.
 */
import { RewindError } from '../errors.js';
import { getU64, pairKey, under } from './keys.js';
import type { Rocks } from './rocks.js';
import type { NodeId, Seq } from './types.js';
import { corrupt } from './values.js';

/** Content of an object from `from` on up to `to` that history no longer has. */
export interface Removal {
  from: Seq;
  to: Seq;
  timeNs: bigint;
  /** Who asked: uid and name of the user; `retention` for what a schedule gave up. */
  by: string;
  note: string;
  /** Of what a schedule gave up: the kept instants around it. 0 = nothing before. */
  thinned?: { from: Seq; to: Seq };
}

/** As who gives up what the policy keeps no longer. */
export const BY_RETENTION = 'retention';

export const removedKey = (node: NodeId, to: Seq): Buffer => pairKey(node, to);

export function encodeRemoval({ to: _, timeNs, ...rest }: Removal): Buffer {
  return Buffer.from(JSON.stringify({ ...rest, timeNs: timeNs.toString() }));
}

function decodeRemoval(key: Buffer, value: Buffer): Removal {
  try {
    const raw = JSON.parse(value.toString('utf8')) as Omit<Removal, 'timeNs'> & { timeNs: string };
    return { ...raw, to: getU64(key, 8), timeNs: BigInt(raw.timeNs) };
  } catch {
    throw corrupt('a removal that cannot be read');
  }
}

/** What was removed of an object at an instant, or null: by name, before all else. */
export async function removalOf(rocks: Rocks, node: NodeId, seq: Seq): Promise<Removal | null> {
  let found: Removal | null = null;
  for await (const { key, value } of rocks.scan('removed', { gte: removedKey(node, seq), lt: under(node).lt })) {
    const removal = decodeRemoval(key, value);
    if (removal.from > seq) continue;
    found ??= removal;
    if (removal.thinned === undefined) return removal;
  }
  return found;
}

/** All that was removed of an object, by where it ends. */
export async function removalsOf(rocks: Rocks, node: NodeId): Promise<Removal[]> {
  const found: Removal[] = [];
  for await (const { key, value } of rocks.scan('removed', under(node))) found.push(decodeRemoval(key, value));
  return found;
}

/** Every removal, by object. */
export async function* removals(rocks: Rocks): AsyncGenerator<Removal & { node: NodeId }> {
  for await (const { key, value } of rocks.scan('removed', {})) yield { node: getU64(key, 0), ...decodeRemoval(key, value) };
}

export const purged = (node: NodeId, seq: Seq, { by, timeNs }: Removal): RewindError =>
  new RewindError('ERR_PURGED', `the content that object ${node} had at #${seq} was taken out of history by ${by} on ${new Date(Number(timeNs / 1_000_000n)).toISOString()}`, 'It cannot be had back: `rewind purge` leaves nothing.');

export function thinned(node: NodeId, seq: Seq, { from, to }: { from: Seq; to: Seq }): RewindError {
  const nearest = from === 0 ? `#${to} is the oldest instant that is kept of it.` : `#${from} and #${to} are the nearest instants that are kept of it.`;
  return new RewindError('ERR_TIME_THINNED', `the content that object ${node} had at #${seq} is kept no longer`, nearest);
}
