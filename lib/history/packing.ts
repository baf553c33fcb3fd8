/**
 * Numbers and bytes one after another, for the values of history that hold a run of entries. Guarantee: what was packed is
 * what is unpacked, for whole numbers up to 2^53 - 1; a value that ends too early is refused with ERR_HISTORY_CORRUPT.
 */
import { corrupt } from './values.js';

const FIRST_BYTES = 1 << 16;
const TWO_32 = 0x1_0000_0000;
/** Below this, bit operations are exact. */
const TWO_31 = 0x8000_0000;
/** Fewer bytes than this are copied one by one: a call costs more. */
const SHORT_BYTES = 24;

/** Bytes of a number of seven bits a byte, at most. */
export const MOST_VARINT_BYTES = 8;

export class Packer {
  bytes: Buffer;
  /** The same memory. */
  view: DataView;
  length = 0;

  constructor(firstBytes = FIRST_BYTES) {
    this.bytes = Buffer.allocUnsafeSlow(firstBytes);
    this.view = viewOf(this.bytes);
  }

  /** Begins another value. */
  clear(): void {
    this.length = 0;
  }

  /** Makes room for so many more bytes. Nothing below does. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.length + count));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
    this.view = viewOf(larger);
  }

  u8(value: number): void {
    this.bytes[this.length++] = value;
  }

  u16(value: number): void {
    this.view.setUint16(this.length, value);
    this.length += 2;
  }

  u32(value: number): void {
    this.view.setUint32(this.length, value);
    this.length += 4;
  }

  u64(value: bigint): void {
    this.view.setBigUint64(this.length, value);
    this.length += 8;
  }

  /** Seven bits a byte, the lowest first; bit 7: more follow. */
  varint(value: number): void {
    const { bytes } = this;
    for (; value >= TWO_31; value = Math.floor(value / 128)) bytes[this.length++] = (value % 128) | 128;
    for (; value >= 128; value >>>= 7) bytes[this.length++] = (value & 127) | 128;
    bytes[this.length++] = value;
  }

  /** [from, to) of these bytes. */
  copy(source: Buffer, from: number, to: number): void {
    const { bytes, length } = this;
    if (to - from <= SHORT_BYTES) for (let i = from; i < to; i++) bytes[length + i - from] = source[i]!;
    else source.copy(bytes, length, from, to);
    this.length += to - from;
  }

  /** A latin1 string and its length. */
  text(text: string): void {
    this.varint(text.length);
    this.bytes.write(text, this.length, 'latin1');
    this.length += text.length;
  }

  /** What was packed since `clear`, untouched until the next one. */
  packed(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}

export class Unpacker {
  constructor(private readonly value: Buffer, public at = 0) {}

  get more(): boolean {
    return this.at < this.value.length;
  }

  /** So many bytes lie from here on. Answers where they begin. */
  skip(count: number): number {
    const from = this.at;
    if (from + count > this.value.length) throw corrupt(`a value of ${this.value.length} bytes that ends before its ${count} bytes from ${from} on`);
    this.at += count;
    return from;
  }

  u8(): number { return this.value[this.skip(1)]!; }
  u16(): number { return this.value.readUInt16BE(this.skip(2)); }
  u32(): number { return this.value.readUInt32BE(this.skip(4)); }
  u64(): bigint { return this.value.readBigUInt64BE(this.skip(8)); }

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.u8();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      if (factor > TWO_32 * TWO_32) throw corrupt('a number that does not end');
    }
  }

  text(): string {
    const length = this.varint();
    const from = this.skip(length);
    return this.value.toString('latin1', from, from + length);
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
