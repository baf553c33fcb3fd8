/**
 * Base records: what was there at this session's mount. Guarantees: their state is dated to the mount's seq, so that
 * records which came before them in the journal but after the mount stay in force; the oldest original of a name, a node
 * or a block wins; at a first mount they are the initial state and no changes; later, what differs from history is a
 * change of the timeline, found while unmounted, and the session has one gap for all of it (invariant I10). Of a first walk
 * that was cut short a later one says what was so all the time (`initial`): that is dated to the first mount. An object
 * counts as captured from its mount on once all of its content is there, and not before.
 */
import { RewindError } from '../errors.js';
import { encodeFull } from '../history/blocks.js';
import { blockKey, nameKey, seqInKey } from '../history/keys.js';
import { ROOT, type Change, type NodeId, type Seq } from '../history/types.js';
import { attrSize, BLOCK_BYTES, isUncaptured, TOMBSTONE, withContent } from '../history/values.js';
import { linkOff, nameOff, nameOn, noteChange, noteGap, PRESENT } from './emit.js';
import { cut, foldLinkTarget, NO_END, storePiece } from './fold-data.js';
import { blockId, dated, nameId } from './ids.js';
import { bytesOf, cutPiece } from './pieces.js';
import { btimeAt, decodeBaseNode, Flag, Kind, sizeAt, typeAt, type Record } from './record.js';
import type { Bound, FoldState } from './state.js';

const DIRECTORY = 0o040000;
const FILE = 0o100000;

export function foldBase(state: FoldState, record: Record): void {
  switch (record.kind) {
    case Kind.BaseNode: foldBaseNode(state, record); break;
    case Kind.BaseName: foldBaseName(state, record); break;
    case Kind.BaseAbsent: foldBaseAbsent(state, record); break;
    default: foldBaseData(state, record);
  }
}

/**
 * Is the object that a base-node record describes the one that the inode number stands for? A directory made anew under
 * the number of an old one goes on as that: what the mount finds in it is compared with what was in the old one.
 */
export function isSameObject(bound: Bound, record: Record): boolean {
  if (bound.node === ROOT || bound.type === 0) return true;
  const type = typeAt(record.raw, record.attrAt);
  const btime = btimeAt(record.raw, record.attrAt);
  return bound.type === type && (type === DIRECTORY || bound.btime === 0n || btime === 0n || bound.btime === btime);
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
  const { target, xattrs } = decodeBaseNode(record);
  const uncaptured = (record.flags & Flag.Uncaptured) !== 0;
  const unchanged = found?.value != null && sameAttributes(found.value, raw, attrAt) && sameXattrs(found.xattrs, xattrs);
  if (unchanged && (isUncaptured(found.value!) === uncaptured || goesOn(bound, uncaptured))) return;
  const date = found?.value != null ? mount : dateOf(state, record, bound);
  const comes = !uncaptured && typeAt(raw, attrAt) === FILE && sizeAt(raw, attrAt) > 0;
  bound = comes ? state.await(ino, bound, { since: date, lost: false }) : state.capture(ino, bound, !uncaptured);
  if (comes) state.looked.sizes.set(bound.node, sizeAt(raw, attrAt));
  state.attributes(record, attrAt, ino, bound, date);
  state.seal.foundAttributes(bound.node, date, record);
  if (unchanged) return;
  if (found?.value != null && attrSize(found.value, 8) > sizeAt(raw, attrAt)) cutBase(state, bound.node, sizeAt(raw, attrAt), NO_END, mount);
  if (target.length > 0) {
    foldLinkTarget(state, bound, target, date);
    state.seal.foundBytes(bound.node, date, 0, target);
  }
  for (const [name, value] of xattrs) {
    if (found?.xattrs.get(name)?.equals(value) !== true) state.sink.put('xattrs', nameKey(bound.node, name, date), Buffer.concat([PRESENT, value]));
  }
  for (const name of found?.xattrs.keys() ?? []) {
    if (!xattrs.has(name)) state.sink.put('xattrs', nameKey(bound.node, name, mount), TOMBSTONE);
  }
  if (!same && known !== undefined) replaced(state, record, known.node, bound);
  else if (found?.value != null) changed(state, record, 'modify', bound);
}

/** What is said to have been so at the first mount is dated to it, and so is the root, which was there. */
const dateOf = ({ meta }: FoldState, record: Record, bound: Bound): Seq => ((record.flags & Flag.Initial) !== 0 || bound.node === ROOT ? meta.first : meta.mount);

/** Nothing was changed since the mount that its content is still to come of: what is found now is that. */
const goesOn = ({ pending }: Bound, uncaptured: boolean): boolean => !uncaptured && pending !== undefined && !pending.lost;

/** All of the attributes but the time of the last access. */
function sameAttributes(value: Buffer, raw: Buffer, at: number): boolean {
  const equal = (from: number, to: number) => raw.compare(value, 8 + from, 8 + to, at + from, at + to) === 0;
  return equal(0, 32) && equal(40, 64) && equal(68, 80);
}

function sameXattrs(a: Map<string, Buffer>, b: Map<string, Buffer>): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name)?.equals(value) === true);
}

/**
 * An inode number stands for a new object: the names that led to the old one lead to the new one, as far as nothing else
 * is said of them. Such a name is marked, so that a record of this mount about the name itself still counts.
 */
function replaced(state: FoldState, record: Record, old: NodeId, bound: Bound): void {
  const { mount } = state.meta;
  const links = (state.looked.links.get(old) ?? []).filter((link) => !state.basedNames.has(nameId(link.parent, link.name)));
  for (const { parent, name, node } of state.basedNames.values()) if (node === old) links.push({ parent, name, stated: true });
  for (const { parent, name, stated } of links) {
    linkOff(state, parent, name, old, mount);
    nameOn(state, parent, name, bound.node, mount, stated);
    const id = nameId(parent, name);
    if (state.basedNames.has(id)) state.basedNames.set(id, { parent, name, node: bound.node });
    else state.looked.names.set(id, { atMount: stated, node: bound.node });
  }
  // The directory that it was is gone, and what lay in it.
  for (const { name, node } of state.looked.entries.get(old) ?? []) {
    const id = nameId(old, name);
    if (state.basedNames.has(id)) continue;
    nameOff(state, old, name, state.looked.names.get(id)?.node ?? node, mount);
    state.basedNames.set(id, { parent: old, name, node: null });
  }
  const [place] = links;
  if (place !== undefined) changed(state, record, 'create', bound, { parent: place.parent, name: place.name, target: old });
}

function foldBaseName(state: FoldState, record: Record): void {
  const parent = state.bound(record.parent);
  const bound = state.bound(record.ino);
  const id = nameId(parent.node, record.name);
  const found = state.looked.names.get(id);
  if (found?.atMount === true || state.basedNames.has(id)) return;
  state.basedNames.set(id, { parent: parent.node, name: record.name, node: bound.node });
  if (found === undefined && (record.flags & Flag.Initial) !== 0) {
    nameOn(state, parent.node, record.name, bound.node, state.meta.first);
    return;
  }
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
  if (found?.atMount === true || state.basedNames.has(id)) return;
  state.basedNames.set(id, { parent: parent.node, name: record.name, node: null });
  const before = found?.node ?? null;
  if (before === null) {
    state.sink.put('names', nameKey(parent.node, record.name, state.meta.mount), TOMBSTONE);
    return;
  }
  nameOff(state, parent.node, record.name, before, state.meta.mount);
  changed(state, record, 'delete', { node: before, size: 0, type: 0, btime: 0n }, { parent: parent.node, name: record.name });
}

/** Content that no hook has saved was never changed since the mount that it is awaited from: so it is of that mount. */
function foldBaseData(state: FoldState, record: Record): void {
  const bound = state.bound(record.ino);
  const date = bound.pending?.since ?? state.meta.mount;
  if (record.payloadBytes === 0 && record.length > 0 && date !== state.meta.first) {
    cutBase(state, bound.node, record.offset, record.offset + record.length, date);
  }
  // Of an earlier mount: what lies beyond the end that the file had then was written since.
  const end = date === state.meta.mount ? NO_END : state.looked.sizes.get(bound.node) ?? 0;
  for (const piece of record.pieces) {
    if (piece.offset !== 0) throw new RewindError('ERR_JOURNAL_CORRUPT', `journal record ${record.seq} (base-data) starts at ${record.offset}, which is no multiple of ${BLOCK_BYTES}`, 'The journal was written by another version.');
    const id = blockId(bound.node, piece.block);
    if (piece.block * BLOCK_BYTES >= end || state.looked.blocks.has(dated(date, id)) || !first(state, `block ${id}`)) continue;
    const within = cutPiece(piece, end - piece.block * BLOCK_BYTES);
    storePiece(state, within);
    state.sink.put('blocks', blockKey(bound.node, piece.block, date), encodeFull(within));
    state.seal.foundBytes(bound.node, date, piece.block, bytesOf(within));
    state.images.drop(bound.node);
    const head = state.heads.get(id);
    if (head !== undefined && head.seq <= date) state.heads.set(id, { seq: date, depth: 0, chainBytes: 0, run: null });
  }
  if (record.flags & Flag.Unmounted) changed(state, record, 'modify', bound);
  if (record.flags & Flag.Captured) arrived(state, record.ino, bound);
}

/** All of a file's content is there: from its mount on the file is captured. */
function arrived(state: FoldState, ino: number, bound: Bound): void {
  if (bound.pending === undefined || bound.pending.lost) return;
  const { since } = bound.pending;
  for (const { key, value } of state.looked.waiting.get(bound.node) ?? []) if (seqInKey(key) >= since) state.sink.put('nodes', key, withContent(value));
  state.runs.arrived(bound.node);
  state.capture(ino, bound, true);
}

/** A gap of the walk. What of a file could not be read may be changed before it can: what is read later is not of its mount. */
export function foldBaseGap(state: FoldState, record: Record, info: { [key: string]: unknown }): void {
  const bound = state.bindings.get(record.ino);
  if (info['reason'] !== 'baseline' || info['what'] !== 'content' || bound?.pending === undefined) return;
  state.await(record.ino, bound, { ...bound.pending, lost: true });
}

/** A cut at a mount: what came after it stays, so that images, which hold both, are no longer known. */
function cutBase(state: FoldState, node: NodeId, from: number, to: number, mount: Seq): void {
  state.images.drop(node);
  cut(state, node, from, to, mount);
}

/** Is this the first original of its place in this batch? */
function first(state: FoldState, place: string): boolean {
  if (state.based.has(place)) return false;
  state.based.add(place);
  return true;
}

/**
 * A mount after the first finds what history does not say: that changed while unmounted, whether the engine could tell it
 * then or not, or it was there before and a walk that was cut short had not come to it.
 */
function changed(state: FoldState, record: Record, marker: Change['marker'], bound: Bound, more: Partial<Change> = {}): void {
  const { mount, mountTimeNs, first: firstMount } = state.meta;
  if (mount === firstMount) return;
  if (!state.meta.unmountedNoted) {
    state.meta.unmountedNoted = true;
    noteGap(state, mount, record.seq, mountTimeNs, { reason: 'unmounted', note: 'changed while the tree was not mounted' });
  }
  noteChange(state, record, marker, bound, { seq: mount, timeNs: mountTimeNs, unmounted: true, ...more });
}
