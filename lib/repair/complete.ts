/**
 * Up to where history has all that its timeline tells of, when it is not known what a lost log held. Guarantee: up to there
 * every record has its time, every change of a name its entry, every change of an object its state, and every write its bytes, unless they were taken out.
 */
import { statesIn } from '../history/attributes.js';
import { decodeBlock } from '../history/blocks.js';
import { decodeChanges } from '../history/changes.js';
import { blockKey, cutKey, getU64, nameKey, nodeKey, seqInKey, under } from '../history/keys.js';
import type { Retention } from '../history/retained.js';
import { removalOf } from '../history/removed.js';
import { union, within } from '../history/retained.js';
import type { Rocks } from '../history/rocks.js';
import type { Change, Seq } from '../history/types.js';
import { BLOCK_BYTES, decodeTimes, isUncaptured } from '../history/values.js';
import { Kind } from '../extractor/record.js';

/** Kinds of changes that leave a state of their object. */
const STATED: ReadonlySet<number> = new Set([Kind.Write, Kind.Truncate, Kind.Setattr, Kind.Create]);

export async function completeUpTo(rocks: Rocks, retention: Retention, watermark: Seq): Promise<Seq> {
  const last = await rocks.peek('times', {}, true);
  const timed = last === null ? 0 : getU64(last.key, 0) + decodeTimes(last.value).count - 1;
  const hidden = union(retention.merged, retention.due);
  let complete = Math.min(watermark, timed);
  for await (const { key, value } of rocks.scan('changes', {})) {
    for (const change of decodeChanges(key, value)) {
      if (change.seq !== change.record || change.seq > complete || within(hidden, change.seq) !== null) continue;
      if (!await hasEffect(rocks, change)) complete = change.seq - 1;
    }
  }
  return complete;
}

async function hasEffect(rocks: Rocks, { kind, seq, node, parent, name, parent2, name2, offset, length }: Change): Promise<boolean> {
  if (parent !== undefined && name !== undefined && !await isThere(rocks, nameKey(parent, name, seq))) return false;
  if (parent2 !== undefined && name2 !== undefined && !await isThere(rocks, nameKey(parent2, name2, seq))) return false;
  if (!STATED.has(kind)) return true;
  const run = await rocks.peek('nodes', { gte: nodeKey(node, seq), lt: under(node).lt });
  const state = run && statesIn(run.value, seqInKey(run.key)).find((one) => one.seq === seq);
  if (state == null) return false;
  if (kind !== Kind.Write || length === 0 || isUncaptured(state.value)) return true;
  if (await removalOf(rocks, node, seq) !== null) return true;
  for (let block = Math.floor(offset / BLOCK_BYTES); block * BLOCK_BYTES < offset + length; block++) if (!await isWritten(rocks, node, block, seq)) return false;
  return true;
}

async function isThere(rocks: Rocks, key: Buffer): Promise<boolean> {
  return await rocks.get('names', key) !== null;
}

/** Does a block have an entry, or the file a cut, of this instant? */
async function isWritten(rocks: Rocks, node: number, block: number, seq: Seq): Promise<boolean> {
  const entry = await rocks.peek('blocks', { gte: blockKey(node, block, seq), lte: blockKey(node, block, 0) });
  if (entry !== null && decodeBlock(entry.value, seqInKey(entry.key)).patches.some((patch) => patch.seq === seq)) return true;
  return await rocks.peek('cuts', { gte: cutKey(node, seq, 0), lte: cutKey(node, seq, Number.MAX_SAFE_INTEGER) }) !== null;
}
