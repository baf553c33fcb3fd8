/** What test/native/disk logged: every write and flush of some disks, in the order in which it reached them. */
import fs from 'node:fs';

/** As in test/native/disk/log.h. */
const ENTRY_BYTES = 24;
const FLUSH = 2;
const READ_BYTES = 1 << 22;

export interface LoggedRequest {
  timeNs: bigint;
  disk: number;
  flush: boolean;
  /** On the disk. */
  offset: number;
  bytes: number;
  /** Of the data, in the log. */
  at: number;
}

/** All requests of a log, without their data. A last one that is not whole was never answered: it is left out. */
export function readLog(path: string): LoggedRequest[] {
  const fd = fs.openSync(path, 'r');
  try {
    const { size } = fs.fstatSync(fd);
    const requests: LoggedRequest[] = [];
    let buffer = Buffer.alloc(0);
    let start = 0;
    for (let at = 0; at + ENTRY_BYTES <= size;) {
      if (at < start || at + ENTRY_BYTES > start + buffer.length) {
        buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, size - at));
        fs.readSync(fd, buffer, 0, buffer.length, at);
        start = at;
      }
      const entry = buffer.subarray(at - start, at - start + ENTRY_BYTES);
      const request = {
        timeNs: entry.readBigUInt64LE(0), offset: Number(entry.readBigUInt64LE(8)), bytes: entry.readUInt32LE(16),
        disk: entry.readUInt16LE(20), flush: entry.readUInt16LE(22) === FLUSH, at: at + ENTRY_BYTES,
      };
      at = request.at + request.bytes;
      if (at <= size) requests.push(request);
    }
    return requests;
  } finally {
    fs.closeSync(fd);
  }
}
