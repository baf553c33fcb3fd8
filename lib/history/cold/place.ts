/**
 * What stays in `content` of a content that is cold: where it lies, and as much of it as is asked without reading it: its
 * hash, and what it is based on. docs/history.md says the bytes.
 */
import { depthOf } from '../codec.js';
import { MOST_VARINT_BYTES, Packer, Unpacker } from '../packing.js';
import { Codec, CONTENT_HEAD, corrupt, dictionaryOf } from '../values.js';

/** Of a frame in a cold file: the file's number, where the frame begins, and its bytes. */
export interface ColdPlace { file: number; at: number; length: number }

/** The `content` value that stands for this one once that lies in a cold file. */
export function encodeCold(value: Buffer, { file, at, length }: ColdPlace): Buffer {
  const packer = new Packer(CONTENT_HEAD + 4 * MOST_VARINT_BYTES + 1);
  packer.u8(Codec.Cold);
  packer.copy(value, 1, CONTENT_HEAD);
  packer.varint(dictionaryOf(value));
  packer.u8(depthOf(value));
  packer.varint(file);
  packer.varint(at);
  packer.varint(length);
  return Buffer.from(packer.packed());
}

/** Where a content lies; null when its value is in the database. @throws ERR_HISTORY_CORRUPT */
export function coldPlaceOf(value: Buffer): ColdPlace | null {
  if (value[0] !== Codec.Cold) return null;
  const from = new Unpacker(value, CONTENT_HEAD);
  from.varint();
  from.u8();
  const place = { file: from.varint(), at: from.varint(), length: from.varint() };
  if (from.more || !Object.values(place).every((number) => Number.isSafeInteger(number) && number > 0)) throw corrupt('content whose place in a cold file cannot be');
  return place;
}
