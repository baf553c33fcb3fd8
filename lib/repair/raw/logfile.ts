/**
 * The records of a RocksDB log (db/log_format.h): write-ahead logs and manifests are such files. Guarantee: a record is
 * answered only whole and with a right checksum; what follows the first damage is not read. Zeroes, and a record that the
 * file ends in, are the end of it as a crash leaves it, and told apart from damage.
 */
import { RawReader } from './bytes.js';
import { maskedCrc } from './crc.js';

const BLOCK_BYTES = 32768;
const HEAD_BYTES = 7;
/** Types of a recycled file have its number behind the head. */
const RECYCLED = { from: 5, to: 8, extra: 4 };
/** Types that older programs pass over. */
const IGNORED = 128;

const enum Part { Full = 1, First = 2, Middle = 3, Last = 4 }

export interface LogRecords {
  records: Buffer[];
  /** What ended it: its end; a record that is cut; or why what lies there is none. */
  ended: 'whole' | 'cut' | { at: number; why: string };
}

/** @param most records that are wanted at most */
export function readLog(file: Buffer, most = Infinity): LogRecords {
  const records: Buffer[] = [];
  let parts: Buffer[] = [];
  let at = 0;
  const ended = (why: string): LogRecords => ({ records, ended: { at, why } });
  while (at < file.length && records.length < most) {
    const left = BLOCK_BYTES - (at % BLOCK_BYTES);
    if (left < HEAD_BYTES) {
      at += left;
      continue;
    }
    if (at + HEAD_BYTES > file.length) return { records, ended: 'cut' };
    const head = new RawReader(file, at);
    const [crc, length, type] = [head.u32(), head.take(2).readUInt16LE(0), head.u8()];
    if (crc === 0 && length === 0 && type === 0) return rest(file, at) ? ended('zeroes, and more behind them') : { records, ended: parts.length > 0 ? 'cut' : 'whole' };
    const recycled = type >= RECYCLED.from && type <= RECYCLED.to;
    const from = at + HEAD_BYTES + (recycled ? RECYCLED.extra : 0);
    const end = from + length;
    if (end - at > left) return ended(`a part of ${length} bytes, which does not fit its block`);
    if (end > file.length) return { records, ended: 'cut' };
    if (maskedCrc(file.subarray(at + 6, end)) !== crc) return ended('a wrong checksum');
    at = end;
    const part = recycled ? type - RECYCLED.from + 1 : type;
    if (part > Part.Last) {
      if (part >= IGNORED) continue;
      return ended(`a part of type ${type}, which is not known`);
    }
    const first = part === Part.Full || part === Part.First;
    if (first === parts.length > 0) return ended(first ? 'a record that begins within another' : 'a record without its beginning');
    parts.push(file.subarray(from, end));
    if (part === Part.First || part === Part.Middle) continue;
    records.push(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
    parts = [];
  }
  return { records, ended: parts.length > 0 ? 'cut' : 'whole' };
}

/** Is there anything but zeroes from here on? */
const rest = (file: Buffer, at: number): boolean => file.subarray(at).some((byte) => byte !== 0);
