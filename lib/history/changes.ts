/**
 * Values of `changes` and `nodechanges`: the timeline, byte for byte as docs/history.md says. A run is changes of one batch
 * one after another under the key of the first, each said by what differs from the one before; a change found at a mount
 * is a run of its own. Guarantee: what was encoded is what is decoded; what cannot be one is refused with ERR_HISTORY_CORRUPT.
 */
import { getInverse, getU64 } from './keys.js';
import { MOST_VARINT_BYTES, Unpacker, type Packer } from './packing.js';
import type { Change, GivenUp, Marker, Seq } from './types.js';
import { corrupt } from './values.js';

/** A run ends before this many seqs after its first: so far a reader looks back for the run of a seq. */
export const RUN_SEQS = 64;

const MARKERS: readonly Marker[] = ['create', 'modify', 'delete', 'rename'];
const enum ChangeFlag { Writeback = 4, Unmounted = 8, Exchange = 16, Parent = 32, Parent2 = 64, Target = 128 }
const enum Field { Node = 1, Parent = 2, Parent2 = 4, Target = 8, Offset = 16, Length = 32, Size = 64, Writer = 128, Save = 256, Name = 512, Name2 = 1024, GivenUp = 2048 }

const CHANGE_BYTES = 8 + 2 + 2 + 17 * MOST_VARINT_BYTES;

const NONE: Change = {
  seq: 0, record: 0, timeNs: 0n, kind: 0, marker: 'modify', node: 0, offset: 0, length: 0, size: 0, writer: 0, save: 0, writeback: false, unmounted: false,
};

/** One more change of a run; `before` = null: its first, whose seq and record are the key. */
export function packChange(packer: Packer, change: Change, before: Change | null): void {
  const name = change.name ?? '';
  const name2 = change.name2 ?? '';
  packer.reserve(CHANGE_BYTES + name.length + name2.length);
  if (before === null) {
    packer.u64(change.timeNs);
  } else {
    packer.varint(change.seq - before.seq);
    packer.varint(Number(change.timeNs - before.timeNs));
  }
  packer.varint(change.kind);
  packer.u8(MARKERS.indexOf(change.marker) | flagsOf(change));
  const maskAt = packer.length;
  packer.length += 2;
  let mask = 0;
  const last = before ?? NONE;
  const field = (bit: Field, value: number, was: number): void => {
    if (value === was) return;
    mask |= bit;
    packer.varint(value);
  };
  field(Field.Node, change.node, last.node);
  field(Field.Parent, change.parent ?? 0, last.parent ?? 0);
  field(Field.Parent2, change.parent2 ?? 0, last.parent2 ?? 0);
  field(Field.Target, change.target ?? 0, last.target ?? 0);
  field(Field.Offset, change.offset, last.offset);
  field(Field.Length, change.length, last.length);
  field(Field.Size, change.size, last.size);
  field(Field.Writer, change.writer, last.writer);
  field(Field.Save, change.save, last.save);
  if (name !== (last.name ?? '')) {
    mask |= Field.Name;
    packer.text(name);
  }
  if (name2 !== (last.name2 ?? '')) {
    mask |= Field.Name2;
    packer.text(name2);
  }
  if (change.givenUp !== undefined) {
    const { count, from, to } = change.givenUp;
    mask |= Field.GivenUp;
    for (const value of [count, from, to - from]) packer.varint(value);
  }
  packer.view.setUint16(maskAt, mask);
}

function flagsOf(change: Change): number {
  return (change.writeback ? ChangeFlag.Writeback : 0) | (change.unmounted ? ChangeFlag.Unmounted : 0)
    | (change.exchange === true ? ChangeFlag.Exchange : 0) | (change.parent === undefined ? 0 : ChangeFlag.Parent)
    | (change.parent2 === undefined ? 0 : ChangeFlag.Parent2) | (change.target === undefined ? 0 : ChangeFlag.Target);
}

function givenUpAt(at: Unpacker): GivenUp {
  const [count, from, length] = [at.varint(), at.varint(), at.varint()];
  return { count, from, to: from + length };
}

/** The changes of a run, oldest first; with `upTo`, none of a later seq. */
export function decodeChanges(key: Buffer, value: Buffer, upTo: Seq = Infinity): Change[] {
  const from = new Unpacker(value);
  const changes: Change[] = [];
  const last = { node: 0, parent: 0, parent2: 0, target: 0, offset: 0, length: 0, size: 0, writer: 0, save: 0, name: '', name2: '' };
  let seq = getU64(key, 0);
  let record = getU64(key, 8);
  let timeNs = from.u64();
  while (from.more) {
    if (changes.length > 0) {
      record = seq += from.varint();
      if (seq > upTo) break;
      timeNs += BigInt(from.varint());
    }
    const kind = from.varint();
    const flags = from.u8();
    const mask = from.u16();
    if (mask & Field.Node) last.node = from.varint();
    if (mask & Field.Parent) last.parent = from.varint();
    if (mask & Field.Parent2) last.parent2 = from.varint();
    if (mask & Field.Target) last.target = from.varint();
    if (mask & Field.Offset) last.offset = from.varint();
    if (mask & Field.Length) last.length = from.varint();
    if (mask & Field.Size) last.size = from.varint();
    if (mask & Field.Writer) last.writer = from.varint();
    if (mask & Field.Save) last.save = from.varint();
    if (mask & Field.Name) last.name = from.text();
    if (mask & Field.Name2) last.name2 = from.text();
    const givenUp = mask & Field.GivenUp ? givenUpAt(from) : undefined;
    const change: Change = {
      seq, record, timeNs, kind, marker: MARKERS[flags & 3]!, node: last.node, offset: last.offset, length: last.length, size: last.size,
      writer: last.writer, save: last.save, writeback: (flags & ChangeFlag.Writeback) !== 0, unmounted: (flags & ChangeFlag.Unmounted) !== 0,
    };
    if (flags & ChangeFlag.Parent) Object.assign(change, { parent: last.parent, name: last.name });
    if (flags & ChangeFlag.Parent2) Object.assign(change, { parent2: last.parent2, name2: last.name2 });
    if (flags & ChangeFlag.Target) change.target = last.target;
    if (flags & ChangeFlag.Exchange) change.exchange = true;
    if (givenUp !== undefined) change.givenUp = givenUp;
    changes.push(change);
  }
  if (changes.length === 0) throw corrupt('a run of no changes');
  return changes;
}

/** A change of a node: its seq and record, and the seq of the first change of its run (whose record is its own seq, or this one). */
export interface ChangeRef { seq: Seq; record: Seq; run: Seq }

/** Changes of one node, oldest first: seq and run's first seq by turns. None for one that was found at a mount. */
export function packRefs(packer: Packer, refs: readonly number[]): void {
  packer.reserve(refs.length * MOST_VARINT_BYTES);
  for (let i = 0; i < refs.length; i += 2) {
    if (i > 0) packer.varint(refs[i]! - refs[i - 2]!);
    packer.varint(refs[i]! - refs[i + 1]!);
  }
}

/** Changes of a node, oldest first. */
export function decodeRefs(key: Buffer, value: Buffer): ChangeRef[] {
  let seq = getInverse(key, 8);
  const record = getInverse(key, 16);
  if (value.length === 0) return [{ seq, record, run: seq }];
  const from = new Unpacker(value);
  const refs: ChangeRef[] = [];
  while (from.more) {
    if (refs.length > 0) seq += from.varint();
    refs.push({ seq, record: seq, run: seq - from.varint() });
  }
  return refs;
}
