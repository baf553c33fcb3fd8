/**
 * Reads from history what a batch's fold will need, in as few trips as can be. Guarantees: after it, every inode number
 * of the batch that history knows is bound, every file that gets data has its size, every block that a patch may land
 * on has its head, and every base record finds what history held at the mount. A mount record is the first of its batch.
 * While the batch before is still being committed only what that cannot change is read: the rest waits for it, if there is
 * any; what such a batch concerns is in the caches of the fold, mostly all of it.
 */
import { blockKey, nameBounds, nameKey, nodeKey, seqInKey, u64Key, under } from '../history/keys.js';
import { newestAt, newestByName } from '../history/newest.js';
import type { History } from '../history/history.js';
import type { Rocks } from '../history/rocks.js';
import type { NodeId, Seq } from '../history/types.js';
import { attrSize, BLOCK_BYTES, decodeBinding, decodeBlock, decodeContent } from '../history/values.js';
import { isSameObject } from './fold-base.js';
import { HOT_BYTES, HOT_PATCHES } from './images.js';
import { Kind, sizeAt, type Record } from './record.js';
import { blockId, emptyLooked, nameId, type FoldState, type Link, type Looked } from './state.js';
import { piecesOf } from './pieces.js';

const BIRTHS: ReadonlySet<number> = new Set([Kind.Create, Kind.Mkdir, Kind.Symlink, Kind.Mknod, Kind.Tmpfile]);

/** Everything that folding these records needs; bindings and heads go into the state's caches. `before`: the commit under way. */
export async function prefetch(history: History, state: FoldState, records: Record[], before: Promise<void>): Promise<Looked> {
  const { rocks } = history;
  const looked = emptyLooked();
  for (const record of records) {
    if (record.payloadBytes > 0 && (record.kind === Kind.Write || record.kind === Kind.BaseData)) looked.pieces.set(record.seq, piecesOf(record));
  }
  await Promise.all([bindings(rocks, state, records, before), contents(rocks, looked)]);
  const mount = records[0]?.kind === Kind.Mount ? records[0].seq : state.meta.mount;
  const firstMount = state.meta.first === 0 || mount === state.meta.first;
  await Promise.all([
    sizes(rocks, state, records, before).then(() => heads(rocks, state, looked, records, before)).then(() => images(history, state, looked, records, before)),
    bases(history, state, looked, records, mount, firstMount, before),
  ]);
  return looked;
}

async function bindings(rocks: Rocks, state: FoldState, records: Record[], before: Promise<void>): Promise<void> {
  const missing = new Set<number>();
  const born = new Set<number>();
  for (const record of records) {
    if (BIRTHS.has(record.kind)) born.add(record.ino);
    for (const ino of [record.ino, record.parent, record.parent2, record.target]) {
      if (ino !== 0 && !born.has(ino) && state.bindings.get(ino) === undefined) missing.add(ino);
    }
  }
  const inos = [...missing];
  if (inos.length === 0) return;
  await before;
  const values = await rocks.getMany('inodes', inos.map(u64Key));
  values.forEach((value, i) => { if (value !== null) state.bindings.set(inos[i]!, { ...decodeBinding(value), size: -1 }); });
}

/** Content of the batch before need not be found here: the state knows it. */
async function contents(rocks: Rocks, looked: Looked): Promise<void> {
  const hashes = new Set<bigint>();
  for (const pieces of looked.pieces.values()) for (const piece of pieces) if (piece.hash !== undefined) hashes.add(piece.hash);
  const wanted = [...hashes];
  const ids = await rocks.getMany('hashes', wanted.map(hashKey));
  const hits = wanted.flatMap((hash, i) => (ids[i] === null ? [] : [{ hash, key: ids[i]! }]));
  const values = await rocks.getMany('content', hits.map((hit) => hit.key));
  hits.forEach(({ hash, key }, i) => {
    const value = values[i];
    if (value != null) looked.contents.set(hash, { id: Number(key.readBigUInt64BE(0)), bytes: decodeContent(value) });
  });
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
    if (BIRTHS.has(record.kind)) born.add(record.ino);
    if (!takesData(record) || born.has(record.ino)) continue;
    const bound = state.bindings.get(record.ino);
    if (bound !== undefined && bound.size < 0) wanted.set(record.ino, bound.node);
  }
  const inos = [...wanted];
  if (inos.length === 0) return;
  await before;
  const found = await newestAt(rocks, 'nodes', inos.map(([, node]) => ({ ...under(node), gte: u64Key(node) })));
  found.forEach((entry, i) => { if (entry !== null) state.bindings.get(inos[i]![0])!.size = attrSize(entry.value, 8); });
}

/** Newest entries of the blocks that a write or a small hole changes in part. */
async function heads(rocks: Rocks, state: FoldState, looked: Looked, records: Record[], before: Promise<void>): Promise<void> {
  const wanted = new Map<string, { node: NodeId; block: number }>();
  const met = new Set<string>();
  const sizeNow = new Map<number, number>();
  const born = new Set<number>();
  for (const record of records) {
    if (BIRTHS.has(record.kind)) born.add(record.ino);
    if (!takesData(record) || born.has(record.ino)) continue;
    const bound = state.bindings.get(record.ino);
    const size = sizeNow.get(record.ino) ?? bound?.size ?? 0;
    if (bound !== undefined) {
      for (const block of touched(record, looked)) {
        const id = blockId(bound.node, block);
        if (met.has(id)) continue;
        met.add(id);
        if ((size < 0 || block * BLOCK_BYTES < size) && state.heads.get(id) === undefined) wanted.set(id, { node: bound.node, block });
      }
    }
    if (record.attrAt !== 0) sizeNow.set(record.ino, sizeAt(record.raw, record.attrAt));
  }
  const blocks = [...wanted];
  if (blocks.length === 0) return;
  await before;
  const found = await newestAt(rocks, 'blocks', blocks.map(([, { node, block }]) => ({ gte: blockKey(node, block, Number.MAX_SAFE_INTEGER), lte: blockKey(node, block, 0) })));
  found.forEach((entry, i) => {
    const head = entry === null ? { depth: 0, chainBytes: 0 } : decodeBlock(entry.value);
    state.heads.set(blocks[i]![0], { seq: entry === null ? 0 : seqInKey(entry.key), depth: head.depth, chainBytes: head.chainBytes });
  });
}

/** The hot blocks of this batch, and their bytes where history has them. */
async function images(history: History, state: FoldState, looked: Looked, records: Record[], before: Promise<void>): Promise<void> {
  const counts = new Map<string, { ino: number; block: number; patches: number; bytes: number }>();
  for (const record of records) {
    for (const piece of record.kind === Kind.Write ? looked.pieces.get(record.seq) ?? [] : []) {
      const id = `${record.ino}/${piece.block}`;
      const count = counts.get(id) ?? { ino: record.ino, block: piece.block, patches: 0, bytes: 0 };
      counts.set(id, { ...count, patches: count.patches + 1, bytes: count.bytes + piece.length });
    }
  }
  const hot = [...counts].filter(([, { patches, bytes }]) => patches >= HOT_PATCHES || bytes >= HOT_BYTES);
  const places = hot.flatMap(([, { ino, block }]) => {
    const bound = state.bindings.get(ino);
    return bound === undefined || bound.size < 0 || block * BLOCK_BYTES >= bound.size ? [] : [{ id: blockId(bound.node, block), node: bound.node, block }];
  });
  state.images.begin(new Set(hot.map(([id]) => id)), new Set(places.map(({ id }) => id)));
  const unknown = places.filter(({ id }) => state.images.get(id) === undefined);
  if (unknown.length === 0) return;
  await before;
  await Promise.all(unknown.map(async ({ id, node, block }) => state.images.set(id, node, block, await history.readBlock(node, block, history.watermark()))));
}

/** Blocks that this record may lay a patch on. */
function touched(record: Record, looked: Looked): number[] {
  if (record.kind === Kind.Write) return (looked.pieces.get(record.seq) ?? []).map((piece) => piece.block);
  if (record.kind !== Kind.Fallocate || record.length === 0) return [];
  return [Math.floor(record.offset / BLOCK_BYTES), Math.floor((record.offset + record.length - 1) / BLOCK_BYTES)];
}

/** What history holds, at the mount, of the places that base records speak of. Inode numbers new to history have nothing. */
async function bases(history: History, state: FoldState, looked: Looked, records: Record[], mount: Seq, firstMount: boolean, before: Promise<void>): Promise<void> {
  const { rocks } = history;
  const nodes = new Map<NodeId, Record>();
  const replaced: NodeId[] = [];
  const names = new Map<string, { parent: NodeId; name: string }>();
  const blocks = new Map<string, { node: NodeId; block: number }>();
  for (const record of records) {
    const bound = state.bindings.get(record.ino);
    if (record.kind === Kind.BaseNode && bound !== undefined) {
      if (isSameObject(bound, record)) nodes.set(bound.node, record);
      else replaced.push(bound.node);
    }
    if (record.kind === Kind.BaseData && bound !== undefined) {
      for (const { block } of looked.pieces.get(record.seq) ?? []) blocks.set(blockId(bound.node, block), { node: bound.node, block });
    }
    if (record.kind === Kind.BaseName || record.kind === Kind.BaseAbsent) {
      const parent = state.bindings.get(record.parent)?.node;
      if (parent !== undefined) names.set(nameId(parent, record.name), { parent, name: record.name });
    }
  }
  if (nodes.size + names.size + blocks.size + replaced.length === 0) return;
  await before;
  await Promise.all([
    baseNodes(rocks, looked, [...nodes.keys()], mount, firstMount),
    baseNames(rocks, looked, [...names], mount, firstMount),
    baseBlocks(rocks, looked, [...blocks], mount),
    ...replaced.map(async (node) => {
      looked.links.set(node, await linksAt(history, node, mount));
      looked.entries.set(node, await history.list(node, mount));
    }),
  ]);
}

async function baseNodes(rocks: Rocks, looked: Looked, nodes: NodeId[], mount: Seq, firstMount: boolean): Promise<void> {
  const found = firstMount
    ? (await rocks.getMany('nodes', nodes.map((node) => nodeKey(node, mount)))).map((value) => (value === null ? null : { seq: mount, value }))
    : (await newestAt(rocks, 'nodes', nodes.map((node) => ({ gte: nodeKey(node, mount), lt: u64Key(node + 1) })))).map((entry) => (entry === null ? null : { seq: seqInKey(entry.key), value: entry.value }));
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

async function baseBlocks(rocks: Rocks, looked: Looked, blocks: [string, { node: NodeId; block: number }][], mount: Seq): Promise<void> {
  const found = await rocks.getMany('blocks', blocks.map(([, { node, block }]) => blockKey(node, block, mount)));
  blocks.forEach(([id], i) => { if (found[i] !== null) looked.blocks.add(id); });
}
