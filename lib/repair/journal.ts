/**
 * The journal's segments as far as they are whole, read when the engine's own reader refuses them. Guarantees: nothing is
 * written; a record is answered only with both checksums right, of this store, and with the seq that follows the one before.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RewindError } from '../errors.js';
import { decodeRecord, RECORD_HEAD_BYTES, type Record } from '../extractor/record.js';
import type { Seq } from '../history/types.js';
import { native } from '../native.js';

/** native/journal/format.h; docs/journal.md has the layout. */
const SEGMENT_HEAD_BYTES = 64;
const MAGIC = Buffer.from('RWNDSEG1');
const VERSION = 1;
/** Records that are given at a time. */
const GROUP = 1024;

export interface JournalEnd {
  /** No record was later than this one: of what is damaged as many are counted as would have room. */
  last: Seq;
  /** Why what follows `next` is not given; null at the end. */
  why: string | null;
}

/** Whole records from `next` on, in groups. @throws ERR_STORE_FORMAT for segments of a newer version */
export async function* wholeRecords(directory: string, storeId: Buffer, next: Seq): AsyncGenerator<Record[], JournalEnd> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => /^[0-9a-f]{16}\.seg$/.test(name)).sort();
  const end: JournalEnd = { last: 0, why: null };
  for (const name of names) {
    const segment = await readFile(join(directory, name)).catch(() => Buffer.alloc(0));
    const first = Number.parseInt(name, 16);
    const problem = headProblem(segment, storeId, name);
    if (problem !== null) end.why ??= problem.why;
    // Its records were never ours: nothing is lost with them.
    if (problem?.isOther === true) continue;
    let at = SEGMENT_HEAD_BYTES;
    let group: Record[] = [];
    for (; problem === null && at + 4 <= segment.length && segment.readUInt32LE(at) !== 0; at += segment.readUInt32LE(at)) {
      let record = wholeRecord(segment, at);
      if (record === null) {
        // What history holds already is no loss: it goes on behind that.
        const further = wholeFrom(segment, at, next);
        if (further !== null) [at, record] = [further, wholeRecord(segment, further)];
      }
      if (record === null) {
        end.why ??= `${name}: what lies at byte ${at} is not a whole record`;
        break;
      }
      end.last = Math.max(end.last, record.seq);
      if (record.seq > next) end.why ??= `${name}: record ${record.seq} where ${next} was expected`;
      if (record.seq !== next || end.why !== null) continue;
      next++;
      group.push(record);
      if (group.length < GROUP) continue;
      yield group;
      group = [];
    }
    // Behind what is damaged records may lie that nobody can find: none of them gets its seq again.
    end.last = Math.max(end.last, first - 1, ...end.why === null ? [] : [Math.max(end.last, first - 1) + roomFor(segment, at)]);
    if (group.length > 0) yield group;
  }
  return end;
}

/** How many records could lie there, up to the zeroes at a segment's end. */
function roomFor(segment: Buffer, from: number): number {
  let end = segment.length;
  while (end > from && segment[end - 1] === 0) end--;
  return Math.ceil((end - from) / RECORD_HEAD_BYTES);
}

function headProblem(segment: Buffer, storeId: Buffer, name: string): { why: string; isOther: boolean } | null {
  if (segment.length < SEGMENT_HEAD_BYTES) return { why: `${name}: it has no head`, isOther: false };
  const head = Buffer.from(segment.subarray(0, SEGMENT_HEAD_BYTES));
  const crc = head.readUInt32LE(12);
  head.writeUInt32LE(0, 12);
  if (!head.subarray(0, MAGIC.length).equals(MAGIC) || native.crc32c(head) !== crc) return { why: `${name}: its head is damaged`, isOther: false };
  if (head.readUInt32LE(8) > VERSION) throw new RewindError('ERR_STORE_FORMAT', `${name} has format ${head.readUInt32LE(8)}, this rewindfs knows up to ${VERSION}`, 'Use the version of rewindfs that wrote it.');
  return head.subarray(16, 32).equals(storeId) ? null : { why: `${name}: it belongs to another store`, isOther: true };
}

/** Where the first whole record of up to `next` lies from `at` on; null without one. */
function wholeFrom(segment: Buffer, at: number, next: Seq): number | null {
  for (let place = at + 8; place + RECORD_HEAD_BYTES <= segment.length; place += 8) {
    const [size, seq] = [segment.readUInt32LE(place), segment.readBigUInt64LE(place + 8)];
    if (size < RECORD_HEAD_BYTES || size % 8 !== 0 || size > segment.length - place || seq === 0n || seq > BigInt(next)) continue;
    if (wholeRecord(segment, place) !== null) return place;
  }
  return null;
}

function wholeRecord(segment: Buffer, at: number): Record | null {
  try {
    const { record, end } = decodeRecord(segment, at);
    if (segment.length - at < RECORD_HEAD_BYTES || end > segment.length) return null;
    const payload = segment.subarray(record.payloadAt, record.payloadAt + record.payloadBytes);
    const head = native.crc32c(segment.subarray(at + 8, record.payloadAt), native.crc32c(segment.subarray(at, at + 4)));
    return head === segment.readUInt32LE(at + 4) && native.crc32c(payload) === segment.readUInt32LE(at + RECORD_HEAD_BYTES - 4) ? record : null;
  } catch {
    return null;
  }
}
