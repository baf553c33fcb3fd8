/**
 * RocksDB's little-endian numbers and strings, read from bytes that may be damaged. Guarantee: whatever the bytes are, a
 * read answers what lies within them or throws Damaged; it never answers what lies behind their end.
 */

/** Bytes that cannot be what they should be. Never leaves lib/repair. */
export class Damaged extends Error {}

export class RawReader {
  constructor(readonly bytes: Buffer, public at = 0, readonly end = bytes.length) {}

  get more(): boolean {
    return this.at < this.end;
  }

  /** The next `count` bytes: a view of them. */
  take(count: number): Buffer {
    if (count > this.end - this.at) throw new Damaged(`${count} bytes where ${this.end - this.at} are left`);
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  u8(): number { return this.take(1)[0]!; }
  u32(): number { return this.take(4).readUInt32LE(0); }
  /** A u64 that is a safe integer. */
  u64(): number { return safe(this.take(8).readBigUInt64LE(0)); }

  varint(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 63; factor *= 128) {
      const byte = this.u8();
      value += (byte & 127) * factor;
      if (byte < 128) {
        if (!Number.isSafeInteger(value)) throw new Damaged(`a number of ${value}`);
        return value;
      }
    }
    throw new Damaged('a number that does not end');
  }

  /** A length and so many bytes. */
  slice(): Buffer {
    return this.take(this.varint());
  }
}

export function safe(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Damaged(`a number of ${value}`);
  return Number(value);
}

/** Why something cannot be read. @throws what is no damage */
export function reason(error: unknown): string {
  if (error instanceof Damaged) return error.message;
  throw error;
}
