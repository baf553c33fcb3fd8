/**
 * Makes history small: content after content, in the order in which they came, each once. Guarantees: no read answers
 * anything else, before, while or after; a step is one atomic batch with its place in it, so that whoever is stopped goes on
 * there; what a content is based on came before it and is final, so that no chain becomes deeper later.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { depthOf, type Base } from '../history/codec.js';
import type { History } from '../history/history.js';
import { getU64, u64Key } from '../history/keys.js';
import { Codec, dictionaryOf } from '../history/values.js';
import { anchorsOf } from './anchors.js';
import { smallest, type Effort } from './encode.js';
import { encodeProgress, loadProgress, META_PACK, type PackProgress } from './progress.js';
import { Similar } from './similar.js';

/** Contents of a step. */
const STEP = 64;
/** After a start, so many contents before the place are looked at again: what comes may resemble them. */
const LOOK_BACK = 2048;
/** Contents that one is compared with. */
const CANDIDATES = 2;
/** Shorter content is only compressed. */
const LEAST_ANCHORED_BYTES = 128;

export class HistoryPacker {
  private readonly similar = new Similar();
  private place: PackProgress | null = null;
  /** Values of this step, which are not in the database yet. */
  private readonly done = new Map<number, Buffer>();

  constructor(private readonly history: History) {}

  /** Where it is; `until`: the first content that does not exist yet. */
  async progress(): Promise<PackProgress & { until: number }> {
    return { ...await this.at(), until: this.history.meta().nextContent };
  }

  /** Looks at the next contents. Answers whether there are more. */
  async step(effort: Effort): Promise<boolean> {
    const place = await this.at();
    const until = this.history.meta().nextContent;
    if (place.next >= until) return false;
    return this.history.upkeep.take(() => this.pack(place, until, effort));
  }

  private async at(): Promise<PackProgress> {
    if (this.place === null) {
      this.place = await loadProgress(this.history.rocks);
      await this.lookBack(this.place.next);
    }
    return this.place;
  }

  private async lookBack(next: number): Promise<void> {
    const ids: number[] = [];
    for await (const { key } of this.history.rocks.scan('content', { lt: u64Key(next) }, { reverse: true, limit: LOOK_BACK, values: false })) ids.unshift(getU64(key, 0));
    for (let i = 0; i < ids.length; i += STEP) {
      for (const [id, bytes] of await this.history.contents.get(ids.slice(i, i + STEP))) this.similar.add(id, anchorsOf(bytes));
      await nextTurn();
    }
  }

  private async pack(place: PackProgress, until: number, effort: Effort): Promise<boolean> {
    const { rocks } = this.history;
    const after = { ...place, next: until };
    const values: { id: number; value: Buffer }[] = [];
    for await (const { key, value } of rocks.scan('content', { gte: u64Key(place.next), lt: u64Key(until) }, { limit: STEP, capacity: STEP })) values.push({ id: getU64(key, 0), value });
    if (values.length === STEP) after.next = values.at(-1)!.id + 1;
    const batch = rocks.batch(values.length + 1);
    this.done.clear();
    try {
      for (const { id, value } of values) {
        const { written, now } = await this.one(id, value, effort);
        this.done.set(id, now);
        if (now !== value) batch.put('content', u64Key(id), now);
        after.writtenBytes += written;
        after.storedBytes += now.length;
        await nextTurn();
      }
      batch.put('meta', META_PACK, encodeProgress(after));
      await rocks.commit(batch);
    } finally {
      batch.end();
    }
    this.place = after;
    return after.next < until;
  }

  /** How many bytes a content has, and its value from now on. */
  private async one(id: number, value: Buffer, effort: Effort): Promise<{ written: number; now: Buffer }> {
    const bytes = (await this.history.contents.get([id])).get(id)!;
    const anchors = bytes.length < LEAST_ANCHORED_BYTES ? [] : anchorsOf(bytes);
    let now = value;
    if (value[0] === Codec.Plain) {
      const chains = await Promise.all(this.similar.to(anchors, CANDIDATES).map((other) => this.chainOf(other)));
      now = smallest(bytes, value.length, chains, effort) ?? value;
    }
    this.similar.add(id, anchors);
    return { written: bytes.length, now };
  }

  /** A content and what it is based on, nearest first; nothing when it is there no more. */
  private async chainOf(id: number): Promise<Base[]> {
    const chain: Base[] = [];
    for (let next = id; next !== 0;) {
      const value = this.done.get(next) ?? await this.history.rocks.get('content', u64Key(next));
      if (value === null) return [];
      chain.push({ id: next, depth: depthOf(value), bytes: (await this.history.contents.get([next])).get(next)! });
      next = dictionaryOf(value);
    }
    return chain;
  }
}
