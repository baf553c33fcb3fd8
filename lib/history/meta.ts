/**
 * What history knows of itself, in the family `meta`. Guarantee: `fold` is written in the same atomic batch as the
 * records that it counts, so that a replay after a crash starts exactly where history ends.
 */
import { RewindError } from '../errors.js';
import type { Batch, Rocks } from './rocks.js';
import type { NodeId, Seq } from './types.js';
import { corrupt } from './values.js';

/**
 * Version of the keys and values of docs/history.md. 2 has nothing that is packed, 2 and 3 have no chain, and are otherwise
 * the same: opened for writing they become 4, so that a program that knows only these neither misreads it nor writes without
 * going on with the chain. 1 had an entry for each record, and was in no release.
 */
export const HISTORY_FORMAT = 4;
/** The same with content in cold files: from the batch on that moves the first there. */
export const COLD_FORMAT = 5;
/** The same with changes that were given up: from the batch on that gives up the first. */
export const THINNED_FORMAT = 6;
/** The newest that is known. */
export const NEWEST_FORMAT = THINNED_FORMAT;

/** From this batch on the database is of this format at least. */
export async function raiseFormat(rocks: Rocks, batch: Pick<Batch, 'put'>, version: number): Promise<void> {
  const present = await rocks.get('meta', META_FORMAT);
  if (present !== null && present.readUInt32BE(0) >= version) return;
  batch.put('meta', META_FORMAT, formatValue(version));
}

export function formatValue(version: number): Buffer {
  const value = Buffer.alloc(4);
  value.writeUInt32BE(version);
  return value;
}

export const META_FORMAT = Buffer.from('format');
export const META_STORE = Buffer.from('store');
export const META_FOLD = Buffer.from('fold');

/** Where the fold stands. */
export interface FoldMeta {
  /** Last record that history holds, and its time. */
  watermark: Seq;
  timeNs: bigint;
  /** Ids to give next. */
  nextNode: NodeId;
  nextContent: number;
  /** This session's mount record. */
  mount: Seq;
  mountTimeNs: bigint;
  /** The first mount record of all; 0 before it. */
  first: Seq;
  firstTimeNs: bigint;
  /** A background walk was complete once: history holds the whole tree. */
  baselined: boolean;
  /** This session has its gap entry for changes made while unmounted. */
  unmountedNoted: boolean;
  /** Head of the chain at the watermark, in hexadecimal. None in a store that an older program wrote alone. */
  chain?: string;
  /** Id of the store, in hexadecimal: a batch of another one is told by it. Older batches do not say. */
  store?: string;
}

export const EMPTY_META: Readonly<FoldMeta> = Object.freeze({
  watermark: 0, timeNs: 0n, nextNode: 2, nextContent: 1, mount: 0, mountTimeNs: 0n, first: 0, firstTimeNs: 0n,
  baselined: false, unmountedNoted: false,
});

/** JSON; times as decimal strings. */
export function encodeMeta(meta: FoldMeta): Buffer {
  return Buffer.from(JSON.stringify(meta, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)));
}

/** The inverse of encodeMeta. */
export function decodeMeta(value: Buffer): FoldMeta {
  try {
    const raw = JSON.parse(value.toString('utf8')) as { [key in keyof FoldMeta]: unknown };
    const meta = { ...EMPTY_META, ...raw, timeNs: BigInt(raw.timeNs as string), mountTimeNs: BigInt(raw.mountTimeNs as string), firstTimeNs: BigInt(raw.firstTimeNs as string) } as FoldMeta;
    if (Number.isSafeInteger(meta.watermark) && Number.isSafeInteger(meta.nextNode) && Number.isSafeInteger(meta.nextContent)) return meta;
  } catch (cause) {
    throw corruptMeta(value, cause);
  }
  throw corruptMeta(value, undefined);
}

const corruptMeta = (value: Buffer, cause: unknown): RewindError => {
  const error = corrupt(`a watermark that cannot be read (${value.toString('latin1', 0, 80)})`);
  return cause === undefined ? error : new RewindError(error.code, error.message, error.hint, { cause });
};
