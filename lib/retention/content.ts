/**
 * Merges what history holds of a file's content over a stretch, or drops it. Guarantees: every instant but those within the
 * stretch reads as before; what no longer reads as before is told to be gone, from the batch on that makes it so; doing it
 * again changes nothing.
 */
import { encodeFull, packPatches, type Patch } from '../history/blocks.js';
import type { History } from '../history/history.js';
import { blockKey, cutKey, getU64, under } from '../history/keys.js';
import { Packer } from '../history/packing.js';
import { BY_RETENTION, encodeRemoval, removalsOf, removedKey } from '../history/removed.js';
import type { Stretch } from '../history/retained.js';
import type { Entry } from '../history/rocks.js';
import type { NodeId, Seq } from '../history/types.js';
import { INLINE_BYTES, isDamage } from '../history/values.js';
import { dropBlock, dropCuts, LostInstants, thinBlock, thinCuts, type Merged } from './entries.js';
import { apply, scanned, type Sink } from './sink.js';

/** What its blocks hold. A block that cannot be read at the end stays as it is, and with it the cuts, on which that rests. */
export async function mergeContent(history: History, node: NodeId, stretch: Stretch, sink: Sink): Promise<void> {
  let whole = true;
  // Blocks first: what they hold at the end is read with the cuts as they are.
  for await (const entries of blocksOf(history, node)) {
    const edit = thinBlock(entries, stretch);
    const block = getU64(entries[0]!.key, 8);
    const bytes = edit.merged === null ? null : await bytesAt(history, node, block, stretch.to);
    if (edit.merged !== null && bytes === null) {
      whole = false;
      continue;
    }
    apply(sink, 'blocks', edit);
    if (edit.merged !== null) putMerged(node, block, edit.merged, bytes!, sink);
    await sink.room();
  }
  if (whole) apply(sink, 'cuts', thinCuts(await cutsIn(history, node, stretch), stretch));
}

/** null: what history holds of it is damaged. */
async function bytesAt(history: History, node: NodeId, block: number, at: Seq): Promise<Buffer | null> {
  try {
    return await history.readBlock(node, block, at);
  } catch (error) {
    if (isDamage(error)) return null;
    throw error;
  }
}

const cutsIn = (history: History, node: NodeId, { from, to }: Stretch): Promise<Entry[]> => scanned(history, 'cuts', { gte: cutKey(node, to, 0), lt: cutKey(node, from, 0) });

/**
 * Gives up content of a file at instants within a stretch, and says so in the same batch, first of all. `gone`: nobody has
 * it at the end; then nothing of the stretch stays. Answers whether anything went.
 */
export async function giveUpContent(history: History, node: NodeId, stretch: Stretch, gone: boolean, sink: Sink): Promise<boolean> {
  const lost = new LostInstants(stretch, gone);
  for await (const entries of blocksOf(history, node)) lost.block(entries);
  const cuts = await cutsIn(history, node, stretch);
  lost.cuts(cuts);
  const range = lost.range();
  if (range === null) return false;
  await tellRemoved(history, node, range, stretch, sink);
  if (!gone) {
    await mergeContent(history, node, stretch, sink);
    return true;
  }
  for await (const entries of blocksOf(history, node)) {
    apply(sink, 'blocks', dropBlock(entries, stretch));
    await sink.room();
  }
  apply(sink, 'cuts', dropCuts(cuts, stretch));
  return true;
}

/** One removal for all that touch each other; what was purged stays said as such. */
async function tellRemoved(history: History, node: NodeId, range: { from: Seq; to: Seq }, stretch: Stretch, sink: Sink): Promise<void> {
  const known = await removalsOf(history.rocks, node);
  const purgedTo = Math.max(0, ...known.filter(({ thinned }) => thinned === undefined).map(({ to }) => to));
  let [removal, around] = [{ ...range }, { from: stretch.from, to: stretch.to }];
  for (const { from, to, thinned } of known) {
    if (thinned === undefined || from > removal.to + 1 || to < removal.from - 1) continue;
    removal = { from: Math.min(from, removal.from), to: Math.max(to, removal.to) };
    around = { from: Math.min(thinned.from, around.from), to: Math.max(thinned.to, around.to) };
    sink.delete('removed', removedKey(node, to));
  }
  removal.from = Math.max(removal.from, purgedTo + 1);
  if (removal.from > removal.to) return;
  sink.put('removed', removedKey(node, removal.to), encodeRemoval({ ...removal, timeNs: BigInt(Date.now()) * 1_000_000n, by: BY_RETENTION, note: '', thinned: around }));
}

function putMerged(node: NodeId, block: number, { seq, full, spans, depth, chainBytes }: Merged, bytes: Buffer, sink: Sink): void {
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
