/**
 * zstd (RFC 8878), compiled to WebAssembly: it comes with its npm package whole, so that nothing is built or downloaded when
 * rewindfs is installed. Guarantees: what was compressed is what is decompressed, with the same dictionary if there was one;
 * a frame that is damaged, or says that it holds more than it may, is refused with ERR_HISTORY_CORRUPT before memory is taken.
 */
import * as wasm from '@bokuweb/zstd-wasm';
import { corrupt } from './values.js';

await wasm.init();
const compressing = wasm.createCCtx();
const decompressing = wasm.createDCtx();

const MAGIC = 0xfd2fb528;

/** One frame, which says how many bytes it holds. A dictionary is bytes that the content may resemble. */
export function compress(bytes: Uint8Array, level: number, dictionary?: Uint8Array): Buffer {
  const frame = dictionary === undefined ? wasm.compress(bytes, level) : wasm.compressUsingDict(compressing, bytes, dictionary, level);
  return Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
}

/**
 * What a frame holds, at most so many bytes.
 * @throws RewindError ERR_HISTORY_CORRUPT
 */
export function decompress(frame: Buffer, mostBytes: number, dictionary?: Uint8Array): Buffer {
  const size = contentSize(frame);
  if (size > mostBytes) throw corrupt(`a compressed value of ${size} bytes, at most ${mostBytes} were expected`);
  // zstd itself never reads or writes beyond what it was given; an empty one it need not be asked for.
  if (size === 0) return Buffer.alloc(0);
  let bytes: Uint8Array;
  try {
    bytes = dictionary === undefined ? wasm.decompress(frame) : wasm.decompressUsingDict(decompressing, frame, dictionary);
  } catch (cause) {
    throw corrupt(`a compressed value of ${frame.length} bytes that cannot be read (${(cause as Error).message})`);
  }
  if (bytes.length !== size) throw corrupt(`a compressed value of ${bytes.length} bytes, it says ${size}`);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What the head of a frame (RFC 8878, 3.1.1.1) says of its length. */
function contentSize(frame: Buffer): number {
  if (frame.length < 6 || frame.readUInt32LE(0) !== MAGIC) throw corrupt(`${frame.length} bytes that are no compressed value`);
  const descriptor = frame[4]!;
  const single = (descriptor & 0x20) !== 0;
  const form = descriptor >> 6;
  const bytes = form === 0 ? (single ? 1 : 0) : 1 << form;
  const at = 5 + (single ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!;
  if (bytes === 0 || frame.length < at + bytes) throw corrupt('a compressed value that does not say how long it is');
  if (bytes === 8) return Number(frame.readBigUInt64LE(at));
  return frame.readUIntLE(at, bytes) + (bytes === 2 ? 256 : 0);
}
