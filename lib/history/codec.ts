/**
 * Values of `content`, byte for byte as docs/history.md says: as it is, compressed, or compressed with the bytes of another
 * content as dictionary. Guarantee: what is decoded has the hash that is kept with it; anything else is refused with
 * ERR_HISTORY_CORRUPT, so that damage is never read as content.
 */
import { hashOf } from './hash.js';
import { MOST_VARINT_BYTES, Packer, Unpacker } from './packing.js';
import { BLOCK_BYTES, Codec, CONTENT_HEAD, corrupt, dictionaryOf } from './values.js';
import { compress, decompress } from './zstd.js';

export { dictionaryOf };

/** A chain of dictionaries longer than this is damage. The packer makes shorter ones. */
export const MOST_DEPTH = 32;

/** What a content is based on, and how many dictionaries deep it lies with it. */
export interface Base { id: number; depth: number; bytes: Buffer }

/** A value of these bytes, compressed. */
export function encodePacked(bytes: Buffer, level: number, base?: Base): Buffer {
  const head = new Packer(CONTENT_HEAD + MOST_VARINT_BYTES + 1);
  head.u8(base === undefined ? Codec.Zstd : Codec.Delta);
  head.u64(hashOf(bytes));
  if (base !== undefined) {
    head.varint(base.id);
    head.u8(base.depth);
  }
  return Buffer.concat([head.packed(), compress(bytes, level, base?.bytes)]);
}

/** How many dictionaries deep a content lies. */
export function depthOf(value: Buffer): number {
  if (value[0] !== Codec.Delta && value[0] !== Codec.Cold) return 0;
  const from = new Unpacker(value, CONTENT_HEAD);
  from.varint();
  return from.u8();
}

/** The bytes of a `content` value; `dictionary`: those of the content that it is based on. */
export function decodeContent(value: Buffer, dictionary?: Buffer): Buffer {
  if (value.length < CONTENT_HEAD) throw corrupt(`content of ${value.length} bytes`);
  const hash = value.readBigUInt64BE(1);
  const bytes = decoded(value, dictionary);
  if (hash !== 0n && hashOf(bytes) !== hash) throw corrupt(`content of ${bytes.length} bytes with another hash than it had`);
  return bytes;
}

function decoded(value: Buffer, dictionary: Buffer | undefined): Buffer {
  switch (value[0]) {
    case Codec.Plain: return value.subarray(CONTENT_HEAD);
    case Codec.Zstd: return decompress(value.subarray(CONTENT_HEAD), BLOCK_BYTES);
    case Codec.Delta: {
      if (dictionary === undefined) throw corrupt('content without the one that it is based on');
      const from = new Unpacker(value, CONTENT_HEAD);
      from.varint();
      from.u8();
      return decompress(value.subarray(from.at), BLOCK_BYTES, dictionary);
    }
    default: throw corrupt(`content with codec ${value[0]}, which holds no bytes`);
  }
}
