/**
 * Edits of history, gathered into atomic batches. Guarantees: what is kept is written with each batch, so that work goes on
 * where it stood; memory is bounded by a batch; between batches others have their turn.
 */
import { META_COLD } from '../history/cold/book.js';
import { coldPlaceOf, type ColdPlace } from '../history/cold/place.js';
import type { Family } from '../history/families.js';
import type { History } from '../history/history.js';
import { getU64, u64Key } from '../history/keys.js';
import type { Retention } from '../history/retained.js';
import type { Batch } from '../history/rocks.js';
import type { NodeId } from '../history/types.js';
import { contentValue, type Sink } from './sink.js';

const BATCH_BYTES = 4 << 20;
const BATCH_EDITS = 8192;

/** Families that tell what changed when; their deleted entries are counted apart. */
export const TIMELINE: readonly Family[] = ['changes', 'nodechanges', 'chain'];

/** Rests after a batch for so long as it took, times this. */
export interface Throttle { rest(tookMs: number): Promise<void> }

/** Nobody waits. */
export const UNTHROTTLED: Throttle = { rest: async () => undefined };

export class Editor implements Sink {
  private batch: Batch | null = null;
  private begun = 0;
  /** Objects that this batch takes content out of. */
  private lacking: NodeId[] = [];
  /** Where contents of cold files lay that this batch takes away. */
  private cold: ColdPlace[] = [];
  edits = 0;

  constructor(private readonly history: History, readonly retention: Retention, private readonly throttle: Throttle, readonly signal: AbortSignal) {}

  put(family: Family, key: Buffer, value: Buffer): void {
    this.open().put(family, key, value);
    if (family === 'removed') this.lacking.push(getU64(key, 0));
    this.edits++;
  }

  delete(family: Family, key: Buffer): void {
    this.open().delete(family, key);
    this.edits++;
    if (TIMELINE.includes(family)) this.retention.timeline.loose++;
    else this.retention.loose++;
  }

  content(bytes: Buffer): number {
    const id = this.retention.nextContent++;
    const { value, hash } = contentValue(bytes);
    this.put('content', u64Key(id), value);
    this.put('hashes', hash, u64Key(id));
    return id;
  }

  /** A value of `content` goes, or gets another: what it had in a cold file counts no more. */
  dropped(value: Buffer): void {
    const place = coldPlaceOf(value);
    if (place !== null) this.cold.push(place);
  }

  /** @throws the signal's reason; what was committed stays */
  async room(edits = BATCH_EDITS): Promise<void> {
    if (this.batch !== null && (this.batch.bytes >= BATCH_BYTES || this.batch.count >= edits)) await this.commit();
  }

  /** Commits what has gathered, and how the retention is now. */
  async commit(): Promise<void> {
    const batch = this.open();
    this.batch = null;
    await this.history.missing.note(this.lacking.splice(0));
    if (this.cold.length > 0) {
      const { cold } = this.history.rocks;
      await cold.drop(this.cold.splice(0));
      batch.put('meta', META_COLD, await cold.encoded());
    }
    await this.history.forget(batch, this.retention);
    await this.throttle.rest(Date.now() - this.begun);
    this.signal.throwIfAborted();
  }

  /** Gives up what was not committed. */
  end(): void {
    this.batch?.end();
    this.batch = null;
  }

  private open(): Batch {
    if (this.batch === null) this.begun = Date.now();
    return this.batch ??= this.history.rocks.batch(BATCH_EDITS);
  }
}
