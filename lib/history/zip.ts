/**
 * Small values of a database, compressed one by one: RocksDB is built without compression here. Most resemble others of their
 * family, so that each is compressed with a dictionary of such values, which `meta` keeps for ever. Guarantee: whoever
 * reads through Rocks sees values as they were, compressed or not; one that cannot be read is refused with ERR_HISTORY_CORRUPT.
 */
import type { Family } from './families.js';
import { corrupt } from './values.js';
import { compress, decompress } from './zstd.js';

/** A byte that is never this says that a value is compressed when it is: where, by family. docs/history.md says why. */
const MARK = 255;
const MARK_AT: Partial<Record<Family, number>> = { nodes: 7, blocks: 0, changes: 0, nodechanges: 0, times: 0 };

/** Families whose values may be compressed. */
export const ZIPPED_FAMILIES = Object.keys(MARK_AT) as Family[];
/** Keys of dictionaries in `meta` begin so: family and number follow. */
export const META_DICTIONARY = 'dictionary.';
/** Longer values are left as they are. */
export const MOST_ZIPPED_BYTES = 1 << 20;

const MAGIC = Buffer.from('28b52ffd', 'hex');
/** A compressed value takes at most this part of what it was, or it is none. */
const WORTH = 0.9;

export const dictionaryKey = (family: Family, number: number): Buffer => Buffer.from(`${META_DICTIONARY}${family}.${number}`);

export function isZipped(family: Family, value: Buffer): boolean {
  const at = MARK_AT[family];
  return at !== undefined && value[at] === MARK;
}

/** The dictionaries of a database. */
export class Zip {
  private readonly dictionaries = new Map<Family, Map<number, Buffer>>();

  /** A dictionary as it lies in `meta`. */
  learn(key: Buffer, dictionary: Buffer): void {
    const [, family, number] = key.toString('latin1').split('.');
    const known = this.dictionaries.get(family as Family) ?? new Map<number, Buffer>();
    known.set(Number(number), dictionary);
    this.dictionaries.set(family as Family, known);
  }

  /** Number of the newest dictionary of a family; 0 = none. */
  newest(family: Family): number {
    return Math.max(0, ...this.dictionaries.get(family)?.keys() ?? []);
  }

  /** The value compressed, or null when that is hardly smaller. */
  zip(family: Family, value: Buffer, level: number): Buffer | null {
    const at = MARK_AT[family];
    if (at === undefined || value.length > MOST_ZIPPED_BYTES) return null;
    const number = this.newest(family);
    const frame = compress(value, level, this.dictionaries.get(family)?.get(number));
    const packed = Buffer.concat([Buffer.from([number]), frame.subarray(MAGIC.length)]);
    if (packed.length < at || packed.length + 1 > value.length * WORTH) return null;
    return Buffer.concat([packed.subarray(0, at), Buffer.from([MARK]), packed.subarray(at)]);
  }

  /** The value as it was. */
  unzip(family: Family, value: Buffer): Buffer {
    const at = MARK_AT[family];
    if (at === undefined || value[at] !== MARK) return value;
    const packed = Buffer.concat([value.subarray(0, at), value.subarray(at + 1)]);
    const number = packed[0]!;
    const dictionary = this.dictionaries.get(family)?.get(number);
    if (number !== 0 && dictionary === undefined) throw corrupt(`a compressed value in ${family} whose dictionary ${number} is gone`);
    return decompress(Buffer.concat([MAGIC, packed.subarray(1)]), MOST_ZIPPED_BYTES, dictionary);
  }
}
