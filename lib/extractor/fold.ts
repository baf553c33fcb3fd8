/**
 * The fold: one record -> mutations of history. Guarantees: pure (no I/O, no clock; what it needs was prefetched); every
 * record that changes an object writes the object's attributes as they were after it; history at seq n depends on
 * records 1..n only (invariant I4). Data is folded in fold-data.ts, what a mount found in fold-base.ts.
 */
import { nameKey, u64Key } from '../history/keys.js';
import { TOMBSTONE } from '../history/values.js';
import { linkOff, nameOff, nameOn, noteChange, noteGap, PRESENT } from './emit.js';
import { foldBase, foldBaseGap } from './fold-base.js';
import { foldFallocate, foldLinkTarget, foldTruncate, foldWrite, movesContent } from './fold-data.js';
import { Flag, jsonOf, Kind, payloadOf, type Record } from './record.js';
import type { Bound, FoldState } from './state.js';

/** Folds one record. */
export function foldRecord(state: FoldState, record: Record): void {
  switch (record.kind) {
    case Kind.Mount: foldMount(state, record); break;
    case Kind.Unmount: point(state, record, 'unmount'); break;
    case Kind.Mark: point(state, record, 'mark'); break;
    case Kind.Writer: state.sink.put('writers', u64Key(record.seq), payloadOf(record)); break;
    case Kind.Gap: foldGap(state, record); break;
    case Kind.Create: case Kind.Mkdir: case Kind.Symlink: case Kind.Mknod: case Kind.Tmpfile: foldBirth(state, record); break;
    case Kind.Link: foldLink(state, record); break;
    case Kind.Unlink: case Kind.Rmdir: foldUnlink(state, record); break;
    case Kind.Rename: foldRename(state, record); break;
    case Kind.Write: foldObject(state, record, foldWrite); break;
    case Kind.Truncate: foldObject(state, record, foldTruncate); break;
    case Kind.Fallocate: foldObject(state, record, foldFallocate); break;
    case Kind.Setattr: foldObject(state, record, () => undefined); break;
    case Kind.Setxattr: case Kind.Removexattr: foldObject(state, record, foldXattr); break;
    case Kind.BaseNode: case Kind.BaseName: case Kind.BaseAbsent: case Kind.BaseData: foldBase(state, record); break;
    case Kind.BaseEnd: state.meta.baselined = true; break;
    case Kind.Open: case Kind.Close: foldSave(state, record); break;
    default: break;
  }
  state.meta.watermark = record.seq;
  state.meta.timeNs = record.timeNs;
}

function foldGap(state: FoldState, record: Record): void {
  const info = jsonOf(record);
  const node = state.bindings.get(record.ino)?.node;
  const parent = state.bindings.get(record.parent)?.node;
  noteGap(state, record.seq, record.seq, record.timeNs, info, { ...node !== undefined && { node }, ...parent !== undefined && record.name !== '' && { parent, name: record.name } });
  foldBaseGap(state, record, info);
  const bound = state.bindings.get(record.ino);
  if (info['reason'] !== 'capture' || bound === undefined) return;
  state.attributes(record, record.attrAt, record.ino, state.capture(record.ino, bound, false), record.seq);
}

/** They only bound a save, whose id every record of it carries, unless its content is left out: then they are all that is told of it. */
function foldSave(state: FoldState, record: Record): void {
  if ((record.flags & Flag.Uncaptured) === 0) return;
  const bound = state.capture(record.ino, state.bound(record.ino), false);
  state.attributes(record, record.attrAt, record.ino, bound, record.seq);
  if (record.kind === Kind.Close) noteChange(state, record, 'modify', bound);
}

/** Does history know the content after this record? A capture counts when it is whole. */
function captureOf(state: FoldState, record: Record, bound: Bound): Bound {
  if (record.flags & Flag.Uncaptured) return state.capture(record.ino, bound, false);
  if ((record.flags & (Flag.Captured | Flag.More)) === Flag.Captured) return state.capture(record.ino, bound, true);
  // Whatever was missing of it is gone.
  if (record.kind === Kind.Truncate && record.length === 0 && bound.pending) return state.capture(record.ino, bound, true);
  return bound;
}

/** A change of one object itself: its content first (that needs the size before), then its attributes. */
function foldObject(state: FoldState, record: Record, effect: (state: FoldState, record: Record, bound: Bound) => void): void {
  const bound = captureOf(state, record, state.bound(record.ino));
  const sizeBefore = bound.size;
  effect(state, record, bound);
  state.attributes(record, record.attrAt, record.ino, bound, record.seq);
  // Collapse and insert move all that follows.
  const moved = record.kind === Kind.Fallocate && movesContent(record.aux);
  noteChange(state, record, 'modify', bound, moved ? { length: Math.max(sizeBefore, bound.size) - record.offset } : undefined);
}

function foldXattr(state: FoldState, record: Record, bound: Bound): void {
  const value = record.kind === Kind.Setxattr ? Buffer.concat([PRESENT, payloadOf(record)]) : TOMBSTONE;
  state.sink.put('xattrs', nameKey(bound.node, record.name, record.seq), value);
  state.seal.bytes(bound.node, record.seq, 0, Buffer.concat([Buffer.from(`${record.name}\0`, 'latin1'), value]));
}

function foldBirth(state: FoldState, record: Record): void {
  const bound = captureOf(state, record, state.bear(record.ino, record));
  const parent = state.bound(record.parent);
  state.attributes(record, record.attrAt, record.ino, bound, record.seq);
  state.attributes(record, record.parentAttrAt, record.parent, parent, record.seq);
  if (record.kind === Kind.Tmpfile) {
    noteChange(state, record, 'create', bound);
    return;
  }
  if (record.kind === Kind.Symlink) {
    foldLinkTarget(state, bound, payloadOf(record), record.seq);
    state.seal.bytes(bound.node, record.seq, 0, payloadOf(record).subarray(0, bound.size));
  }
  nameOn(state, parent.node, record.name, bound.node, record.seq);
  noteChange(state, record, 'create', bound, { parent: parent.node, name: record.name });
}

function foldLink(state: FoldState, record: Record): void {
  const bound = state.bound(record.ino);
  const parent = state.bound(record.parent);
  state.attributes(record, record.attrAt, record.ino, bound, record.seq);
  state.attributes(record, record.parentAttrAt, record.parent, parent, record.seq);
  nameOn(state, parent.node, record.name, bound.node, record.seq);
  noteChange(state, record, 'create', bound, { parent: parent.node, name: record.name });
}

function foldUnlink(state: FoldState, record: Record): void {
  const bound = state.bound(record.ino);
  const parent = state.bound(record.parent);
  state.attributes(record, record.attrAt, record.ino, bound, record.seq);
  state.attributes(record, record.parentAttrAt, record.parent, parent, record.seq);
  nameOff(state, parent.node, record.name, bound.node, record.seq);
  noteChange(state, record, 'delete', bound, { parent: parent.node, name: record.name });
}

function foldRename(state: FoldState, record: Record): void {
  const { seq, name, name2 } = record;
  const bound = state.bound(record.ino);
  const from = state.bound(record.parent);
  const to = record.parent2 === 0 ? from : state.bound(record.parent2);
  const target = record.target === 0 ? undefined : state.bound(record.target);
  const exchange = (record.flags & Flag.Exchange) !== 0;
  state.attributes(record, record.attrAt, record.ino, bound, seq);
  state.attributes(record, record.parentAttrAt, record.parent, from, seq);
  if (record.parent2 !== record.parent) state.attributes(record, record.parent2AttrAt, record.parent2, to, seq);
  if (target !== undefined && target.node !== bound.node) state.attributes(record, record.targetAttrAt, record.target, target, seq);
  // Two names of one object: rename(2) changes nothing.
  if (target?.node !== bound.node && !(from.node === to.node && name === name2)) {
    if (target !== undefined) linkOff(state, to.node, name2, target.node, seq);
    if (exchange && target !== undefined) {
      linkOff(state, from.node, name, bound.node, seq);
      nameOn(state, from.node, name, target.node, seq);
    } else {
      nameOff(state, from.node, name, bound.node, seq);
    }
    nameOn(state, to.node, name2, bound.node, seq);
  }
  noteChange(state, record, 'rename', bound, {
    parent: from.node, name, parent2: to.node, name2,
    ...(target === undefined ? {} : { target: target.node }), ...(exchange ? { exchange } : {}),
  });
}

function foldMount(state: FoldState, record: Record): void {
  const { meta } = state;
  const info = jsonOf(record);
  meta.mount = record.seq;
  meta.mountTimeNs = record.timeNs;
  meta.unmountedNoted = false;
  if (typeof info['unrecorded'] === 'string') {
    // It says more of the changes that the walk finds than that the tree was not mounted.
    meta.unmountedNoted = true;
    noteGap(state, record.seq, record.seq - 1, record.timeNs, { reason: 'unrecorded', ...JSON.parse(info['unrecorded']) as { [key: string]: unknown } });
  }
  if (meta.first === 0) {
    meta.first = record.seq;
    meta.firstTimeNs = record.timeNs;
  } else if (!meta.baselined) {
    noteGap(state, record.seq, record.seq, record.timeNs, { reason: 'baseline-incomplete', since: meta.first });
  }
  const ino = record.ino !== 0 ? record.ino : Number(info['root_ino'] ?? 0);
  const root = state.bindRoot(ino);
  state.attributes(record, record.attrAt, ino, root, record.seq);
  point(state, record, 'mount');
}

function point(state: FoldState, record: Record, kind: string): void {
  const info = jsonOf(record);
  const text = (key: string) => (typeof info[key] === 'string' ? (info[key] as string) : '');
  const value = {
    kind: kind === 'mark' && text('kind') !== '' ? text('kind') : kind, name: text('name'), note: kind === 'unmount' ? text('reason') : text('note'), timeNs: record.timeNs.toString(),
    ...(text('phase') === '' ? {} : { phase: text('phase') }),
    ...(text('boot_id') === '' ? {} : { boot: text('boot_id') }),
    ...(Array.isArray(info['tags']) && info['tags'].length > 0 ? { tags: info['tags'].map(String) } : {}),
    // A mark may name an instant of before: that something had begun is known only when it is seen.
    ...(typeof info['at'] === 'number' && info['at'] < record.seq ? { seq: info['at'], timeNs: text('at_time') } : {}),
    ...(typeof info['pins'] === 'number' ? { pins: info['pins'] } : {}),
    ...(info['pinned'] === true ? { pinned: true } : {}),
    ...(typeof info['detail'] === 'object' ? { detail: info['detail'] } : {}),
  };
  state.sink.put('points', u64Key(record.seq), Buffer.from(JSON.stringify(value)));
}
