/**
 * The journal's segments: every whole record that they hold is read, with both checksums and as the fold would read it; and
 * between history and the journal no record is missing. Memory is bounded by a batch.
 */
import { decodeRecords } from '../extractor/record.js';
import type { Seq } from '../history/types.js';
import type { Journal } from '../native.js';
import type { Finding, FindingKind } from './findings.js';

const READ_BYTES = 4 << 20;

/** What of a journal is looked at. */
export type ReadableJournal = Pick<Journal, 'read' | 'stats'>;

type JournalKind = Extract<FindingKind, `journal-${string}`>;

/** Yields findings, and the number of records that were read so far. @param watermark what history held before the journal was looked at */
export async function* checkJournal(journal: ReadableJournal, watermark: Seq): AsyncGenerator<Finding | number> {
  const { firstSeq, lastSeq } = journal.stats();
  const finding = (kind: JournalKind, what: string): Finding => ({ kind, family: 'journal', key: Buffer.alloc(0), what });
  if (lastSeq >= firstSeq && firstSeq > watermark + 1) yield finding('journal-hole', `history ends at record ${watermark}, and the journal begins at ${firstSeq}: what lies between is in neither`);
  let records = 0;
  for (let next = firstSeq; next <= lastSeq;) {
    const read = await recordsFrom(journal, next);
    if (typeof read === 'number') {
      records += read;
      next += read;
      yield records;
      continue;
    }
    // What is in history may have been released meanwhile.
    const begins = journal.stats().firstSeq;
    if (begins > next) {
      next = begins;
    } else if (next <= watermark) {
      yield finding('journal-worn', `from record ${next} on, of which history holds all to ${watermark}: ${read.problem}`);
      next = watermark + 1;
    } else {
      yield finding('journal-damaged', `from record ${next} on: ${read.problem}`);
      return;
    }
  }
}

/** How many whole records follow each other from `next` on, of a batch; or why there is none. */
async function recordsFrom(journal: ReadableJournal, next: Seq): Promise<number | { problem: string }> {
  try {
    const { records } = decodeRecords(await journal.read(next, READ_BYTES), 0, Infinity);
    const wrong = records.findIndex(({ seq }, i) => seq !== next + i);
    if (wrong >= 0) return { problem: `record ${records[wrong]!.seq} where ${next + wrong} was expected` };
    return records.length > 0 ? records.length : { problem: 'the journal ends before it' };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}
