/**
 * Makes the entries of history small that hold no content: states, patches, the timeline. Goes over their families key by
 * key, again whenever much has come since. Guarantees: no read answers anything else; a step is one atomic batch with its
 * place in it. Only what no extraction under way may write again is touched: nobody calls it before the baseline is complete.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Family } from '../history/families.js';
import type { History } from '../history/history.js';
import { seqInKey } from '../history/keys.js';
import type { Entry } from '../history/rocks.js';
import { corrupt } from '../history/values.js';
import { dictionaryKey, isZipped, ZIPPED_FAMILIES } from '../history/zip.js';

const META_SWEEP = Buffer.from('sweep');
/** Entries of a step. */
const STEP = 512;
/** Bytes of a dictionary, and how many of them one value may take. */
const DICTIONARY_BYTES = 16 << 10;
const SAMPLE_BYTES = 1024;
/** A family with fewer bytes of sample than this has no dictionary yet. */
const LEAST_SAMPLE_BYTES = 4 << 10;
/** Once all was swept, it is swept again when history has become longer by this part, and by so many records. */
const GROWTH = 0.1;
const LEAST_RECORDS = 2000;
/** Entries after which the loop has its turn. */
const STRETCH = 32;

/** A sweep under way: which family, the last key that was looked at, up to which seq; `swept`: how far the last one went. */
interface Sweep { family: number; after: string; upTo: number; swept: number }

export class EntryPacker {
  private sweep: Sweep | null = null;

  constructor(private readonly history: History) {}

  /** Looks at the next entries. Answers whether there are more; `now`: those that came since the last sweep too, however few. */
  async step(level: number, now: boolean): Promise<boolean> {
    return this.history.upkeep.take(() => this.advance(level, now));
  }

  private async advance(level: number, now: boolean): Promise<boolean> {
    const sweep = this.sweep ??= await this.load();
    const watermark = this.history.watermark();
    if (sweep.family === ZIPPED_FAMILIES.length) {
      const most = now ? sweep.swept : sweep.swept * (1 + GROWTH) + LEAST_RECORDS;
      if (watermark <= most) return false;
      Object.assign(sweep, { family: 0, after: '', upTo: watermark });
    }
    const family = ZIPPED_FAMILIES[sweep.family]!;
    const { rocks } = this.history;
    const entries: Entry[] = [];
    for await (const entry of rocks.scan(family, { gt: Buffer.from(sweep.after, 'hex') }, { limit: STEP, capacity: STEP, stored: true })) entries.push(entry);
    if (sweep.after === '') await this.learn(family, entries);
    const next: Sweep = entries.length === STEP ? { ...sweep, after: entries.at(-1)!.key.toString('hex') } : { ...sweep, family: sweep.family + 1, after: '' };
    if (next.family === ZIPPED_FAMILIES.length) next.swept = next.upTo;
    const batch = rocks.batch(entries.length + 1);
    try {
      for (const [i, { key, value }] of entries.entries()) {
        if (i % STRETCH === STRETCH - 1) await nextTurn();
        if (isZipped(family, value) || seqOf(family, key) > sweep.upTo) continue;
        const smaller = rocks.zip.zip(family, value, level);
        if (smaller !== null) batch.put(family, key, smaller);
      }
      batch.put('meta', META_SWEEP, Buffer.from(JSON.stringify(next)));
      await rocks.commit(batch);
    } finally {
      batch.end();
    }
    this.sweep = next;
    return true;
  }

  /** The first dictionary of a family, from entries all over it. */
  private async learn(family: Family, first: readonly Entry[]): Promise<void> {
    const { rocks } = this.history;
    // Blocks hold content, and what is purged must be gone: none of it may stay behind in a dictionary.
    if (family === 'blocks' || rocks.zip.newest(family) > 0) return;
    const samples: Buffer[] = [];
    let bytes = 0;
    for (const { value } of first) {
      if (bytes >= DICTIONARY_BYTES) break;
      samples.push(value.subarray(0, SAMPLE_BYTES));
      bytes += samples.at(-1)!.length;
    }
    if (bytes < LEAST_SAMPLE_BYTES) return;
    const key = dictionaryKey(family, 1);
    const dictionary = Buffer.concat(samples).subarray(0, DICTIONARY_BYTES);
    const batch = rocks.batch(1);
    try {
      batch.put('meta', key, dictionary);
      await rocks.commit(batch);
    } finally {
      batch.end();
    }
    rocks.zip.learn(key, dictionary);
  }

  private async load(): Promise<Sweep> {
    const value = await this.history.rocks.get('meta', META_SWEEP);
    if (value === null) return { family: ZIPPED_FAMILIES.length, after: '', upTo: 0, swept: 0 };
    try {
      return JSON.parse(value.toString()) as Sweep;
    } catch {
      throw corrupt(`a place of packing that cannot be read (${value.toString('latin1', 0, 80)})`);
    }
  }
}

/** When an entry came. */
const seqOf = (family: Family, key: Buffer): number => (family === 'changes' || family === 'times' ? key.readUInt32BE(0) * 2 ** 32 + key.readUInt32BE(4) : family === 'nodechanges' ? seqInKey(key.subarray(0, 16)) : seqInKey(key));
