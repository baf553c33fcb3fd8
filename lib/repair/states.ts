/**
 * States of objects, mended. Guarantees: content that may not be what it was is not answered any more: its states say that
 * it was not captured, all others stay; an object that is named and has no state gets one that gives nobody anything.
 */
import { statesIn } from '../history/attributes.js';
import { encodeStates } from '../retention/entries.js';
import { getU64, nodeKey, seqInKey, under } from '../history/keys.js';
import type { Entry, Range, Rocks } from '../history/rocks.js';
import { ROOT, type NodeId, type Seq } from '../history/types.js';
import { decodeAttr, NODE_BYTES } from '../history/values.js';
import { Bulk } from './bulk.js';
import type { Loss } from './losses.js';

/** Content of an object that is lost, from an instant on and before another (null: to this day). */
export interface LostContent { node: NodeId; from: Seq; to: Seq | null; why: string }

interface State { seq: Seq; value: Buffer }

const MOST_STATES = 64;
const S_IFMT = 0o170000;
const FILE = 0o100000;
const SYMLINK = 0o120000;
const DIRECTORY = 0o040000;

/** States within these stretches are marked. Answers which of the stretches had content. */
export async function withoutContent(rocks: Rocks, lost: readonly LostContent[]): Promise<LostContent[]> {
  const byNode = new Map<NodeId, LostContent[]>();
  for (const one of lost) byNode.set(one.node, [...byNode.get(one.node) ?? [], one]);
  const bulk = new Bulk(rocks);
  const told: LostContent[] = [];
  for (const [node, stretches] of byNode) {
    const entries: Entry[] = [];
    for await (const entry of rocks.scan('nodes', under(node))) entries.push(entry);
    const states = entries.flatMap(({ key, value }) => statesIn(value, seqInKey(key))).sort((a, b) => a.seq - b.seq);
    const hit = new Set<LostContent>();
    const marked = states.map((state, i): State => {
      const until = states[i + 1]?.seq ?? Infinity;
      const own = stretches.filter(({ from, to }) => from < until && (to ?? Infinity) > state.seq);
      if (own.length === 0 || !hasContent(state.value)) return state;
      own.forEach((one) => hit.add(one));
      return { seq: state.seq, value: Buffer.concat([state.value.subarray(0, NODE_BYTES), Buffer.from([1])]) };
    });
    if (hit.size === 0) continue;
    told.push(...hit);
    for (const { key } of entries) await bulk.delete('nodes', key);
    for (const run of runsOf(marked)) await bulk.put('nodes', nodeKey(node, run[0]!.seq), encodeStates(run));
  }
  await bulk.end();
  return told;
}

function hasContent(value: Buffer): boolean {
  const { mode, size, uncaptured } = decodeAttr(value);
  return size > 0 && uncaptured !== true && [FILE, SYMLINK].includes(mode & S_IFMT);
}

/** States that one entry can hold: of one inode number, all captured or none. */
function runsOf(states: readonly State[]): State[][] {
  const runs: State[][] = [];
  for (const state of states) {
    const run = runs.at(-1);
    const fits = run !== undefined && run.length < MOST_STATES && run[0]!.value.length === state.value.length && run[0]!.value.subarray(0, 8).equals(state.value.subarray(0, 8));
    if (fits) run.push(state);
    else runs.push([state]);
  }
  return runs;
}

/** Objects of which something of this kind may be lost, each with the loss. */
export async function objectsOf(rocks: Rocks, losses: readonly Loss[]): Promise<LostContent[]> {
  const lost = new Map<NodeId, LostContent>();
  for (const { from, to, why, since } of losses) {
    for await (const { key } of rocks.scan('nodes', ofObjects({ from, to }), { values: false })) {
      const node = getU64(key, 0);
      const known = lost.get(node);
      if (known === undefined || known.from > since) lost.set(node, { node, from: since, to: null, why });
    }
  }
  return [...lost.values()];
}

/** The keys of all objects that a range of keys begins with. */
function ofObjects({ from, to }: Pick<Loss, 'from' | 'to'>): Range {
  const range: Range = {};
  if (from !== null && from.length >= 8) range.gte = from.subarray(0, 8);
  if (to !== null && to.length >= 8) range.lt = under(getU64(to, 0)).lt;
  return range;
}

/** Runs of states that reach behind the next one's beginning, one after another again; and what is not certain any more. */
export async function straighten(rocks: Rocks, nodes: readonly NodeId[]): Promise<LostContent[]> {
  const bulk = new Bulk(rocks);
  for (const node of new Set(nodes)) {
    const bySeq = new Map<Seq, Buffer>();
    for await (const { key, value } of rocks.scan('nodes', under(node))) {
      // The newest run comes first, and counts.
      for (const state of statesIn(value, seqInKey(key))) if (!bySeq.has(state.seq)) bySeq.set(state.seq, state.value);
      await bulk.delete('nodes', key);
    }
    const states = [...bySeq].map(([seq, value]) => ({ seq, value })).sort((a, b) => a.seq - b.seq);
    for (const run of runsOf(states)) await bulk.put('nodes', nodeKey(node, run[0]!.seq), encodeStates(run));
  }
  await bulk.end();
  return nodes.map((node) => ({ node, from: 0, to: null, why: 'its states were not in order' }));
}

/** Objects that have a name before their first state, as far as states are lost, each get one; the root from `first` on. Answers which. */
export async function standIns(rocks: Rocks, losses: readonly Loss[], first: Seq): Promise<LostContent[]> {
  // The root has no name.
  const since = new Map<NodeId, Seq>(losses.length > 0 ? [[ROOT, first]] : []);
  for (const loss of losses) {
    for await (const { key, value } of rocks.scan('links', ofObjects(loss))) {
      if (value.length > 0) since.set(getU64(key, 0), Math.min(since.get(getU64(key, 0)) ?? Infinity, seqInKey(key)));
    }
  }
  const bulk = new Bulk(rocks);
  const made: LostContent[] = [];
  for (const [node, seq] of since) {
    if (await rocks.peek('nodes', { gte: nodeKey(node, seq), lt: under(node).lt }) !== null) continue;
    const later = await rocks.peek('nodes', { gte: under(node).gte, lt: nodeKey(node, seq) }, true);
    await bulk.put('nodes', nodeKey(node, seq), standIn(node === ROOT || await rocks.peek('names', under(node)) !== null));
    made.push({ node, from: seq, to: later === null ? null : seqInKey(later.key), why: 'its attributes are lost: it stands there for root only' });
  }
  await bulk.end();
  return made;
}

/** A state for root only, and without content. */
function standIn(isDirectory: boolean): Buffer {
  const value = Buffer.alloc(NODE_BYTES + 1);
  value.writeUInt32LE(isDirectory ? DIRECTORY | 0o700 : FILE | 0o600, 8);
  value.writeUInt32LE(isDirectory ? 2 : 1, 20);
  value.writeUInt32LE(isDirectory ? 0 : 1, 24);
  value[NODE_BYTES] = 1;
  return isDirectory ? value.subarray(0, NODE_BYTES) : value;
}
