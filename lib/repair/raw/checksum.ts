/** RocksDB's checksum of the blocks of a table (table/format.cc): the lower half of XXH3. */
import { createXXHash3 } from 'hash-wasm';

const xxh3 = await createXXHash3();

/** Of a block and the byte that says how it is compressed; `base`: what the table's footer mixes into each, 0 = nothing. */
export function blockChecksum(block: Buffer, compression: number, base: number, offset: number): number {
  const hash = Number.parseInt(xxh3.init().update(block).digest('hex').slice(8), 16);
  const mixed = (hash ^ Math.imul(compression, 0x6b9083d9)) >>> 0;
  if (base === 0) return mixed;
  const context = (base ^ ((offset + Math.floor(offset / 2 ** 32)) >>> 0)) >>> 0;
  return (mixed + context) >>> 0;
}
