/**
 * Repairs a store that nobody uses: what is damaged is read as far as it can be, what follows from the rest is made anew,
 * what is lost is had from elsewhere or named and isolated. Guarantees: the damaged history and journal are never changed,
 * and lie beside the repaired ones in the end; until the new history is whole and on stable storage nothing is put in its
 * place; a dry run does the same work and leaves nothing of it.
 */
import { mkdir, rename, rm } from 'node:fs/promises';
import { RewindError } from '../errors.js';
import type { Family } from '../history/families.js';
import { History } from '../history/history.js';
import { pairKey } from '../history/keys.js';
import { decodeMeta, META_FOLD } from '../history/meta.js';
import { decodeRetention, META_RETENTION, NOTHING_MERGED } from '../history/retained.js';
import { Rocks } from '../history/rocks.js';
import type { Seq } from '../history/types.js';
import { lockStore, type Store } from '../store/store.js';
import type { Finding } from '../verify/findings.js';
import { cloned, freshWorkplace, keptAs, swap, workplaceOf } from './beside.js';
import { Bulk } from './bulk.js';
import { bindingsAgree, bindingsAnew, clockAnew, hashesAnew, referencesAnew } from './derive.js';
import { Losses } from './losses.js';
import { mendMeta } from './meta.js';
import { RawDirectory } from './raw/directory.js';
import { findingsOf, isMendable, makeMissing, missingFamilies, rounds } from './rounds.js';
import { salvage, type Salvaged } from './salvage.js';
import { learnDictionaries, sift, siftUndecodable } from './sift.js';
import { fillFrom, openCopy, sourceOf } from './sources.js';
import { objectsOf, standIns, withoutContent, type LostContent } from './states.js';
import { foldJournal, lookAtJournal, passOver } from './tail.js';
import { mendTimes } from './times.js';

/** Gaps that tell of no record have numbers of their own, from here on. */
const GAP_RECORDS = 2 ** 52;

export interface RepairOptions {
  dryRun: boolean;
  /** A copy of the store. */
  from: string | null;
  /** Where the live tree can be read. */
  tree: string;
  signal: AbortSignal;
  now: Date;
}

export type RepairStep =
  /** What is wrong, as verify says it. */
  | { type: 'finding'; finding: Finding; history: History }
  /** The database does not open, or not all of it can be read. */
  | { type: 'unopenable'; why: string }
  | { type: 'mended'; what: string; count: number }
  /** Content that reads as not captured from now on. `history` says where the object lies. */
  | { type: 'lost'; lost: LostContent; history: History }
  /** Not there, or taken out. */
  | { type: 'missing'; what: string }
  /** `kept`: where the damaged history and journal lie now. `left`: what verify still finds. */
  | { type: 'repaired'; seq: Seq; changed: boolean; kept: string[]; left: Finding[] };

/** @throws ERR_STORE_LOCKED, ERR_STORE_FORMAT, ERR_STORE_CORRUPT, ERR_DISK_FULL, and those of opening the copy */
export async function* repair(store: Store, options: RepairOptions): AsyncGenerator<RepairStep> {
  const lock = await lockStore(store);
  try {
    yield* new Repair(store, options).run();
  } finally {
    await rm(workplaceOf(store.layout), { recursive: true, force: true });
    lock.release();
  }
}

/** Why an opening failed, if that is damage. @throws what is none */
function damage(error: unknown): string {
  const { code, message } = error as RewindError;
  if (['ERR_HISTORY_CORRUPT', 'ERR_NO_STORE', 'ERR_IO'].includes(code)) return message;
  throw error;
}

class Repair {
  private readonly storeId: Buffer;
  private readonly losses = new Losses();
  private salvaged: Salvaged | null = null;
  /** The newest record of which there was a trace. */
  private newest: Seq = 0;

  constructor(private readonly store: Store, private readonly options: RepairOptions) {
    this.storeId = Buffer.from(store.description.id, 'hex');
  }

  async *run(): AsyncGenerator<RepairStep> {
    const { layout } = this.store;
    const isWhole = yield* this.look();
    if (isWhole) return;
    yield* this.mendEntries();
    const copy = this.options.from === null ? null : await openCopy(this.store, this.options.from);
    const history = await History.open(workplaceOf(layout), { storeId: this.storeId });
    try {
      if (copy !== null && this.losses.all.length > 0) yield { type: 'mended', what: 'entries, from the copy', count: await fillFrom(copy, history.rocks, this.losses, history.watermark()) };
      yield* this.mendHistory(history, copy);
      const moved = yield* this.goOn(history);
      const left = await findingsOf(history, this.options.signal);
      await history.rocks.flush();
      const seq = history.watermark();
      await history.close();
      yield { type: 'repaired', seq, changed: true, kept: this.options.dryRun ? [] : await this.replace(moved), left };
    } finally {
      await history.close().catch(() => undefined);
      await copy?.close();
    }
  }

  /** Opens what is there. Answers whether there is nothing to do; else a database lies at the workplace. */
  private async *look(): AsyncGenerator<RepairStep, boolean> {
    const { layout } = this.store;
    let history: History | null = null;
    await mkdir(layout.history, { recursive: true, mode: 0o700 });
    try {
      const unread = await unreadableLog(layout.history, this.storeId);
      if (unread !== null) throw new RewindError('ERR_HISTORY_CORRUPT', unread);
      history = await History.open(await cloned(layout), { storeId: this.storeId });
      const findings = await findingsOf(history, this.options.signal);
      for (const finding of findings) yield { type: 'finding', finding, history };
      const unreadable = findings.find(({ kind }) => kind === 'unreadable');
      if (unreadable !== undefined) throw new RewindError('ERR_HISTORY_CORRUPT', unreadable.what);
      const missing = await missingFamilies(history);
      for (const family of missing) yield { type: 'missing', what: `${family}: all, or the newest` };
      const { problem } = await lookAtJournal(layout, this.storeId, history.watermark());
      if (problem !== null) yield { type: 'missing', what: `the journal: ${problem}` };
      if (findings.some(isMendable) || missing.length > 0 || problem !== null) return false;
      yield { type: 'repaired', seq: history.watermark(), changed: false, kept: [], left: [] };
      return true;
    } catch (error) {
      yield { type: 'unopenable', why: damage(error).replaceAll(workplaceOf(layout), layout.history) };
    } finally {
      await history?.close();
    }
    const rocks = await Rocks.open(await freshWorkplace(layout), { readOnly: false });
    try {
      this.salvaged = await salvage(layout.history, rocks, this.storeId, this.losses);
    } finally {
      await rocks.close();
    }
    yield { type: 'mended', what: 'entries, read from the files of the database one by one', count: this.salvaged.entries };
    return false;
  }

  /** Entries by themselves: what history says of itself, and what is none of its entries. */
  private async *mendEntries(): AsyncGenerator<RepairStep> {
    const rocks = await Rocks.open(workplaceOf(this.store.layout), { readOnly: false });
    try {
      await learnDictionaries(rocks);
      await siftUndecodable(rocks, this.losses);
      for (const what of await mendMeta(rocks, this.storeId, this.losses, this.salvaged)) yield { type: 'mended', what, count: 1 };
      const [fold, retention] = await rocks.getMany('meta', [META_FOLD, META_RETENTION]);
      const meta = decodeMeta(fold!);
      const { taken, newest } = await sift(rocks, meta, retention == null ? NOTHING_MERGED : decodeRetention(retention), this.losses);
      this.newest = newest;
      for (const [family, count] of taken) yield { type: 'missing', what: `${count} ${count === 1 ? 'entry' : 'entries'} of ${family}, which cannot be understood or are of later than #${meta.watermark}` };
      await rocks.flush();
    } finally {
      await rocks.close();
    }
  }

  private async *mendHistory(history: History, copy: History | null): AsyncGenerator<RepairStep> {
    const { rocks } = history;
    const { losses } = this;
    for (const family of new Set(losses.all.map((loss) => loss.family))) {
      const [first, ...more] = losses.in(family);
      yield { type: 'missing', what: `${more.length + 1} ${more.length === 0 ? 'part' : 'parts'} of ${family}: ${first!.why}${more.length === 0 ? '' : ' ...'}` };
    }
    for (const [families, what, act] of this.derived(history)) {
      if (losses.in(...families).length === 0) continue;
      await act();
      yield { type: 'mended', what, count: 1 };
    }
    for await (const { mended, lost } of rounds(history, sourceOf(history, copy, this.options.tree), this.options.signal)) {
      for (const one of mended) yield { type: 'mended', ...one };
      yield* this.tell(history, lost);
    }
    yield* this.tell(history, await standIns(rocks, losses.in('nodes'), history.meta().first));
    // Of what was overwritten there, or taken out by name, nothing else tells.
    yield* this.tell(history, await withoutContent(rocks, await objectsOf(rocks, losses.in('nodes', 'blocks', 'cuts', 'removed'))));
    await makeMissing(history, await missingFamilies(history));
    await bindingsAgree(rocks);
  }

  /** What is lost is a gap (I10). */
  private async *tell(history: History, lost: readonly LostContent[]): AsyncGenerator<RepairStep> {
    const bulk = new Bulk(history.rocks);
    const times = await history.timesOf(lost.map(({ from }) => Math.max(from, 1)));
    for (const [i, one] of lost.entries()) {
      await bulk.put('gaps', pairKey(one.from, GAP_RECORDS + one.node), Buffer.from(JSON.stringify({ timeNs: String(times[i] ?? 0n), reason: 'repair', detail: { why: one.why, until: one.to }, node: one.node })));
      yield { type: 'lost', lost: one, history };
    }
    await bulk.end();
  }

  /** Families that follow from others, and how. */
  private derived(history: History): [from: Family[], what: string, act: () => Promise<unknown>][] {
    const { rocks } = history;
    const { first, firstTimeNs, watermark } = history.meta();
    return [
      [['hashes'], 'hashes, from content', () => hashesAnew(rocks)],
      [['times'], 'times of records, from changes and the records beside them', () => mendTimes(rocks, first, firstTimeNs, watermark)],
      [['clock', 'times'], 'the clock, from times', () => clockAnew(rocks)],
      [['nodechanges', 'changes'], 'which changes concern an object, from changes', () => referencesAnew(rocks)],
      [['inodes'], 'what inode numbers stand for, from the newest states', () => bindingsAnew(rocks)],
    ];
  }

  /** What the journal holds, and where history goes on. Answers whether the journal has to go. */
  private async *goOn(history: History): AsyncGenerator<RepairStep, boolean> {
    const { layout } = this.store;
    const { problem, last: recorded } = await lookAtJournal(layout, this.storeId, history.watermark());
    const isLost = this.newest > history.watermark() || this.salvaged?.cut != null;
    // Whatever history had came from the journal: what goes on there has all of it.
    if (problem === null && (recorded > history.watermark() || !isLost)) return false;
    const { records, last, why } = await foldJournal(history, layout, this.storeId);
    if (records > 0) yield { type: 'mended', what: 'records, from the journal', count: records };
    if (why === null && !isLost) return true;
    const reason = why ?? problem ?? this.salvaged?.cut ?? 'newer changes are lost';
    const { from, to } = await passOver(history, Math.max(last, this.newest), reason);
    yield { type: 'missing', what: `changes after #${from}, up to #${to - 1} at most: ${reason}` };
    return true;
  }

  private async replace(journal: boolean): Promise<string[]> {
    const { layout } = this.store;
    const kept = [await swap(layout, this.options.now)];
    if (journal) {
      const place = keptAs(layout.journal, this.options.now);
      await rename(layout.journal, place);
      await mkdir(layout.journal, { mode: 0o700 });
      kept.push(place);
    }
    return kept;
  }
}

/** Why the write-ahead logs cannot be read to their end: RocksDB would open without the rest, and not say so. */
async function unreadableLog(directory: string, storeId: Buffer): Promise<string | null> {
  const raw = await RawDirectory.open(directory);
  try {
    return (await raw.logged(storeId)).why;
  } finally {
    await raw.close();
  }
}
