/**
 * Values that lie in RocksDB's blob files (db/blob/blob_log_format.h). Guarantee: a value is answered only with a right
 * checksum over it and its key.
 */
import { Damaged, RawReader } from './bytes.js';
import { maskedCrc } from './crc.js';
import type { FileHandle } from 'node:fs/promises';

const RECORD_HEAD_BYTES = 32;
const MOST_VALUE_BYTES = 64 << 20;
/** The only kind of index that history's options make: without an expiry, uncompressed. */
const PLAIN = 1;

/** Where a value lies. */
export interface BlobPlace { file: number; offset: number; size: number }

export function blobPlace(index: Buffer): BlobPlace {
  const from = new RawReader(index);
  const kind = from.u8();
  if (kind !== PLAIN) throw new Damaged(`a value of kind ${kind} outside of its table`);
  const place = { file: from.varint(), offset: from.varint(), size: from.varint() };
  if (from.u8() !== 0) throw new Damaged('a value that is compressed, which history does not do');
  return place;
}

export async function readBlob(file: FileHandle, key: Buffer, { offset, size }: BlobPlace): Promise<Buffer> {
  const at = offset - key.length - RECORD_HEAD_BYTES;
  if (at < 0 || size > MOST_VALUE_BYTES) throw new Damaged(`a value of ${size} bytes at ${offset}`);
  const bytes = Buffer.alloc(RECORD_HEAD_BYTES + key.length + size);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, at).catch((error: NodeJS.ErrnoException) => {
    throw new Damaged(`a read that fails (${error.code})`);
  });
  if (bytesRead < bytes.length) throw new Damaged(`a blob file that ends within the value at ${offset}`);
  const head = new RawReader(bytes);
  const [keyBytes, valueBytes] = [head.take(8).readBigUInt64LE(0), head.take(8).readBigUInt64LE(0)];
  head.take(8);
  const [headCrc, crc] = [head.u32(), head.u32()];
  const [own, value] = [head.take(key.length), head.take(size)];
  if (headCrc !== maskedCrc(bytes.subarray(0, 24)) || keyBytes !== BigInt(key.length) || valueBytes !== BigInt(size) || !own.equals(key)) throw new Damaged(`no value of this key at ${offset}`);
  if (crc !== maskedCrc(own, value)) throw new Damaged(`a value with a wrong checksum at ${offset}`);
  return value;
}
