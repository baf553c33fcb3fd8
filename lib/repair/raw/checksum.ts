/** RocksDB's checksums (util/crc32c.h, table/format.cc): of log records and blobs, and of the blocks of a table. */
import { createXXHash3 } from 'hash-wasm';
import { native } from '../../native.js';

const xxh3 = await createXXHash3();

/** A stored CRC-32C is masked, so that a checksum over checksums means something. */
export function maskedCrc(...parts: readonly Buffer[]): number {
  const crc = parts.reduce((seed, part) => native.crc32c(part, seed), 0);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Of a block and the byte that says how it is compressed; `base`: what the table's footer mixes into each, 0 = nothing. */
export function blockChecksum(block: Buffer, compression: number, base: number, offset: number): number {
  const hash = Number.parseInt(xxh3.init().update(block).digest('hex').slice(8), 16);
  const mixed = (hash ^ Math.imul(compression, 0x6b9083d9)) >>> 0;
  if (base === 0) return mixed;
  const context = (base ^ ((offset + Math.floor(offset / 2 ** 32)) >>> 0)) >>> 0;
  return (mixed + context) >>> 0;
}
