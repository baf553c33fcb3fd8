/** Mutations that several kinds of record share: names in both directions, the timeline, gaps. */
import { linkKey, nameKey, pairKey, u64Key } from '../history/keys.js';
import type { Change, Gap, Marker, Name, NodeId, Seq } from '../history/types.js';
import { TOMBSTONE } from '../history/values.js';
import { Flag, type Record } from './record.js';
import type { Bound, FoldState } from './state.js';

/** Value of a link that is there; first byte of an extended attribute's value. */
export const PRESENT = Buffer.from([1]);

/** parent/name leads to node from seq on. `stated` = false: inferred, a record about the name itself goes before it. */
export function nameOn(state: FoldState, parent: NodeId, name: Name, node: NodeId, seq: Seq, stated = true): void {
  const value = u64Key(node);
  state.sink.put('names', nameKey(parent, name, seq), stated ? value : Buffer.concat([value, PRESENT]));
  state.sink.put('links', linkKey(node, parent, name, seq), PRESENT);
}

/** parent/name leads nowhere from seq on. */
export function nameOff(state: FoldState, parent: NodeId, name: Name, node: NodeId, seq: Seq): void {
  state.sink.put('names', nameKey(parent, name, seq), TOMBSTONE);
  linkOff(state, parent, name, node, seq);
}

export function linkOff(state: FoldState, parent: NodeId, name: Name, node: NodeId, seq: Seq): void {
  state.sink.put('links', linkKey(node, parent, name, seq), TOMBSTONE);
}

/** An entry of the timeline, found from every node that it concerns. */
export function noteChange(state: FoldState, record: Record, marker: Marker, bound: Bound, more?: Partial<Change>): void {
  const change: Change = {
    seq: record.seq, record: record.seq, timeNs: record.timeNs, kind: record.kind, marker, node: bound.node,
    offset: record.offset, length: record.length, size: Math.max(bound.size, 0), writer: record.writer, save: record.save,
    writeback: (record.flags & Flag.Writeback) !== 0, unmounted: false,
  };
  if (more !== undefined) Object.assign(change, more);
  if (change.seq === record.seq) state.seal.change(record);
  state.changes.push(change);
  state.runs.change(change);
}

/** A gap (invariant I10), dated to `seq`; `record` tells several of one instant apart. `place`: the object and the name that it concerns. */
export function noteGap(state: FoldState, seq: Seq, record: Seq, timeNs: bigint, info: { [key: string]: unknown }, place: Pick<Gap, 'node' | 'parent' | 'name'> = {}): void {
  const { reason, ...detail } = info;
  state.sink.put('gaps', pairKey(seq, record), Buffer.from(JSON.stringify({ timeNs: timeNs.toString(), reason: String(reason ?? 'unknown'), detail, ...place })));
}
