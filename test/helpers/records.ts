/** Journal records as bytes, from plain objects: what the engine would have written (docs/journal.md). */
import { ATTR_BYTES, RECORD_HEAD_BYTES } from '../../lib/extractor/record.js';

/** Attributes as the journal has them; times in ns. */
export interface AttrDraft {
  mode: number; uid: number; gid: number; nlink: number; size: number; rdev: bigint;
  atime: bigint; mtime: bigint; ctime: bigint; btime: bigint;
}

export interface RecordDraft {
  kind: number;
  seq: number;
  timeNs?: bigint;
  writer?: number;
  save?: number;
  ino?: number;
  parent?: number;
  offset?: number;
  length?: number;
  flags?: number;
  aux?: number;
  attr?: AttrDraft | undefined;
  parentAttr?: AttrDraft | undefined;
  parent2?: { ino: number; attr: AttrDraft } | undefined;
  target?: { ino: number; attr: AttrDraft } | undefined;
  name?: string;
  name2?: string;
  payload?: Buffer | object;
}

const NS = 1_000_000_000n;
const align8 = (n: number): number => (n + 7) & ~7;

/** Attr of format.h. */
export function encodeAttr(attr: AttrDraft): Buffer {
  const bytes = Buffer.alloc(ATTR_BYTES);
  bytes.writeUInt32LE(attr.mode, 0);
  bytes.writeUInt32LE(attr.uid, 4);
  bytes.writeUInt32LE(attr.gid, 8);
  bytes.writeUInt32LE(attr.nlink, 12);
  bytes.writeBigUInt64LE(BigInt(attr.size), 16);
  bytes.writeBigUInt64LE(attr.rdev, 24);
  [attr.atime, attr.mtime, attr.ctime, attr.btime].forEach((time, i) => {
    bytes.writeBigInt64LE(time / NS, 32 + 8 * i);
    bytes.writeUInt32LE(Number(time % NS), 64 + 4 * i);
  });
  return bytes;
}

function inoAttr(value: { ino: number; attr: AttrDraft }): Buffer {
  const ino = Buffer.alloc(8);
  ino.writeBigUInt64LE(BigInt(value.ino));
  return Buffer.concat([ino, encodeAttr(value.attr)]);
}

/** The whole record, checksums left at 0. A payload that is no Buffer is written as JSON. */
export function encodeRecord(draft: RecordDraft): Buffer {
  const name = Buffer.from(draft.name ?? '', 'latin1');
  const name2 = Buffer.from(draft.name2 ?? '', 'latin1');
  const payload = draft.payload === undefined ? Buffer.alloc(0) : Buffer.isBuffer(draft.payload) ? draft.payload : Buffer.from(JSON.stringify(draft.payload));
  const sections = [
    ...(draft.attr ? [encodeAttr(draft.attr)] : []), ...(draft.parentAttr ? [encodeAttr(draft.parentAttr)] : []),
    ...(draft.parent2 ? [inoAttr(draft.parent2)] : []), ...(draft.target ? [inoAttr(draft.target)] : []),
  ];
  const front = Buffer.concat([Buffer.alloc(RECORD_HEAD_BYTES), ...sections, name, name2]);
  const payloadAt = align8(front.length);
  const record = Buffer.alloc(align8(payloadAt + payload.length));
  front.copy(record);
  payload.copy(record, payloadAt);
  const u64 = (value: number | bigint | undefined, at: number) => record.writeBigUInt64LE(BigInt(value ?? 0), at);
  record.writeUInt32LE(record.length, 0);
  u64(draft.seq, 8);
  u64(draft.timeNs ?? BigInt(draft.seq) * 1000n, 16);
  u64(draft.writer, 24);
  u64(draft.save, 32);
  u64(draft.ino, 40);
  u64(draft.parent, 48);
  u64(draft.offset, 56);
  u64(draft.length, 64);
  record.writeUInt16LE(draft.kind, 72);
  record.writeUInt16LE(draft.flags ?? 0, 74);
  record.writeUInt16LE((draft.attr ? 1 : 0) | (draft.parentAttr ? 2 : 0) | (draft.parent2 ? 4 : 0) | (draft.target ? 8 : 0), 76);
  record.writeUInt16LE(name.length, 78);
  record.writeUInt16LE(name2.length, 80);
  record.writeUInt32LE(draft.aux ?? 0, 84);
  record.writeUInt32LE(payload.length, 88);
  return record;
}

/** Payload of a base-node record. */
export function encodeBaseNode(target: Buffer, xattrs: ReadonlyMap<string, Buffer>): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(target.length);
  const parts = [head, target];
  for (const [name, value] of xattrs) {
    const entry = Buffer.alloc(6);
    entry.writeUInt16LE(name.length, 0);
    entry.writeUInt32LE(value.length, 2);
    parts.push(entry, Buffer.from(name, 'latin1'), value);
  }
  return Buffer.concat(parts);
}
