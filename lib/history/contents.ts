/**
 * What `content` holds, decoded. Guarantees: bytes are answered only if they have the hash that is kept with them; a content
 * that was compressed against others (docs/history.md) costs as many look-ups as its chain is long, and a chain that is
 * no chain ends with ERR_HISTORY_CORRUPT; memory is bounded. Content never changes, so that what is cached is never stale,
 * however it is stored by then, until the database is opened anew without its last batches (`forget`). Content that is cold
 * (docs/cold.md) is read from its file like any other, but for who asks for what is `hot`.
 */
import { decodeContent, dictionaryOf, MOST_DEPTH } from './codec.js';
import { coldPlaceOf } from './cold/place.js';
import { IdSet } from './idset.js';
import { u64Key } from './keys.js';
import type { Rocks } from './rocks.js';
import { corrupt } from './values.js';

const CACHE_BYTES = 16 << 20;
/** Who gives room back may move cold content while it is being read: it is looked up again so often. */
const LOOKS = 3;

/** Recently read content, bounded in bytes. */
class ContentCache {
  private readonly entries = new Map<number, Buffer>();
  private bytes = 0;

  get(id: number): Buffer | undefined {
    const found = this.entries.get(id);
    if (found !== undefined) {
      this.entries.delete(id);
      this.entries.set(id, found);
    }
    return found;
  }

  set(id: number, value: Buffer): void {
    if (this.entries.has(id)) return;
    this.entries.set(id, value);
    this.bytes += value.length;
    for (const [oldest, old] of this.entries) {
      if (this.bytes <= CACHE_BYTES) break;
      this.entries.delete(oldest);
      this.bytes -= old.length;
    }
  }
}

export class Contents {
  private cache = new ContentCache();
  /** Contents that are known to be cold. One of which the batch was lost that made it so is only not found again. */
  private readonly cold = new IdSet();

  constructor(private readonly rocks: Rocks) {}

  /** What is cached counts no more. */
  forget(): void {
    this.cache = new ContentCache();
  }

  /** Is it known to be cold? What is not may be, until it was looked up. */
  isCold(id: number): boolean {
    return this.cold.has(id);
  }

  /** It is cold from now on. */
  cooled(id: number): void {
    this.cold.add(id);
  }

  /** The same of what can be had from the database alone: content that is cold is left out, without a look at its file. */
  async hot(ids: readonly number[]): Promise<Map<number, Buffer>> {
    const unknown = ids.filter((id) => !this.cold.has(id) && this.cache.get(id) === undefined);
    const values = await this.rocks.getMany('content', unknown.map(u64Key));
    values.forEach((value, i) => { if (value !== null && coldPlaceOf(value) !== null) this.cold.add(unknown[i]!); });
    return this.get(ids.filter((id) => !this.cold.has(id)));
  }

  /** The bytes of these contents, by id; one that is not there is left out. @throws ERR_HISTORY_CORRUPT, ERR_COLD_AWAY, ERR_IO */
  async get(ids: Iterable<number>): Promise<Map<number, Buffer>> {
    const found = new Map<number, Buffer>();
    const missing: number[] = [];
    for (const id of ids) {
      const cached = this.cache.get(id);
      if (cached === undefined) missing.push(id);
      else found.set(id, cached);
    }
    if (missing.length === 0) return found;
    const known = new Map(found);
    const values = await this.valuesOf(missing, known);
    for (const id of missing) if (values.has(id)) found.set(id, this.decoded(id, values, known));
    return found;
  }

  /** Their values, and those of all that they are based on, but for what is cached, which goes to `known`. */
  private async valuesOf(ids: readonly number[], known: Map<number, Buffer>): Promise<Map<number, Buffer>> {
    const values = new Map<number, Buffer>();
    const cold: number[] = [];
    let next = [...new Set(ids)];
    for (let depth = 0; next.length > 0; depth++) {
      if (depth > MOST_DEPTH) throw corrupt(`content ${ids.join(', ')} in a chain of more than ${MOST_DEPTH}`);
      const read = await this.rocks.getMany('content', next.map(u64Key));
      const bases = new Set<number>();
      read.forEach((value, i) => {
        if (value === null) {
          if (depth > 0) throw corrupt(`no content ${next[i]}, which another is based on`);
          return;
        }
        values.set(next[i]!, value);
        if (coldPlaceOf(value) !== null) cold.push(next[i]!);
        const base = dictionaryOf(value);
        if (base === 0 || values.has(base) || known.has(base)) return;
        const cached = this.cache.get(base);
        if (cached === undefined) bases.add(base);
        else known.set(base, cached);
      });
      next = [...bases];
    }
    if (cold.length > 0) await this.fetch(cold, values);
    return values;
  }

  /** Puts the values of cold contents in the place of what stands for them. */
  private async fetch(ids: readonly number[], values: Map<number, Buffer>): Promise<void> {
    let cold = ids;
    for (const id of ids) this.cold.add(id);
    for (let look = 1; ; look++) {
      try {
        for (const [id, value] of await this.rocks.cold.values(cold.map((id) => ({ id, reference: values.get(id)! })))) values.set(id, value);
        return;
      } catch (error) {
        const now = await this.rocks.getMany('content', cold.map(u64Key));
        const moved = cold.filter((id, i) => now[i] !== null && !now[i]!.equals(values.get(id)!));
        if (look === LOOKS || moved.length === 0) throw error;
        cold.forEach((id, i) => { if (now[i] !== null) values.set(id, now[i]!); });
        cold = cold.filter((id) => coldPlaceOf(values.get(id)!) !== null);
      }
    }
  }

  private decoded(id: number, values: ReadonlyMap<number, Buffer>, known: Map<number, Buffer>): Buffer {
    const before = known.get(id);
    if (before !== undefined) return before;
    const value = values.get(id)!;
    const base = dictionaryOf(value);
    if (base >= id) throw corrupt(`content ${id} that is based on content ${base}, which came later`);
    const bytes = decodeContent(value, base === 0 ? undefined : this.decoded(base, values, known));
    known.set(id, bytes);
    this.cache.set(id, bytes);
    return bytes;
  }
}
