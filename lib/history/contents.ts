/**
 * What `content` holds, decoded. Guarantees: bytes are answered only if they have the hash that is kept with them; a content
 * that was compressed against others (docs/history.md) costs as many look-ups as its chain is long, and a chain that is
 * no chain ends with ERR_HISTORY_CORRUPT; memory is bounded. Content never changes, so that what is cached is never stale,
 * however it is stored by then, until the database is opened anew without its last batches (`forget`).
 */
import { decodeContent, dictionaryOf, MOST_DEPTH } from './codec.js';
import { u64Key } from './keys.js';
import type { Rocks } from './rocks.js';
import { corrupt } from './values.js';

const CACHE_BYTES = 16 << 20;

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

  constructor(private readonly rocks: Rocks) {}

  /** What is cached counts no more. */
  forget(): void {
    this.cache = new ContentCache();
  }

  /** The bytes of these contents, by id; one that is not there is left out. @throws ERR_HISTORY_CORRUPT */
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
        const base = dictionaryOf(value);
        if (base === 0 || values.has(base) || known.has(base)) return;
        const cached = this.cache.get(base);
        if (cached === undefined) bases.add(base);
        else known.set(base, cached);
      });
      next = [...bases];
    }
    return values;
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
