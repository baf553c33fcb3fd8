/**
 * Base records: what was there at this session's mount. Guarantees: their state is dated to the mount's seq, so that
 * records which came before them in the journal but after the mount stay in force; the oldest original of a name, a node
 * or a block wins; at a first mount they are the initial state and no changes; flagged `unmounted` they are changes of the
 * timeline, and the session has one gap for them (invariant I10).
 */
import { RewindError } from '../errors.js';
import { blockKey, nameKey } from '../history/keys.js';
import { ROOT, type Change, type NodeId } from '../history/types.js';
import { attrSize, BLOCK_BYTES, encodeBlock, TOMBSTONE } from '../history/values.js';
import { linkOff, nameOff, nameOn, noteChange, noteGap } from './emit.js';
import { cut, dataOf, foldLinkTarget, NO_END } from './fold-data.js';
import { btimeAt, decodeBaseNode, Flag, Kind, sizeAt, typeAt, type Record } from './record.js';
import { blockId, nameId, type Bound, type FoldState } from './state.js';

export function foldBase(state: FoldState, record: Record): void {
  if (record.flags & Flag.Unmounted) noteUnmounted(state, record);
  switch (record.kind) {
    case Kind.BaseNode: foldBaseNode(state, record); break;
    case Kind.BaseName: foldBaseName(state, record); break;
    case Kind.BaseAbsent: foldBaseAbsent(state, record); break;
    default: foldBaseData(state, record);
  }
}

/** Is the object that a base-node record describes the one that the inode number stands for? */
export function isSameObject(bound: Bound, record: Record): boolean {
  if (bound.node === ROOT) return true;
  const btime = btimeAt(record.raw, record.attrAt);
  return (bound.type === 0 || bound.type === typeAt(record.raw, record.attrAt)) && (bound.btime === 0n || btime === 0n || bound.btime === btime);
}

function foldBaseNode(state: FoldState, record: Record): void {
  const { raw, attrAt, ino } = record;
  const { mount } = state.meta;
  if (attrAt === 0) throw new RewindError('ERR_JOURNAL_CORRUPT', `journal record ${record.seq} (base-node) has no attributes`, 'The journal was written by another version.');
  const known = state.bindings.get(ino);
  const same = known !== undefined && isSameObject(known, record);
  let bound: Bound;
  if (!same) bound = state.bear(ino, record);
  else if (known.type === 0 || known.btime === 0n) bound = state.bind(ino, { ...known, type: typeAt(raw, attrAt), btime: btimeAt(raw, attrAt) });
  else bound = known;
  const found = state.looked.nodes.get(bound.node);
  if (found?.atMount === true || !first(state, `node ${bound.node}`)) return;
  state.attributes(record, attrAt, ino, bound, mount);
  if (found?.value != null && attrSize(found.value, 8) > sizeAt(raw, attrAt)) cutBase(state, bound.node, sizeAt(raw, attrAt), NO_END);
  const { target, xattrs } = decodeBaseNode(record);
  if (target.length > 0) foldLinkTarget(state, bound, target, mount);
  for (const [name, value] of xattrs) {
    if (found?.xattrs.get(name)?.equals(value) !== true) state.sink.put('xattrs', nameKey(bound.node, name, mount), Buffer.concat([Buffer.from([1]), value]));
  }
  for (const name of found?.xattrs.keys() ?? []) {
    if (!xattrs.has(name)) state.sink.put('xattrs', nameKey(bound.node, name, mount), TOMBSTONE);
  }
  if (same && found?.value != null) changed(state, record, 'modify', bound);
}

function foldBaseName(state: FoldState, record: Record): void {
  const parent = state.bound(record.parent);
  const bound = state.bound(record.ino);
  const id = nameId(parent.node, record.name);
  const found = state.looked.names.get(id);
  if (found?.atMount === true || !first(state, `name ${id}`)) return;
  const before = found?.node ?? null;
  if (before === bound.node) return;
  if (before !== null) linkOff(state, parent.node, record.name, before, state.meta.mount);
  nameOn(state, parent.node, record.name, bound.node, state.meta.mount);
  changed(state, record, 'create', bound, { parent: parent.node, name: record.name, ...(before === null ? {} : { target: before }) });
}

function foldBaseAbsent(state: FoldState, record: Record): void {
  const parent = state.bound(record.parent);
  const id = nameId(parent.node, record.name);
  const found = state.looked.names.get(id);
  if (found?.atMount === true || !first(state, `name ${id}`)) return;
  const before = found?.node ?? null;
  if (before === null) {
    state.sink.put('names', nameKey(parent.node, record.name, state.meta.mount), TOMBSTONE);
    return;
  }
  nameOff(state, parent.node, record.name, before, state.meta.mount);
  changed(state, record, 'delete', { node: before, size: 0, type: 0, btime: 0n }, { parent: parent.node, name: record.name });
}

function foldBaseData(state: FoldState, record: Record): void {
  const { mount } = state.meta;
  const bound = state.bound(record.ino);
  const pieces = state.looked.pieces.get(record.seq) ?? [];
  if (record.payloadBytes === 0 && record.length > 0 && mount !== state.meta.first) {
    cutBase(state, bound.node, record.offset, record.offset + record.length);
  }
  for (const piece of pieces) {
    if (piece.offset !== 0) throw new RewindError('ERR_JOURNAL_CORRUPT', `journal record ${record.seq} (base-data) starts at ${record.offset}, which is no multiple of ${BLOCK_BYTES}`, 'The journal was written by another version.');
    const id = blockId(bound.node, piece.block);
    if (state.looked.blocks.has(id) || !first(state, `block ${id}`)) continue;
    const data = dataOf(state, piece);
    state.sink.put('blocks', blockKey(bound.node, piece.block, mount), encodeBlock({ kind: 'full', depth: 0, chainBytes: 0, offset: 0, length: piece.length, data }));
    state.images.drop(bound.node);
    const head = state.heads.get(id);
    if (head !== undefined && head.seq <= mount) state.heads.set(id, { seq: mount, depth: 0, chainBytes: 0 });
  }
  if (mount !== state.meta.first) changed(state, record, 'modify', bound);
}

/** A cut at the mount: what came after it stays, so that images, which hold both, are no longer known. */
function cutBase(state: FoldState, node: NodeId, from: number, to: number): void {
  state.images.drop(node);
  cut(state, node, from, to, state.meta.mount);
}

/** Is this the first original of its place in this batch? */
function first(state: FoldState, place: string): boolean {
  if (state.based.has(place)) return false;
  state.based.add(place);
  return true;
}

function changed(state: FoldState, record: Record, marker: Change['marker'], bound: Bound, more: Partial<Change> = {}): void {
  if ((record.flags & Flag.Unmounted) === 0) return;
  noteChange(state, record, marker, bound, { seq: state.meta.mount, timeNs: state.meta.mountTimeNs, unmounted: true, ...more });
}

function noteUnmounted(state: FoldState, record: Record): void {
  if (state.meta.unmountedNoted) return;
  state.meta.unmountedNoted = true;
  noteGap(state, state.meta.mount, record.seq, state.meta.mountTimeNs, { reason: 'unmounted', note: 'changed while the tree was not mounted' });
}
