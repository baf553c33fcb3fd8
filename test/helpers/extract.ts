/** Extracting without an engine: records straight into history, and a journal in memory. */
import { extractBatch, splitAtMounts } from '../../lib/extractor/loop.js';
import { decodeRecords } from '../../lib/extractor/record.js';
import { FoldState } from '../../lib/extractor/state.js';
import { stateAt } from '../../lib/history/attributes.js';
import { decodeChanges, decodeRefs } from '../../lib/history/changes.js';
import { FAMILIES, type Family } from '../../lib/history/families.js';
import { History } from '../../lib/history/history.js';
import { getU64, seqInKey } from '../../lib/history/keys.js';
import { Unpacker } from '../../lib/history/packing.js';
import { NODE_BYTES } from '../../lib/history/values.js';
import type { Journal, JournalState, JournalStats } from '../../lib/native.js';
import { S_IFDIR, S_IFREG } from './model.js';
import { encodeRecord, type AttrDraft, type RecordDraft } from './records.js';

/** A fold state as a process has it that has just opened this history. */
export const freshState = (history: History): FoldState => new FoldState(history.meta(), { put: () => undefined });

/** Extracts raw records, `batchSize` at a time. */
export async function extractRaw(history: History, raw: Buffer[], batchSize = 1000, state = freshState(history)): Promise<void> {
  for (let i = 0; i < raw.length; i += batchSize) {
    const { records } = decodeRecords(Buffer.concat(raw.slice(i, i + batchSize)), 0, batchSize);
    for (const batch of splitAtMounts(records)) await extractBatch(history, state, batch);
  }
}

/** Numbers drafts from `from` on and encodes them. */
export const numbered = (drafts: Omit<RecordDraft, 'seq'>[], from = 1): Buffer[] => drafts.map((draft, i) => encodeRecord({ seq: from + i, ...draft }));

/** Every entry of every family as hexadecimal lines. */
export async function dump(history: History, families: readonly Family[] = FAMILIES): Promise<string[]> {
  const lines: string[] = [];
  for (const family of families) {
    for await (const { key, value } of history.rocks.scan(family, {})) lines.push(`${family} ${key.toString('hex')} ${value.toString('hex')}`);
  }
  return lines;
}

/** What the runs of a history hold, each state and change by itself: however large batches were, the same. */
export async function singles(history: History): Promise<string[]> {
  const lines: string[] = [];
  for await (const { key, value } of history.rocks.scan('nodes', {})) {
    const first = seqInKey(key);
    const seqs = [first];
    for (const from = new Unpacker(value, NODE_BYTES + 1); from.more;) {
      seqs.push(seqs.at(-1)! + from.varint());
      for (let mask = from.u16(); mask > 0; mask &= mask - 1) from.skip(8);
    }
    for (const seq of seqs) lines.push(`state ${getU64(key, 0)} ${String(seq).padStart(9)} ${stateAt(value, first, seq).toString('hex')}`);
  }
  for await (const { key, value } of history.rocks.scan('changes', {})) {
    for (const change of decodeChanges(key, value)) lines.push(`change ${JSON.stringify(change, (_, field: unknown) => (typeof field === 'bigint' ? String(field) : field))}`);
  }
  for await (const { key, value } of history.rocks.scan('nodechanges', {})) {
    for (const { seq, record } of decodeRefs(key, value)) lines.push(`reference ${getU64(key, 0)} ${seq} ${record}`);
  }
  return lines.sort();
}

export const directoryAttr: AttrDraft = { mode: S_IFDIR | 0o755, uid: 0, gid: 0, nlink: 2, size: 4096, rdev: 0n, atime: 1n, mtime: 1n, ctime: 1n, btime: 1n };

/** Attributes of a file of this size; its birth is told apart by `born`. */
export const fileAttr = (size: number, born = 1): AttrDraft => ({ ...directoryAttr, mode: S_IFREG | 0o644, nlink: 1, size, btime: BigInt(born) });

/** A journal in memory: raw records as the native one would read them. */
export class MemoryJournal implements Journal {
  readonly released: number[] = [];
  readonly standing: number[] = [];
  failRead: Error | null = null;
  freeBytes = 2 ** 64;
  backlogHardBytes = 2 ** 31;
  appendedBytes = 0;
  private callback: ((lastSeq: number) => void) | null = null;
  private armedAfter: number | null = null;

  constructor(readonly records: Buffer[], readonly firstSeq = 1) {}

  private get lastSeq(): number { return this.firstSeq + this.records.length - 1; }

  push(...records: Buffer[]): void {
    this.records.push(...records);
    this.tell();
  }

  private tell(): void {
    if (this.armedAfter === null || this.lastSeq <= this.armedAfter) return;
    this.armedAfter = null;
    this.callback?.(this.lastSeq);
  }

  async open(): Promise<JournalState> { return { firstSeq: this.firstSeq, lastSeq: this.lastSeq, cutBytes: 0, stranded: null }; }

  async read(fromSeq: number, maxBytes: number): Promise<Buffer> {
    if (this.failRead !== null) throw this.failRead;
    const found: Buffer[] = [];
    let bytes = 0;
    for (const record of this.records.slice(fromSeq - this.firstSeq)) {
      if (found.length > 0 && bytes + record.length > maxBytes) break;
      found.push(record);
      bytes += record.length;
    }
    return Buffer.concat(found);
  }

  async append(): Promise<{ seq: number; timeNs: bigint }> { throw new Error('not needed here'); }
  async sync(): Promise<number> { return this.lastSeq; }
  async release(seq: number): Promise<void> { this.released.push(seq); }
  historyStands(errno: number): void { this.standing.push(errno); }
  onAppend(callback: ((lastSeq: number) => void) | null): void { this.callback = callback; }

  arm(afterSeq: number): void {
    this.armedAfter = afterSeq;
    this.tell();
  }

  workFirst(): void {}

  stats(): JournalStats {
    return { firstSeq: this.firstSeq, lastSeq: this.lastSeq, releasedSeq: 0, syncedSeq: 0, segments: 1, backlogBytes: 0, backlogHardBytes: this.backlogHardBytes, appendedBytes: this.appendedBytes, syncs: 0, freeBytes: this.freeBytes, failedErrno: 0, refusedErrno: 0, gap: null };
  }

  async close(): Promise<void> { this.callback = null; }
}

