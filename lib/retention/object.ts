/**
 * Merges what history holds of one object over a stretch. Guarantees: every instant but those within the stretch reads as
 * before; an object that came and went within it vanishes; doing it again changes nothing. What is newer than the stretch
 * is not touched, so that the extractor may go on meanwhile.
 */
import type { Family } from '../history/families.js';
import type { History } from '../history/history.js';
import { getU64, nameBounds, nameInKey, nameKey, nodeKey, seqInKey, u64Key, under } from '../history/keys.js';
import type { Stretch } from '../history/retained.js';
import type { Entry, Range } from '../history/rocks.js';
import { ROOT, type NodeId, type Seq, type Slot } from '../history/types.js';
import { statesIn } from '../history/attributes.js';
import { mergeContent } from './content.js';
import { thinPlain, thinStates } from './entries.js';
import { apply, scanned, type Sink } from './sink.js';

/** Everything of an object over a stretch, its names in their directories too. Answers whether it is gone altogether. */
export async function mergeObject(history: History, node: NodeId, stretch: Stretch, sink: Sink): Promise<boolean> {
  const links = await scanned(history, 'links', under(node));
  // An earlier stretch has taken all of it.
  if (links.length === 0 && await history.rocks.peek('nodes', under(node)) === null) return true;
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
  if (await history.isWhole(node, stretch.to)) await mergeContent(history, node, stretch, sink);
  return false;
}

/** What a name of a directory led to. */
export async function mergeName(history: History, { parent, name }: Slot, stretch: Stretch, sink: Sink): Promise<void> {
  const range = { gte: nameKey(parent, name, stretch.to), lt: nameBounds(parent, name).lt };
  apply(sink, 'names', thinPlain(await downTo(history, 'names', range, stretch.from), stretch));
}

/** Was it born in the stretch, and gone at its end? */
async function livedWithin(history: History, node: NodeId, links: readonly Entry[], stretch: Stretch): Promise<boolean> {
  if (!await isGone(history, node, links, stretch.to)) return false;
  const oldest = await history.rocks.peek('nodes', under(node), true);
  return oldest !== null && seqInKey(oldest.key) > stretch.from;
}

/** Did no name lead to an object any more, nor ever again, and did nothing change it since? (A file without any name may still get one.) */
async function isGone(history: History, node: NodeId, links: readonly Entry[], to: Seq): Promise<boolean> {
  if (links.length === 0 || links.some(({ key }) => seqInKey(key) > to)) return false;
  if (groups(links).some(([newest]) => newest!.value.length > 0)) return false;
  const newest = await history.rocks.peek('nodes', under(node));
  return newest !== null && statesIn(newest.value, seqInKey(newest.key)).at(-1)!.seq <= to;
}

/** The same of an object by itself. */
export const isGoneAt = async (history: History, node: NodeId, to: Seq): Promise<boolean> => isGone(history, node, await scanned(history, 'links', under(node)), to);

/** By links and states an object is told to have vanished: they go last, and together. */
const BEFORE: readonly Family[] = ['removed', 'blocks', 'cuts', 'xattrs', 'names'];
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

const slotOf = (linkKey: Buffer): Slot => ({ parent: getU64(linkKey, 8), name: nameInKey(linkKey, 16) });

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
