/** Where what is forgotten, and what takes its place, goes: the one interface between merging and batches. */
import type { Family } from '../history/families.js';
import type { History } from '../history/history.js';
import { hashOf } from '../history/hash.js';
import type { Entry, Range } from '../history/rocks.js';
import { CONTENT_HEAD } from '../history/values.js';
import type { Edit } from './entries.js';

/** Where edits go. Those between two `room` take effect together. */
export interface Sink {
  put(family: Family, key: Buffer, value: Buffer): void;
  delete(family: Family, key: Buffer): void;
  /** Stores bytes as content and answers their id. */
  content(bytes: Buffer): number;
  /** What has gathered may be committed here: it is right by itself. */
  room(): Promise<void>;
}

/** A `content` value of these bytes, as they are, and its key in `hashes`. */
export function contentValue(bytes: Buffer): { value: Buffer; hash: Buffer } {
  const value = Buffer.allocUnsafe(CONTENT_HEAD + bytes.length);
  value[0] = 0;
  value.writeBigUInt64BE(hashOf(bytes), 1);
  bytes.copy(value, CONTENT_HEAD);
  return { value, hash: value.subarray(1, CONTENT_HEAD) };
}

export function apply(sink: Sink, family: Family, { deletes, puts }: Edit): void {
  for (const key of deletes) sink.delete(family, key);
  for (const { key, value } of puts) sink.put(family, key, value);
}

/** All entries of a range. */
export async function scanned(history: History, family: Family, range: Range): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of history.rocks.scan(family, range)) entries.push(entry);
  return entries;
}
