/**
 * One pass over all content: what no instant from a certain one on needs goes to cold files. Guarantees: a content lies in its
 * file, on stable storage, before the batch that says so; what is hot is based on nothing that is cold (whatever is based on
 * something goes before it: the newest first); stopped at any point it leaves a right history, and begins again.
 */
import { META_COLD } from '../history/cold/book.js';
import { coldPlaceOf, encodeCold, type ColdPlace } from '../history/cold/place.js';
import type { History } from '../history/history.js';
import { IdSet } from '../history/idset.js';
import { getU64, u64Key } from '../history/keys.js';
import { COLD_FORMAT, raiseFormat } from '../history/meta.js';
import { MERGED_CONTENT } from '../history/retained.js';
import { dictionaryOf } from '../history/values.js';
import type { Seq } from '../history/types.js';
import { Needed } from './needed.js';
import type { Cooling, ColdWriter } from './writer.js';

/** Contents that are read at a time, and at most in a step; bytes that are written in one. */
const PAGE = 64;
const MOST_LOOKED = 4096;
const STEP_BYTES = 4 << 20;

export class ColdPass {
  private readonly marks = new IdSet();
  private readonly needed: Needed;
  private readonly floors: { own: number; merged: number };
  /** Contents from here on were looked at. */
  private below: number = Number.MAX_SAFE_INTEGER;
  private marking = true;
  private readonly stopListening: () => void;
  movedBytes = 0;

  /** @param seq what this instant and all later ones need stays */
  constructor(private readonly history: History, private readonly writer: ColdWriter, private readonly directory: string, seq: Seq) {
    this.needed = new Needed(history, seq, this.marks);
    this.floors = { own: history.meta().nextContent, merged: history.retention().nextContent };
    // What the extractor finds again is new again.
    this.stopListening = history.onReuse((id) => this.marks.add(id));
  }

  /** Goes on a step. Answers whether there is more. @throws ERR_COLD_AWAY, ERR_DISK_FULL, ERR_IO */
  async step(): Promise<boolean> {
    if (this.marking) {
      this.marking = await this.needed.step();
      return true;
    }
    return this.history.upkeep.take(() => this.move());
  }

  /** To be called when it is over, or given up. */
  end(): void {
    this.stopListening();
  }

  private async move(): Promise<boolean> {
    const cooling: Cooling[] = [];
    let bytes = 0;
    let isEnd = false;
    for (let looked = 0; !isEnd && bytes < STEP_BYTES && looked < MOST_LOOKED; looked += PAGE) {
      let count = 0;
      for await (const { key, value } of this.history.rocks.scan('content', { lt: u64Key(this.below) }, { reverse: true, limit: PAGE, capacity: PAGE })) {
        count++;
        this.below = getU64(key, 0);
        if (!this.goes(this.below, value)) continue;
        cooling.push({ id: this.below, value });
        bytes += value.length;
      }
      isEnd = count < PAGE;
    }
    if (cooling.length > 0) await this.cool(cooling);
    return !isEnd;
  }

  /** Does a content go? Of one that stays that stays, too, which it is based on. */
  private goes(id: number, value: Buffer): boolean {
    const isYoung = id >= (id >= MERGED_CONTENT ? this.floors.merged : this.floors.own);
    if (isYoung || this.marks.has(id)) {
      this.marks.add(dictionaryOf(value));
      return false;
    }
    return coldPlaceOf(value) === null;
  }

  private async cool(cooling: readonly Cooling[]): Promise<void> {
    const { rocks, contents } = this.history;
    const places = await this.writer.append(this.directory, cooling);
    const batch = rocks.batch(cooling.length + 2);
    try {
      const stay: ColdPlace[] = [];
      for (const { id, value } of cooling) {
        // Found again meanwhile; from here on none is.
        if (!this.goes(id, value)) {
          stay.push(places.get(id)!);
          continue;
        }
        contents.cooled(id);
        batch.put('content', u64Key(id), encodeCold(value, places.get(id)!));
        this.movedBytes += value.length;
      }
      await rocks.cold.drop(stay);
      await raiseFormat(rocks, batch, COLD_FORMAT);
      batch.put('meta', META_COLD, await rocks.cold.encoded());
      await rocks.commit(batch);
    } finally {
      batch.end();
    }
  }
}
