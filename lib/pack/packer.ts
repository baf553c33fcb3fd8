/**
 * Makes content small: one after another, in the order in which they came, each once; and once more, harder, when it is old.
 * Guarantees: no read answers anything else, before, while or after; a step is one atomic batch with its place in it, so
 * that whoever is stopped goes on there; what a content is based on came before it and is never based on anything else
 * later, so that no chain becomes deeper; content that is cold is left alone, and nothing is based on it; so is content that
 * cannot be read, for whoever checks history.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { depthOf, encodePacked, type Base } from '../history/codec.js';
import type { History } from '../history/history.js';
import { getU64, u64Key } from '../history/keys.js';
import { MERGED_CONTENT } from '../history/retained.js';
import { Codec, dictionaryOf, isDamage } from '../history/values.js';
import { anchorsOf } from './anchors.js';
import { smallest, THOROUGH, type Effort } from './encode.js';
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
/** A mark of when packing was where, at most so often. */
const MARK_MS = 3_600_000;

/** A content, its value, and its bytes; null when they cannot be read. */
interface Stored { id: number; value: Buffer; bytes: Buffer | null }

export class HistoryPacker {
  private similar: Similar | null = null;
  private place: PackProgress | null = null;
  /** Values of this step, which are not in the database yet. */
  private readonly done = new Map<number, Buffer>();

  constructor(private readonly history: History) {}

  /** Where it is; `until`: the first content that does not exist yet. */
  async progress(): Promise<PackProgress & { until: number }> {
    return { ...this.place ??= await loadProgress(this.history.rocks), until: this.history.meta().nextContent };
  }

  /** Looks at the next contents. Answers whether there were any. */
  step(effort: Effort): Promise<boolean> {
    return this.history.upkeep.take(async () => {
      const { next, until } = await this.progress();
      if (next >= until) return this.stepMerged(effort);
      const similar = this.similar ??= await this.lookBack(next);
      await this.advance(next, until, (one) => this.first(similar, one, effort), (after, end) => {
        after.next = end;
        if (effort === THOROUGH && after.cold === next) after.cold = end;
        if (Date.now() - (after.marks.at(-1)?.atMs ?? 0) >= MARK_MS) after.marks.push({ next, atMs: Date.now() });
      });
      return true;
    });
  }

  /** The same of what retention made by merging. Nothing that comes later is based on it: its ids are higher than all of the fold's. */
  private async stepMerged(effort: Effort): Promise<boolean> {
    const { next, merged } = await this.progress();
    const until = this.history.retention().nextContent;
    if (merged >= until) return false;
    const similar = this.similar ??= await this.lookBack(next);
    await this.advance(merged, until, (one) => this.smaller(similar, one, anchorsFor(one), effort), (after, end) => { after.merged = end; });
    return true;
  }

  /** Looks harder at the next contents that were packed before this time. Answers whether there were any. */
  harder(beforeMs: number): Promise<boolean> {
    return this.history.upkeep.take(async () => {
      const { cold, next, marks } = await this.progress();
      const until = beforeMs === Infinity ? next : marks.filter(({ atMs }) => atMs < beforeMs).at(-1)?.next ?? 0;
      if (cold >= until) return false;
      await this.advance(cold, until, (one) => this.again(one), (after, end) => {
        after.cold = end;
        after.marks = after.marks.filter((mark) => mark.next > end);
      });
      return true;
    });
  }

  private async lookBack(next: number): Promise<Similar> {
    const similar = new Similar();
    const ids: number[] = [];
    for await (const { key } of this.history.rocks.scan('content', { lt: u64Key(next) }, { reverse: true, limit: LOOK_BACK, values: false })) ids.unshift(getU64(key, 0));
    for (const id of ids) {
      similar.add(id, anchorsOf(await this.bytesOf(id) ?? Buffer.alloc(0)));
      await nextTurn();
    }
    return similar;
  }

  /** A step from `from` on; `note` says how far it went, in the progress that is written with it. */
  private async advance(from: number, until: number, smaller: (one: Stored) => Promise<Buffer>, note: (after: PackProgress, end: number) => void): Promise<void> {
    const { rocks } = this.history;
    const values: { id: number; value: Buffer }[] = [];
    for await (const { key, value } of rocks.scan('content', { gte: u64Key(from), lt: u64Key(until) }, { limit: STEP, capacity: STEP })) values.push({ id: getU64(key, 0), value });
    const after = structuredClone(this.place!);
    const isNew = from === after.next;
    const batch = rocks.batch(values.length + 1);
    this.done.clear();
    try {
      for (const { id, value } of values) {
        const bytes = await this.bytesOf(id);
        const now = bytes === null ? value : await smaller({ id, value, bytes });
        this.done.set(id, now);
        if (now !== value) batch.put('content', u64Key(id), now);
        if (isNew) after.writtenBytes += bytes?.length ?? value.length;
        if (id < MERGED_CONTENT) after.storedBytes += isNew ? now.length : now.length - value.length;
        await nextTurn();
      }
      note(after, values.length === STEP ? values.at(-1)!.id + 1 : until);
      batch.put('meta', META_PACK, encodeProgress(after));
      await rocks.commit(batch);
    } finally {
      batch.end();
    }
    this.place = after;
  }

  private async first(similar: Similar, one: Stored, effort: Effort): Promise<Buffer> {
    const anchors = anchorsFor(one);
    const now = await this.smaller(similar, one, anchors, effort);
    similar.add(one.id, anchors);
    return now;
  }

  private async smaller(similar: Similar, { value, bytes }: Stored, anchors: readonly number[], effort: Effort): Promise<Buffer> {
    if (value[0] !== Codec.Plain) return value;
    const chains = await Promise.all(similar.to(anchors, CANDIDATES).map((other) => this.chainOf(other)));
    return smallest(bytes!, value.length, chains, effort) ?? value;
  }

  /** The same in fewer bytes: on the same base, so that no chain changes. */
  private async again({ value, bytes }: Stored): Promise<Buffer> {
    if (value[0] === Codec.Plain) return value;
    const id = dictionaryOf(value);
    const base = id === 0 ? undefined : { id, depth: depthOf(value), bytes: (await this.history.contents.get([id])).get(id)! };
    const now = encodePacked(bytes!, base === undefined ? THOROUGH.plain : THOROUGH.delta, base);
    return now.length < value.length ? now : value;
  }

  /** A content and what it is based on, nearest first; nothing when it is there no more. */
  private async chainOf(id: number): Promise<Base[]> {
    const chain: Base[] = [];
    for (let next = id; next !== 0;) {
      const value = this.done.get(next) ?? await this.history.rocks.get('content', u64Key(next));
      const bytes = value && await this.bytesOf(next);
      if (value === null || bytes === null) return [];
      chain.push({ id: next, depth: depthOf(value), bytes });
      next = dictionaryOf(value);
    }
    return chain;
  }

  /** null of what is cold, too. */
  private async bytesOf(id: number): Promise<Buffer | null> {
    try {
      return (await this.history.contents.hot([id])).get(id) ?? null;
    } catch (error) {
      if (isDamage(error)) return null;
      throw error;
    }
  }
}

const anchorsFor = ({ bytes }: Stored): number[] => (bytes!.length < LEAST_ANCHORED_BYTES ? [] : anchorsOf(bytes!));
