/**
 * Reads from history what a batch's fold will need, in as few trips as can be. Guarantees: after it, every inode number
 * of the batch that history knows is bound, every file that gets data has its size, every block that a patch may land
 * on has its head, and every base record finds what history held at the mount. A mount record is the first of its batch.
 * While the batch before is still being committed only what that cannot change is read: the rest waits for it, if there is
 * any; what such a batch concerns is in the caches of the fold, mostly all of it.
 */
import { firstState, lastState, stateAt } from '../history/attributes.js';
import { decodeBlock } from '../history/blocks.js';
import { blockKey, getU64, nameBounds, nameKey, nodeKey, seqInKey, u64Key, under } from '../history/keys.js';
import { newestAt, newestByName } from '../history/newest.js';
import type { Contents } from '../history/contents.js';
import type { History } from '../history/history.js';
import type { Entry, Rocks } from '../history/rocks.js';
import type { NodeId, Seq } from '../history/types.js';
import { attrSize, BLOCK_BYTES, decodeBinding, INLINE_BYTES } from '../history/values.js';
import { isSameObject } from './fold-base.js';
import { endOfZeroes } from './fold-data.js';
import { blockId, dated, nameId, type BlockId } from './ids.js';
import { HOT_BYTES, HOT_PATCHES } from './images.js';
import { piecesOf } from './pieces.js';
import { Flag, Kind, sizeAt, type Record } from './record.js';
import { emptyLooked, type FoldState, type Head, type Link, type Looked } from './state.js';
import { unlessUnreadable } from './unreadable.js';

/** Everything that folding these records needs; bindings and heads go into the state's caches. `before`: the commit under way. */
export async function prefetch(history: History, state: FoldState, records: Record[], before: Promise<void>): Promise<Looked> {
  const { rocks } = history;
  const looked = emptyLooked();
  for (const record of records) {
    if (record.payloadBytes > 0 && (record.kind === Kind.Write || record.kind === Kind.BaseData)) record.pieces = piecesOf(record);
  }
  await Promise.all([bindings(rocks, state, records, before), contents(history, state, records)]);
  const mount = records[0]?.kind === Kind.Mount ? records[0].seq : state.meta.mount;
  const firstMount = state.meta.first === 0 || mount === state.meta.first;
  await Promise.all([
    sizes(rocks, state, records, before).then(() => heads(rocks, state, records, before)).then(() => images(history, state, records, before)),
    bases(history, state, looked, records, mount, firstMount, before),
  ]);
  return looked;
}

const isBirth = ({ kind }: Record): boolean => kind >= Kind.Create && kind <= Kind.Tmpfile;

async function bindings(rocks: Rocks, state: FoldState, records: Record[], before: Promise<void>): Promise<void> {
  const missing = new Set<number>();
  const born = new Set<number>();
  const look = (ino: number): void => {
    if (ino !== 0 && state.bindings.get(ino) === undefined && !born.has(ino)) missing.add(ino);
  };
  for (const record of records) {
    if (isBirth(record)) born.add(record.ino);
    look(record.ino);
    look(record.parent);
    look(record.parent2);
    look(record.target);
  }
  const inos = [...missing];
  if (inos.length === 0) return;
  await before;
  const values = await rocks.getMany('inodes', inos.map(u64Key));
  values.forEach((value, i) => { if (value !== null) state.bindings.set(inos[i]!, { ...decodeBinding(value), size: -1 }); });
}

/** Content that may be there already; that of the batch before is known. What is cold, or damaged, is stored anew: nothing here waits for slow media. */
async function contents({ rocks, contents: stored }: History, state: FoldState, records: Record[]): Promise<void> {
  const hashes = new Set<bigint>();
  for (const { pieces } of records) for (const { hash } of pieces) if (hash !== null && state.contents.get(hash) === undefined) hashes.add(hash);
  const wanted = [...hashes];
  const ids = await rocks.getMany('hashes', wanted.map(hashKey));
  const hits = wanted.flatMap((hash, i) => (ids[i] === null ? [] : [{ hash, id: getU64(ids[i]!, 0) }]));
  const found = await readable(stored, hits.map(({ id }) => id), state.damaged);
  for (const { hash, id } of hits) {
    const bytes = found.get(id);
    if (bytes !== undefined) state.contents.set(hash, { id, bytes }, bytes.length);
  }
}

async function readable(stored: Contents, ids: readonly number[], damaged: FoldState['damaged']): Promise<Map<number, Buffer>> {
  const all = await unlessUnreadable(stored.hot(ids), damaged);
  if (all !== null) return all;
  const each = await Promise.all(ids.map((id) => unlessUnreadable(stored.hot([id]), damaged)));
  return new Map(each.flatMap((found) => [...found ?? []]));
}

function hashKey(hash: bigint): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeBigUInt64BE(hash, 0);
  return key;
}

const takesData = (record: Record): boolean => record.kind === Kind.Write || record.kind === Kind.Truncate || record.kind === Kind.Fallocate;

/** Sizes, before this batch, of the files that it changes. */
async function sizes(rocks: Rocks, state: FoldState, records: Record[], before: Promise<void>): Promise<void> {
  const wanted = new Map<number, NodeId>();
  const born = new Set<number>();
  for (const record of records) {
    if (isBirth(record)) born.add(record.ino);
    if (!takesData(record) || born.has(record.ino)) continue;
    const bound = state.bindings.get(record.ino);
    if (bound !== undefined && bound.size < 0) wanted.set(record.ino, bound.node);
  }
  const inos = [...wanted];
  if (inos.length === 0) return;
  await before;
  const found = await newestAt(rocks, 'nodes', inos.map(([, node]) => ({ ...under(node), gte: u64Key(node) })));
  found.forEach((entry, i) => { if (entry !== null) state.bindings.get(inos[i]![0])!.size = attrSize(lastState(entry.value, seqInKey(entry.key)), 8); });
}

/** Newest entries of the blocks that a write or a small hole changes in part. */
async function heads(rocks: Rocks, state: FoldState, records: Record[], before: Promise<void>): Promise<void> {
  const wanted = new Map<BlockId, { node: NodeId; block: number }>();
  const met = new Set<BlockId>();
  const sizeNow = new Map<number, number>();
  const born = new Set<number>();
  for (const record of records) {
    if (isBirth(record)) born.add(record.ino);
    if (!takesData(record) || born.has(record.ino)) continue;
    const bound = state.bindings.get(record.ino);
    const size = sizeNow.get(record.ino) ?? bound?.size ?? -1;
    const look = (block: number): void => {
      const id = blockId(bound!.node, block);
      if (met.has(id)) return;
      met.add(id);
      if ((size < 0 || block * BLOCK_BYTES < size) && state.heads.get(id) === undefined) wanted.set(id, { node: bound!.node, block });
    };
    if (bound !== undefined) {
      for (const { block } of record.pieces) look(block);
      const end = record.kind === Kind.Fallocate ? endOfZeroes(record.offset + record.length, size) : 0;
      if (end > record.offset) {
        look(Math.floor(record.offset / BLOCK_BYTES));
        look(Math.floor((end - 1) / BLOCK_BYTES));
      }
    }
    if (record.attrAt !== 0) sizeNow.set(record.ino, sizeAt(record.raw, record.attrAt));
  }
  const blocks = [...wanted];
  if (blocks.length === 0) return;
  await before;
  const found = await newestAt(rocks, 'blocks', blocks.map(([, { node, block }]) => ({ gte: blockKey(node, block, Number.MAX_SAFE_INTEGER), lte: blockKey(node, block, 0) })));
  found.forEach((entry, i) => { state.heads.set(blocks[i]![0], headOf(entry)); });
}

function headOf(entry: Entry | null): Head {
  if (entry === null) return { seq: 0, depth: 0, chainBytes: 0, run: null };
  const { depth, chainBytes, patches } = decodeBlock(entry.value, seqInKey(entry.key));
  return { seq: patches.at(-1)!.seq, depth, chainBytes, run: null };
}

/** The hot blocks of this batch, and their bytes where history has them. */
async function images(history: History, state: FoldState, records: Record[], before: Promise<void>): Promise<void> {
  const hot = hotBlocks(records);
  const places = [...hot.values()].flatMap(({ ino, block }) => {
    const bound = state.bindings.get(ino);
    return bound === undefined || bound.size < 0 || block * BLOCK_BYTES >= bound.size ? [] : [{ id: blockId(bound.node, block), node: bound.node, block }];
  });
  state.images.begin(new Set(hot.keys()), new Set(places.map(({ id }) => id)));
  const unknown = places.filter(({ id }) => state.images.get(id) === undefined);
  if (unknown.length === 0) return;
  await before;
  await Promise.all(unknown.map(async ({ id, node, block }) => {
    const bytes = await unlessUnreadable(history.readBlock(node, block, history.watermark()), state.damaged);
    if (bytes !== null) state.images.set(id, node, block, bytes);
  }));
}

interface Heat { ino: number; block: number; patches: number; bytes: number }

/** By `blockId` of inode number and block. */
function hotBlocks(records: Record[]): Map<BlockId, Heat> {
  const heats = new Map<BlockId, Heat>();
  for (const { kind, ino, pieces } of records) {
    if (kind !== Kind.Write) continue;
    for (const { block, length } of pieces) {
      const id = blockId(ino, block);
      let heat = heats.get(id);
      if (heat === undefined) heats.set(id, heat = { ino, block, patches: 0, bytes: 0 });
      if (length > INLINE_BYTES) heat.patches++;
      heat.bytes += length;
    }
  }
  for (const [id, { patches, bytes }] of heats) if (patches < HOT_PATCHES && bytes < HOT_BYTES) heats.delete(id);
  return heats;
}

/** What history holds, at the mount, of the places that base records speak of. Inode numbers new to history have nothing. */
async function bases(history: History, state: FoldState, looked: Looked, records: Record[], mount: Seq, firstMount: boolean, before: Promise<void>): Promise<void> {
  const { rocks } = history;
  const nodes = new Map<NodeId, Record>();
  const replaced: NodeId[] = [];
  const names = new Map<string, { parent: NodeId; name: string }>();
  const blocks = new Map<string, { node: NodeId; block: number; mount: Seq }>();
  const earlier = new Map<NodeId, Seq>();
  const complete = new Map<NodeId, Seq>();
  for (const record of records) {
    const bound = state.bindings.get(record.ino);
    if (record.kind === Kind.BaseNode && bound !== undefined) {
      if (isSameObject(bound, record)) nodes.set(bound.node, record);
      else replaced.push(bound.node);
    }
    if (record.kind === Kind.BaseData && bound !== undefined) {
      // Of an earlier mount, unless a record of this one says that the file is another now.
      const since = bound.pending?.since ?? mount;
      for (const { block } of record.pieces) {
        for (const at of new Set([since, mount])) blocks.set(dated(at, blockId(bound.node, block)), { node: bound.node, block, mount: at });
      }
      if (since !== mount) earlier.set(bound.node, since);
      if (bound.pending && record.flags & Flag.Captured) complete.set(bound.node, since);
    }
    if (record.kind === Kind.BaseName || record.kind === Kind.BaseAbsent) {
      const parent = state.bindings.get(record.parent)?.node;
      if (parent !== undefined) names.set(nameId(parent, record.name), { parent, name: record.name });
    }
  }
  if (nodes.size + names.size + blocks.size + earlier.size + complete.size + replaced.length === 0) return;
  await before;
  await Promise.all([
    baseNodes(rocks, looked, [...nodes.keys()], mount, firstMount),
    baseNames(rocks, looked, [...names], mount, firstMount),
    baseBlocks(rocks, looked, [...blocks]),
    sizesAt(rocks, looked, [...earlier]),
    ...[...complete].map(async ([node, since]) => looked.waiting.set(node, await waitingStates(rocks, node, since))),
    ...replaced.map(async (node) => {
      looked.links.set(node, await linksAt(history, node, mount));
      looked.entries.set(node, await history.list(node, mount));
    }),
  ]);
}

async function baseNodes(rocks: Rocks, looked: Looked, nodes: NodeId[], mount: Seq, firstMount: boolean): Promise<void> {
  const found = firstMount
    ? (await rocks.getMany('nodes', nodes.map((node) => nodeKey(node, mount)))).map((value) => (value === null ? null : { seq: mount, value: firstState(value) }))
    : (await newestAt(rocks, 'nodes', nodes.map((node) => ({ gte: nodeKey(node, mount), lt: u64Key(node + 1) })))).map((entry) => (entry === null ? null : { seq: seqInKey(entry.key), value: stateAt(entry.value, seqInKey(entry.key), mount) }));
  const xattrs = firstMount ? [] : await Promise.all(nodes.map((node) => newestByName(rocks, 'xattrs', node, mount)));
  nodes.forEach((node, i) => {
    const values = new Map<string, Buffer>();
    for (const { name, value } of xattrs[i] ?? []) values.set(name, value.subarray(1));
    looked.nodes.set(node, { atMount: found[i]?.seq === mount, value: found[i]?.value ?? null, xattrs: values });
  });
}

async function baseNames(rocks: Rocks, looked: Looked, names: [string, { parent: NodeId; name: string }][], mount: Seq, firstMount: boolean): Promise<void> {
  const found = firstMount
    ? (await rocks.getMany('names', names.map(([, { parent, name }]) => nameKey(parent, name, mount)))).map((value) => (value === null ? null : { seq: mount, value }))
    : (await newestAt(rocks, 'names', names.map(([, { parent, name }]) => ({ gte: nameKey(parent, name, mount), lt: nameBounds(parent, name).lt })))).map((entry) => (entry === null ? null : { seq: seqInKey(entry.key), value: entry.value }));
  names.forEach(([id], i) => {
    const entry = found[i];
    if (entry != null) looked.names.set(id, { atMount: entry.seq === mount && entry.value.length !== 9, node: entry.value.length === 0 ? null : Number(entry.value.readBigUInt64BE(0)) });
  });
}

/** Names of a node at the mount, and which of them a base-name record of this session has stated. */
async function linksAt(history: History, node: NodeId, mount: Seq): Promise<Link[]> {
  const links = await history.linksOf(node, mount);
  const entries = await Promise.all(links.map(({ parent, name }) => history.lookup(parent, name, mount)));
  return links.map((link, i) => ({ ...link, stated: entries[i]?.since === mount }));
}

async function baseBlocks(rocks: Rocks, looked: Looked, blocks: [string, { node: NodeId; block: number; mount: Seq }][]): Promise<void> {
  const found = await rocks.getMany('blocks', blocks.map(([, { node, block, mount }]) => blockKey(node, block, mount)));
  blocks.forEach(([id], i) => { if (found[i] !== null) looked.blocks.add(id); });
}

async function sizesAt(rocks: Rocks, looked: Looked, files: [NodeId, Seq][]): Promise<void> {
  const found = await newestAt(rocks, 'nodes', files.map(([node, seq]) => ({ gte: nodeKey(node, seq), lt: u64Key(node + 1) })));
  found.forEach((entry, i) => { if (entry !== null) looked.sizes.set(files[i]![0], attrSize(stateAt(entry.value, seqInKey(entry.key), files[i]![1]), 8)); });
}

/** The states of a file that wait for its content, from the mount on that it is of. */
async function waitingStates(rocks: Rocks, node: NodeId, since: Seq): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of rocks.scan('nodes', { gte: u64Key(node), lte: nodeKey(node, since) })) entries.push(entry);
  return entries;
}
