/**
 * Raw journal bytes -> records. Guarantees: what native/journal/format.h and docs/journal.md say is what is read here
 * (test/lib/extractor/format.ts holds the three together); a record whose sections do not fit its size is refused. The
 * journal's reader has already checked both checksums and the order of seqs.
 */
import { RewindError } from '../errors.js';
import { attrSize } from '../history/values.js';
import type { Piece } from './pieces.js';

/** `Kind` of native/journal/format.h. */
export const Kind = {
  Mount: 1, Unmount: 2, Writer: 3, Gap: 4, Mark: 5,
  Create: 8, Mkdir: 9, Symlink: 10, Mknod: 11, Tmpfile: 12, Link: 13, Unlink: 14, Rmdir: 15, Rename: 16,
  Write: 24, Truncate: 25, Fallocate: 26, Setattr: 27, Setxattr: 28, Removexattr: 29,
  Open: 32, Close: 33,
  BaseNode: 40, BaseName: 41, BaseAbsent: 42, BaseData: 43, BaseEnd: 44,
} as const;

/** `Flags` of native/journal/format.h. */
export const Flag = { Opened: 1, Exchange: 2, More: 4, Writeback: 8, Unmounted: 16, NoReplace: 32, Uncaptured: 64, Captured: 128, Initial: 256 } as const;

/** `Sections` of native/journal/format.h. */
export const Section = { Attr: 1, Parent: 2, Parent2: 4, Target: 8 } as const;

/** sizeof(RecordHead), sizeof(Attr). */
export const RECORD_HEAD_BYTES = 96;
export const ATTR_BYTES = 80;

/** One record. Attributes stay where they are in `raw`; a place of 0 means that the section is missing. */
export interface Record {
  raw: Buffer;
  /** The same memory. */
  view: DataView;
  seq: number;
  timeNs: bigint;
  writer: number;
  save: number;
  ino: number;
  parent: number;
  offset: number;
  length: number;
  kind: number;
  flags: number;
  aux: number;
  attrAt: number;
  parentAttrAt: number;
  parent2: number;
  parent2AttrAt: number;
  target: number;
  targetAttrAt: number;
  name: string;
  name2: string;
  payloadAt: number;
  payloadBytes: number;
  /** The payload cut at block boundaries, once prefetch.ts has come to it. */
  pieces: readonly Piece[];
}

const NO_PIECES: readonly Piece[] = [];

const u64 = (view: DataView, at: number): number => view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000;
const viewOf = (raw: Buffer): DataView => new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
const align8 = (n: number): number => (n + 7) & ~7;

/** The record at this place of a journal read. `end` is where the next one starts. */
export function decodeRecord(raw: Buffer, at: number, view = viewOf(raw)): { record: Record; end: number } {
  const size = raw.length - at >= RECORD_HEAD_BYTES ? view.getUint32(at, true) : 0;
  if (size < RECORD_HEAD_BYTES || at + size > raw.length) throw malformed(raw, at, `a size of ${size} bytes, ${raw.length - at} are there`);
  const sections = view.getUint16(at + 76, true);
  const attrAt = at + RECORD_HEAD_BYTES;
  const parentAttrAt = attrAt + (sections & Section.Attr ? ATTR_BYTES : 0);
  const parent2At = parentAttrAt + (sections & Section.Parent ? ATTR_BYTES : 0);
  const targetAt = parent2At + (sections & Section.Parent2 ? 8 + ATTR_BYTES : 0);
  const nameAt = targetAt + (sections & Section.Target ? 8 + ATTR_BYTES : 0);
  const name2At = nameAt + view.getUint16(at + 78, true);
  const namesEnd = name2At + view.getUint16(at + 80, true);
  const payloadAt = at + align8(namesEnd - at);
  const payloadBytes = view.getUint32(at + 88, true);
  if (payloadAt + payloadBytes > at + size) throw malformed(raw, at, `sections and payload that end ${payloadAt + payloadBytes - at - size} bytes behind it`);
  const record: Record = {
    raw, view, seq: u64(view, at + 8), timeNs: view.getBigUint64(at + 16, true), writer: u64(view, at + 24), save: u64(view, at + 32),
    ino: u64(view, at + 40), parent: u64(view, at + 48), offset: u64(view, at + 56), length: u64(view, at + 64),
    kind: view.getUint16(at + 72, true), flags: view.getUint16(at + 74, true), aux: view.getUint32(at + 84, true),
    attrAt: sections & Section.Attr ? attrAt : 0, parentAttrAt: sections & Section.Parent ? parentAttrAt : 0,
    parent2: sections & Section.Parent2 ? u64(view, parent2At) : 0, parent2AttrAt: sections & Section.Parent2 ? parent2At + 8 : 0,
    target: sections & Section.Target ? u64(view, targetAt) : 0, targetAttrAt: sections & Section.Target ? targetAt + 8 : 0,
    name: nameAt === name2At ? '' : raw.toString('latin1', nameAt, name2At),
    name2: name2At === namesEnd ? '' : raw.toString('latin1', name2At, namesEnd),
    payloadAt, payloadBytes, pieces: NO_PIECES,
  };
  return { record, end: at + size };
}

/** At most `limit` records from `at` on. */
export function decodeRecords(raw: Buffer, at: number, limit: number): { records: Record[]; end: number } {
  const records: Record[] = [];
  const view = viewOf(raw);
  let next = at;
  while (next < raw.length && records.length < limit) {
    const { record, end } = decodeRecord(raw, next, view);
    records.push(record);
    next = end;
  }
  return { records, end: next };
}

/** The payload, without copying. */
export const payloadOf = (record: Record): Buffer => record.raw.subarray(record.payloadAt, record.payloadAt + record.payloadBytes);

/** The payload as JSON; an unreadable one is an object with its text, so that nothing is dropped. */
export function jsonOf(record: Record): { [key: string]: unknown } {
  const text = payloadOf(record).toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : { text };
  } catch {
    return { text };
  }
}

/** Type bits of the mode of the attributes at this place. */
export const typeAt = (raw: Buffer, at: number): number => raw.readUInt32LE(at) & 0o170000;
/** Size in the attributes at this place. */
export const sizeAt = (raw: Buffer, at: number): number => attrSize(raw, at);
/** Birth time (ns) in the attributes at this place. */
export const btimeAt = (raw: Buffer, at: number): bigint => raw.readBigInt64LE(at + 56) * 1_000_000_000n + BigInt(raw.readUInt32LE(at + 76));

/** What a base-node record carries beside the attributes. */
export function decodeBaseNode(record: Record): { target: Buffer; xattrs: Map<string, Buffer> } {
  const payload = payloadOf(record);
  const xattrs = new Map<string, Buffer>();
  if (payload.length === 0) return { target: payload, xattrs };
  let at = 4 + payload.readUInt32LE(0);
  const target = payload.subarray(4, at);
  while (at + 6 <= payload.length) {
    const nameEnd = at + 6 + payload.readUInt16LE(at);
    const valueEnd = nameEnd + payload.readUInt32LE(at + 2);
    if (valueEnd > payload.length) throw malformed(record.raw, 0, `a base-node payload (seq ${record.seq}) whose extended attributes are cut`);
    xattrs.set(payload.toString('latin1', at + 6, nameEnd), payload.subarray(nameEnd, valueEnd));
    at = valueEnd;
  }
  return { target, xattrs };
}

function malformed(raw: Buffer, at: number, what: string): RewindError {
  const seq = raw.length - at >= 16 ? u64(viewOf(raw), at + 8) : 0;
  return new RewindError('ERR_JOURNAL_CORRUPT', `journal record ${seq} has ${what}`, 'The journal was written by another version, or its segment is damaged.');
}
