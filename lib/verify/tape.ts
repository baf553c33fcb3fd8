/** A family that is read once from its begin to its end, as far as it is asked for. Guarantee: memory is bounded by what is asked for. */
import type { Chained } from '../history/chain.js';
import { getU64, u64Key } from '../history/keys.js';
import type { Entry, Rocks } from '../history/rocks.js';
import type { Seq } from '../history/types.js';

const CAPACITY = 1024;

export class Tape {
  private entries: AsyncGenerator<Entry> | null = null;
  private next: Entry | null = null;

  constructor(private readonly rocks: Rocks, private readonly family: Chained) {}

  /** Entries up to an instant that were not taken yet; it begins with the first `from`. */
  async take(from: Seq, upTo: Seq): Promise<Entry[]> {
    const taken: Entry[] = [];
    this.entries ??= this.rocks.scan(this.family, { gte: u64Key(from) }, { capacity: CAPACITY });
    for (;;) {
      const entry = this.next ?? await this.read();
      if (entry === null || getU64(entry.key, 0) > upTo) {
        this.next = entry;
        return taken;
      }
      this.next = null;
      taken.push(entry);
    }
  }

  async end(): Promise<void> {
    await this.entries?.return(undefined);
  }

  private async read(): Promise<Entry | null> {
    const { value, done } = await this.entries!.next();
    return done === true ? null : value;
  }
}
