/**
 * Raw journal bytes -> records. Guarantees: what native/journal/format.h and docs/journal.md say is what is read here
 * (test/lib/extractor/format.ts holds the three together); a record whose sections do not fit its size is refused. The
 * journal's reader has already checked both checksums and the order of seqs.
 */
import { RewindError } from '../errors.js';
import { attrSize } from '../history/values.js';

/** `Kind` of native/journal/format.h. */
export const Kind = {
  Mount: 1, Unmount: 2, Writer: 3, Gap: 4, Mark: 5,
  Create: 8, Mkdir: 9, Symlink: 10, Mknod: 11, Tmpfile: 12, Link: 13, Unlink: 14, Rmdir: 15, Rename: 16,
  Write: 24, Truncate: 25, Fallocate: 26, Setattr: 27, Setxattr: 28, Removexattr: 29,
  Open: 32, Close: 33,
  BaseNode: 40, BaseName: 41, BaseAbsent: 42, BaseData: 43, BaseEnd: 44,
} as const;

/** `Flags` of native/journal/format.h. */
export const Flag = { Opened: 1, Exchange: 2, More: 4, Writeback: 8, Unmounted: 16, NoReplace: 32, Uncaptured: 64, Captured: 128 } as const;

/** `Sections` of native/journal/format.h. */
export const Section = { Attr: 1, Parent: 2, Parent2: 4, Target: 8 } as const;

/** sizeof(RecordHead), sizeof(Attr). */
export const RECORD_HEAD_BYTES = 96;
export const ATTR_BYTES = 80;

/** One record. Attributes stay where they are in `raw`; a place of 0 means that the section is missing. */
export interface Record {
  raw: Buffer;
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
}

const u64 = (raw: Buffer, at: number): number => raw.readUInt32LE(at) + raw.readUInt32LE(at + 4) * 0x1_0000_0000;
const align8 = (n: number): number => (n + 7) & ~7;

/** The record at this place of a journal read. `end` is where the next one starts. */
export function decodeRecord(raw: Buffer, at: number): { record: Record; end: number } {
  const size = raw.length - at >= RECORD_HEAD_BYTES ? raw.readUInt32LE(at) : 0;
  if (size < RECORD_HEAD_BYTES || at + size > raw.length) throw malformed(raw, at, `a size of ${size} bytes, ${raw.length - at} are there`);
  const sections = raw.readUInt16LE(at + 76);
  let next = at + RECORD_HEAD_BYTES;
  const section = (bit: number, bytes: number): number => {
    if ((sections & bit) === 0) return 0;
    const here = next;
    next += bytes;
    return here;
  };
  const attrAt = section(Section.Attr, ATTR_BYTES);
  const parentAttrAt = section(Section.Parent, ATTR_BYTES);
  const parent2At = section(Section.Parent2, 8 + ATTR_BYTES);
  const targetAt = section(Section.Target, 8 + ATTR_BYTES);
  const name2At = next + raw.readUInt16LE(at + 78);
  const namesEnd = name2At + raw.readUInt16LE(at + 80);
  const payloadAt = at + align8(namesEnd - at);
  const payloadBytes = raw.readUInt32LE(at + 88);
  if (payloadAt + payloadBytes > at + size) throw malformed(raw, at, `sections and payload that end ${payloadAt + payloadBytes - at - size} bytes behind it`);
  const record: Record = {
    raw, seq: u64(raw, at + 8), timeNs: raw.readBigUInt64LE(at + 16), writer: u64(raw, at + 24), save: u64(raw, at + 32),
    ino: u64(raw, at + 40), parent: u64(raw, at + 48), offset: u64(raw, at + 56), length: u64(raw, at + 64),
    kind: raw.readUInt16LE(at + 72), flags: raw.readUInt16LE(at + 74), aux: raw.readUInt32LE(at + 84),
    attrAt, parentAttrAt,
    parent2: parent2At === 0 ? 0 : u64(raw, parent2At), parent2AttrAt: parent2At === 0 ? 0 : parent2At + 8,
    target: targetAt === 0 ? 0 : u64(raw, targetAt), targetAttrAt: targetAt === 0 ? 0 : targetAt + 8,
    name: next === name2At ? '' : raw.toString('latin1', next, name2At),
    name2: name2At === namesEnd ? '' : raw.toString('latin1', name2At, namesEnd),
    payloadAt, payloadBytes,
  };
  return { record, end: at + size };
}

/** At most `limit` records from `at` on. */
export function decodeRecords(raw: Buffer, at: number, limit: number): { records: Record[]; end: number } {
  const records: Record[] = [];
  let next = at;
  while (next < raw.length && records.length < limit) {
    const { record, end } = decodeRecord(raw, next);
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
  const seq = raw.length - at >= 16 ? u64(raw, at + 8) : 0;
  return new RewindError('ERR_JOURNAL_CORRUPT', `journal record ${seq} has ${what}`, 'The journal was written by another version, or its segment is damaged.');
}
