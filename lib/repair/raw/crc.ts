/** RocksDB's checksum of log records and blobs (util/crc32c.h). */
import { native } from '../../native.js';

/** A stored CRC-32C is masked, so that a checksum over checksums means something. */
export function maskedCrc(...parts: readonly Buffer[]): number {
  const crc = parts.reduce((seed, part) => native.crc32c(part, seed), 0);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
