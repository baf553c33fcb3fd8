/**
 * Merges what history holds of one object over a stretch. Guarantees: every instant but those within the stretch reads as
 * before; an object that came and went within it vanishes; doing it again changes nothing. What is newer than the stretch
 * is not touched, so that the extractor may go on meanwhile.
 */
import { encodeFull, packPatches, type Patch } from '../history/blocks.js';
import type { Family } from '../history/families.js';
import type { History } from '../history/history.js';
import { blockKey, cutKey, getU64, nameBounds, nameInKey, nameKey, nodeKey, seqInKey, u64Key, under } from '../history/keys.js';
import { Packer } from '../history/packing.js';
import type { Stretch } from '../history/retained.js';
import type { Entry, Range } from '../history/rocks.js';
import { ROOT, type NodeId, type Seq, type Slot } from '../history/types.js';
import { statesIn } from '../history/attributes.js';
import { hashOf } from '../history/hash.js';
import { CONTENT_HEAD, INLINE_BYTES } from '../history/values.js';
import { thinBlock, thinCuts, thinPlain, thinStates, type Edit, type Merged } from './entries.js';

/** Where edits go. Those between two `room` take effect together. */
export interface Sink {
  put(family: Family, key: Buffer, value: Buffer): void;
  delete(family: Family, key: Buffer): void;
  /** Stores bytes as content and answers their id. */
  content(bytes: Buffer): number;
  /** What has gathered may be committed here: it is right by itself. */
  room(): Promise<void>;
}

/** Everything of an object over a stretch, its names in their directories too. Answers whether it is gone altogether. */
export async function mergeObject(history: History, node: NodeId, stretch: Stretch, sink: Sink): Promise<boolean> {
  const links = await scanned(history, 'links', under(node));
  const places = groups(links);
  for (const slot of places.map(([first]) => slotOf(first!.key))) await mergeName(history, slot, stretch, sink);
  if (node !== ROOT && places.length > 0 && await livedWithin(history, node, links, stretch)) {
    await removeObject(history, node, sink);
    return true;
  }
  for (const entries of places) apply(sink, 'links', thinPlain(entries, stretch));
  apply(sink, 'nodes', thinStates(node, await downTo(history, 'nodes', { gte: nodeKey(node, stretch.to), lt: u64Key(node + 1) }, stretch.from), stretch));
  for (const entries of groups(await scanned(history, 'xattrs', under(node)))) apply(sink, 'xattrs', thinPlain(entries, stretch));
  // What of it is not captured may still come, dated to the mount that found it: blocks without it would be wrong then.
  if ((await history.attr(node, stretch.to))?.uncaptured !== true) await mergeContent(history, node, stretch, sink);
  return false;
}

/** What a name of a directory led to. */
export async function mergeName(history: History, { parent, name }: Slot, stretch: Stretch, sink: Sink): Promise<void> {
  const range = { gte: nameKey(parent, name, stretch.to), lt: nameBounds(parent, name).lt };
  apply(sink, 'names', thinPlain(await downTo(history, 'names', range, stretch.from), stretch));
}

/** What its blocks hold. */
export async function mergeContent(history: History, node: NodeId, stretch: Stretch, sink: Sink): Promise<void> {
  // Blocks first: what they hold at the end is read with the cuts as they are.
  for await (const entries of blocksOf(history, node)) {
    const edit = thinBlock(entries, stretch);
    apply(sink, 'blocks', edit);
    if (edit.merged !== null) await putMerged(history, node, getU64(entries[0]!.key, 8), edit.merged, stretch.to, sink);
    await sink.room();
  }
  apply(sink, 'cuts', thinCuts(await scanned(history, 'cuts', { gte: cutKey(node, stretch.to, 0), lt: cutKey(node, stretch.from, 0) }), stretch));
}

async function putMerged(history: History, node: NodeId, block: number, { seq, full, spans, depth, chainBytes }: Merged, at: Seq, sink: Sink): Promise<void> {
  const bytes = await history.readBlock(node, block, at);
  const key = blockKey(node, block, seq);
  if (full) {
    let length = bytes.length;
    while (length > 0 && bytes[length - 1] === 0) length--;
    sink.put('blocks', key, encodeFull(stored(seq, bytes, 0, length, sink)));
    return;
  }
  const packer = new Packer();
  packPatches(packer, depth, chainBytes, spans.map(({ offset, end }) => stored(seq, bytes, offset, end, sink)));
  sink.put('blocks', key, Buffer.from(packer.packed()));
}

function stored(seq: Seq, bytes: Buffer, offset: number, end: number, sink: Sink): Patch {
  const part = bytes.subarray(offset, end);
  const zero = part.every((byte) => byte === 0);
  const patch: Patch = { seq, offset, length: end - offset, zero, content: 0, bytes, at: offset };
  if (zero || part.length <= INLINE_BYTES) return patch;
  return { ...patch, content: sink.content(part), at: 0 };
}

/** A `content` value of these bytes, as they are, and its key in `hashes`. */
export function contentValue(bytes: Buffer): { value: Buffer; hash: Buffer } {
  const value = Buffer.allocUnsafe(CONTENT_HEAD + bytes.length);
  value[0] = 0;
  value.writeBigUInt64BE(hashOf(bytes), 1);
  bytes.copy(value, CONTENT_HEAD);
  return { value, hash: value.subarray(1, CONTENT_HEAD) };
}

/** Was it born in the stretch, and led no name to it any more at its end, nor ever again? (A file without any name may still get one.) */
async function livedWithin(history: History, node: NodeId, links: readonly Entry[], stretch: Stretch): Promise<boolean> {
  if (links.some(({ key }) => seqInKey(key) > stretch.to)) return false;
  if (groups(links).some(([newest]) => newest!.value.length > 0)) return false;
  const newest = await history.rocks.peek('nodes', under(node));
  const oldest = await history.rocks.peek('nodes', under(node), true);
  return newest !== null && oldest !== null && seqInKey(oldest.key) > stretch.from && statesIn(newest.value, seqInKey(newest.key)).at(-1)!.seq <= stretch.to;
}

/** By links and states an object is told to have vanished: they go last, and together. */
const BEFORE: readonly Family[] = ['blocks', 'cuts', 'xattrs', 'names'];
const LAST: readonly Family[] = ['links', 'nodes'];

/** Every state that history holds of an object; for a directory also its names, for nothing is in it any more. */
async function removeObject(history: History, node: NodeId, sink: Sink): Promise<void> {
  for (const family of BEFORE) {
    for await (const { key } of history.rocks.scan(family, under(node), { values: false })) {
      sink.delete(family, key);
      await sink.room();
    }
  }
  for (const family of LAST) {
    for await (const { key } of history.rocks.scan(family, under(node), { values: false })) sink.delete(family, key);
  }
}

/** The blocks of a file one after the other, the entries of each newest first. */
export async function* blocksOf(history: History, node: NodeId): AsyncGenerator<Entry[]> {
  let entries: Entry[] = [];
  for await (const entry of history.rocks.scan('blocks', under(node))) {
    if (entries.length > 0 && getU64(entries[0]!.key, 8) !== getU64(entry.key, 8)) {
      yield entries;
      entries = [];
    }
    entries.push(entry);
  }
  if (entries.length > 0) yield entries;
}

const slotOf = (linkKey: Buffer): Slot => ({ parent: getU64(linkKey, 8), name: nameInKey(linkKey, 16) });

async function scanned(history: History, family: Family, range: Range): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of history.rocks.scan(family, range)) entries.push(entry);
  return entries;
}

/** Entries of one place from the newest down to the first that is not after `seq`. */
async function downTo(history: History, family: Family, range: Range, seq: Seq): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of history.rocks.scan(family, range, { capacity: 16 })) {
    entries.push(entry);
    if (seqInKey(entry.key) <= seq) break;
  }
  return entries;
}

/** The seq that a key ends with. */
const SEQ_BYTES = 8;

/** Entries in the order of their keys, by place: all of a key but its seq. */
function groups(entries: readonly Entry[]): Entry[][] {
  const all: Entry[][] = [];
  for (const entry of entries) {
    const last = all.at(-1)?.[0];
    const same = last !== undefined && last.key.length === entry.key.length && last.key.compare(entry.key, 0, entry.key.length - SEQ_BYTES, 0, entry.key.length - SEQ_BYTES) === 0;
    if (same) all.at(-1)!.push(entry);
    else all.push([entry]);
  }
  return all;
}

function apply(sink: Sink, family: Family, { deletes, puts }: Edit): void {
  for (const key of deletes) sink.delete(family, key);
  for (const { key, value } of puts) sink.put(family, key, value);
}

