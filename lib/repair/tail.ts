/**
 * The end of a history of which newer changes are lost. Guarantees: what the journal still holds goes into history first; seqs
 * that were given are not given again (I3); the instants between are not answered for, a gap says so (I10), and the state
 * after them is the last one that is whole.
 */
import { extractBatch, splitAtMounts } from '../extractor/loop.js';
import { decodeRecords } from '../extractor/record.js';
import { FoldState } from '../extractor/state.js';
import { pairKey } from '../history/keys.js';
import type { History } from '../history/history.js';
import type { Seq } from '../history/types.js';
import { native } from '../native.js';
import type { StoreLayout } from '../store/layout.js';
import { putMended } from './chain.js';
import { clockAnew } from './derive.js';
import { wholeRecords } from './journal.js';
import { mendTimes } from './times.js';

const READ_BYTES = 4 << 20;

/** `problem`: why history cannot go on with the journal; null when it can. */
export interface JournalLook { problem: string | null; last: Seq }

export async function lookAtJournal(layout: StoreLayout, storeId: Buffer, watermark: Seq): Promise<JournalLook> {
  const journal = new native.Journal({ directory: layout.journal, storeId, nextSeq: watermark + 1, readOnly: true });
  try {
    const { firstSeq, lastSeq } = await journal.open();
    for (let next = firstSeq; next <= lastSeq;) {
      const read = decodeRecords(await journal.read(next, READ_BYTES), 0, Infinity).records.length;
      if (read === 0) return { problem: `it ends before record ${next}`, last: next - 1 };
      next += read;
    }
    return { problem: firstSeq > watermark + 1 ? `it begins at record ${firstSeq}, and history ends at ${watermark}` : null, last: lastSeq };
  } catch (error) {
    return { problem: (error as Error).message, last: 0 };
  } finally {
    await journal.close();
  }
}

/** All whole records of the journal that follow, into history. */
export async function foldJournal(history: History, layout: StoreLayout, storeId: Buffer): Promise<{ records: number; last: Seq; why: string | null }> {
  const state = new FoldState(history.meta(), { put: () => undefined });
  state.mayReuse = (id) => history.mayReuse(id);
  const reading = wholeRecords(layout.journal, storeId, history.watermark() + 1);
  let records = 0;
  for (let step = await reading.next(); ; step = await reading.next()) {
    if (step.done === true) return { records, ...step.value };
    for (const batch of splitAtMounts(step.value)) await extractBatch(history, state, batch);
    records += step.value.length;
  }
}

/** More records than can be lost at a time: who says so is damaged. */
const MOST_LOST = 2 ** 28;

/** History goes on behind `last`. Answers the instants between which nothing is known. */
export async function passOver(history: History, last: Seq, why: string): Promise<{ from: Seq; to: Seq }> {
  const meta = history.meta();
  const isTraced = last > meta.watermark && last - meta.watermark <= MOST_LOST;
  const lost = { from: meta.watermark, to: (isTraced ? last : meta.watermark) + 1 };
  const batch = history.rocks.batch();
  batch.put('gaps', pairKey(lost.to, lost.to), Buffer.from(JSON.stringify({ timeNs: meta.timeNs.toString(), reason: 'repair', detail: { from: lost.from + 1, to: lost.to, why } })));
  if (meta.chain !== undefined) putMended(batch, lost.from + 1, lost.to, Buffer.from(meta.chain, 'hex'), BigInt(Date.now()) * 1_000_000n);
  await history.commit(batch, { ...meta, watermark: lost.to });
  await mendTimes(history.rocks, meta.first, meta.firstTimeNs, lost.to);
  await clockAnew(history.rocks);
  if (lost.to > lost.from + 1) {
    const retention = history.retention();
    await history.forget(history.rocks.batch(), { ...retention, merged: [...retention.merged, lost] });
  }
  return lost;
}
