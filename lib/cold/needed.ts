/**
 * Which content an instant and all later ones need: what the blocks say that are there at that instant, and whatever is written
 * after it. Guarantees: all that reading any of these instants takes is among the marks, but for what marked content is based
 * on; a step looks at a bounded number of entries and holds nothing open, so that it can wait between two.
 */
import { decodeBlock } from '../history/blocks.js';
import type { Family } from '../history/families.js';
import type { History } from '../history/history.js';
import { IdSet } from '../history/idset.js';
import { getInverse, getU64, seqInKey, u64Key } from '../history/keys.js';
import type { Entry } from '../history/rocks.js';
import type { NodeId, Seq } from '../history/types.js';
import { BLOCK_BYTES } from '../history/values.js';

/** Entries of a step. */
const STEP = 2048;

/** Everything from `from` to `to` is zero since `seq`. */
interface Cut { seq: Seq; from: number; to: number }

export class Needed {
  /** Objects that had a name, and those that have one at the instant, or later. */
  private readonly named = new IdSet();
  private readonly there = new IdSet();
  private family: 'links' | 'blocks' | null = 'links';
  private after: Buffer | null = null;
  /** The place of the entry before, and whether all of it that is needed was met. */
  private place = '';
  private settled = false;

  /** @param marks what is needed */
  constructor(private readonly history: History, private readonly seq: Seq, readonly marks: Pick<IdSet, 'add'>) {}

  /** Looks at the next entries. Answers whether there are more. */
  async step(): Promise<boolean> {
    if (this.family === null) return false;
    const entries = await page(this.history, this.family, this.after);
    if (this.family === 'links') for (const entry of entries) this.link(entry);
    else await this.blocks(entries);
    this.after = entries.at(-1)?.key ?? null;
    if (entries.length === STEP) return true;
    Object.assign(this, { family: this.family === 'links' ? 'blocks' : null, after: null, place: '', settled: false });
    return this.family !== null;
  }

  private link({ key, value }: Entry): void {
    const [place, node, seq] = [key.toString('latin1', 0, key.length - 8), getU64(key, 0), seqInKey(key)];
    if (place !== this.place) Object.assign(this, { place, settled: false });
    this.named.add(node);
    if (this.settled) return;
    // The newest entry that is not later says whether the name is there.
    if (seq > this.seq || value.length > 0) this.there.add(node);
    this.settled = seq <= this.seq;
  }

  private async blocks(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return;
    const cuts = await this.cutsOf(getU64(entries[0]!.key, 0), getU64(entries.at(-1)!.key, 0));
    for (const { key, value } of entries) {
      const place = key.toString('latin1', 0, 16);
      if (place !== this.place) Object.assign(this, { place, settled: false });
      if (this.settled) continue;
      const node = getU64(key, 0);
      const { full, patches } = decodeBlock(value, seqInKey(key));
      const isLater = patches.at(-1)!.seq > this.seq;
      if (!isLater && (this.isGone(node) || isCut(cuts.get(node) ?? [], getU64(key, 8), patches.at(-1)!.seq))) {
        this.settled = true;
        continue;
      }
      for (const { content } of patches) if (content !== 0) this.marks.add(content);
      this.settled = full && seqInKey(key) <= this.seq;
    }
  }

  /** Had it names, of which none leads to it at the instant or later? */
  private isGone(node: NodeId): boolean {
    return this.named.has(node) && !this.there.has(node);
  }

  /** Cuts at or before the instant, of objects from the first to the last. */
  private async cutsOf(first: NodeId, last: NodeId): Promise<Map<NodeId, Cut[]>> {
    const cuts = new Map<NodeId, Cut[]>();
    for await (const { key, value } of this.history.rocks.scan('cuts', { gte: u64Key(first), lt: u64Key(last + 1) })) {
      const cut = { seq: getInverse(key, 8), from: getU64(key, 16), to: getU64(value, 0) };
      const node = getU64(key, 0);
      if (cut.seq <= this.seq && cut.to - cut.from >= BLOCK_BYTES) cuts.set(node, [...cuts.get(node) ?? [], cut]);
    }
    return cuts;
  }
}

/** Was all of a block cut away after it was so? */
function isCut(cuts: readonly Cut[], block: number, since: Seq): boolean {
  const start = block * BLOCK_BYTES;
  return cuts.some(({ seq, from, to }) => seq > since && from <= start && to >= start + BLOCK_BYTES);
}

async function page(history: History, family: Family, after: Buffer | null): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of history.rocks.scan(family, after === null ? {} : { gt: after }, { limit: STEP, capacity: STEP })) entries.push(entry);
  return entries;
}
