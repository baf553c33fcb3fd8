/** Many puts and deletes, committed some at a time. Guarantee: after `end` all of them are; not before, and in no order. */
import type { Family } from '../history/families.js';
import type { Batch, Rocks } from '../history/rocks.js';

const BATCH_BYTES = 8 << 20;
const BATCH_COUNT = 4096;

export class Bulk {
  private batch: Batch | null = null;

  constructor(private readonly rocks: Rocks) {}

  async put(family: Family, key: Buffer, value: Buffer): Promise<void> {
    this.open().put(family, key, value);
    await this.full();
  }

  async delete(family: Family, key: Buffer): Promise<void> {
    this.open().delete(family, key);
    await this.full();
  }

  async end(): Promise<void> {
    const { batch } = this;
    this.batch = null;
    if (batch !== null) await this.rocks.commit(batch);
  }

  private open(): Batch {
    return this.batch ??= this.rocks.batch();
  }

  private async full(): Promise<void> {
    if (this.batch!.bytes >= BATCH_BYTES || this.batch!.count >= BATCH_COUNT) await this.end();
  }
}
