/**
 * The times of records, without a gap. Guarantee: times never decrease, and every record up to the watermark has one: where
 * it was lost, that of a change of that record, or of the one before it.
 */
import { decodeChanges } from '../history/changes.js';
import { getU64, pairKey, u64Key } from '../history/keys.js';
import type { Rocks } from '../history/rocks.js';
import type { Seq } from '../history/types.js';
import { decodeTimes, encodeTimes } from '../history/values.js';
import { Bulk } from './bulk.js';

const MOST_IN_RUN = 4096;
const MOST_DELTA = 0xffff_ffffn;

/** Writes runs of times, one record after another. */
class TimesWriter {
  private first: { seq: Seq; time: bigint } | null = null;
  private deltas: number[] = [];
  last: bigint;

  constructor(private readonly bulk: Bulk, public next: Seq, from: bigint) {
    this.last = from;
  }

  async add(timeNs: bigint): Promise<void> {
    const time = timeNs > this.last ? timeNs : this.last;
    this.last = time;
    if (this.first !== null && (this.deltas.length >= MOST_IN_RUN || time - this.first.time > MOST_DELTA)) await this.end();
    this.first ??= { seq: this.next, time };
    this.deltas.push(Number(time - this.first.time));
    this.next++;
  }

  async end(): Promise<void> {
    if (this.first !== null) await this.bulk.put('times', u64Key(this.first.seq), encodeTimes(this.first.time, this.deltas));
    this.first = null;
    this.deltas = [];
  }
}

/** Makes `times` whole from its first record (`first`, if that is earlier) to `upTo`. Answers how many records had to be given a time. */
export async function mendTimes(rocks: Rocks, first: Seq, firstTimeNs: bigint, upTo: Seq): Promise<number> {
  const bulk = new Bulk(rocks);
  const writer = new TimesWriter(bulk, first, firstTimeNs);
  let given = 0;
  const fill = async (end: Seq): Promise<void> => {
    const known = end > writer.next ? await changeTimes(rocks, writer.next, end) : new Map<Seq, bigint>();
    for (given += Math.max(0, end - writer.next); writer.next < end;) await writer.add(known.get(writer.next) ?? writer.last);
  };
  for await (const { key, value } of rocks.scan('times', {})) {
    const [seq, times] = [getU64(key, 0), decodeTimes(value)];
    await bulk.delete('times', key);
    await fill(Math.min(seq, upTo + 1));
    for (let i = Math.max(0, writer.next - seq); i < times.count && writer.next <= upTo; i++) await writer.add(times.at(i));
    await writer.end();
  }
  await fill(upTo + 1);
  await writer.end();
  await bulk.end();
  return given;
}

/** When records were made that changed something, of [from, to). */
async function changeTimes(rocks: Rocks, from: Seq, to: Seq): Promise<Map<Seq, bigint>> {
  const known = new Map<Seq, bigint>();
  const before = await rocks.peek('changes', { lt: pairKey(from, 0) }, true);
  for await (const { key, value } of rocks.scan('changes', { gte: before?.key ?? pairKey(0, 0), lt: pairKey(to, 0) })) {
    for (const { seq, record, timeNs } of decodeChanges(key, value)) if (seq === record && seq >= from && seq < to) known.set(seq, timeNs);
  }
  return known;
}
