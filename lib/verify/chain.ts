/**
 * The chain from its beginning on: each link fits the records of history and stands on the link before, the last one is the
 * head that history names, and an anchor that was kept elsewhere names a link of it. Guarantee: whatever of the chained
 * families was altered, taken out, added or put in another order is told with the records of its link.
 */
import type { Anchor } from '../history/anchor.js';
import { decodeChanges } from '../history/changes.js';
import { CHAINED, decodeLink, digestOf, endsOf, GENESIS, headOf, lastOf, shortened, type Chained, type Link } from '../history/chain.js';
import type { History } from '../history/history.js';
import { getU64, u64Key } from '../history/keys.js';
import { foundIn, linkedBy, madeIn, type Linked } from '../history/linked.js';
import { isInside } from '../history/retained.js';
import type { Entry } from '../history/rocks.js';
import type { Seq } from '../history/types.js';
import type { Finding, FindingKind } from './findings.js';
import { NO_OBJECTS, SealCheck, type Objects } from './seals.js';
import { Tape } from './tape.js';

/** Numbers of records that entries have which no record made: those of lawful edits. */
const MADE_UP_RECORDS = 2 ** 52;

/** Links that a repair has put in place of some that did not fit. */
export interface Mended { from: Seq; to: Seq; timeNs: bigint }

/** What the chain speaks for. */
export class ChainReport {
  /** Its first record; null where there is no chain yet. */
  from: Seq | null = null;
  to: Seq = 0;
  links = 0;
  mended: Mended[] = [];
  /** Objects whose bytes were compared, one for each batch that brought some. */
  objects: Objects = { ...NO_OBJECTS };
  /** Does the anchor name the head of a link? null: none ends where it was taken. */
  anchored: boolean | null = null;

  /** Does the chain know what a record made? */
  speaksFor(seq: Seq): boolean {
    return this.from !== null && seq >= this.from && seq <= this.to && !this.mended.some(({ from, to }) => seq >= from && seq <= to);
  }
}

/** `after`: links that end up to there were looked at before; null: none. */
export interface ChainOptions { deep: boolean; anchor: Anchor | null; after: Seq | null; signal: AbortSignal }

/** Yields findings, and the number of records that were looked at so far. */
export async function* checkChain(history: History, report: ChainReport, options: ChainOptions): AsyncGenerator<Finding | number> {
  const { watermark, chain } = history.meta();
  try {
    yield* new ChainPass(history, report, options, watermark, chain).run();
  } catch (error) {
    options.signal.throwIfAborted();
    yield { kind: 'unreadable', family: 'chain', key: u64Key(report.to), what: `the chain cannot be followed behind #${report.to}: ${(error as Error).message}` };
  }
}

class ChainPass {
  private readonly seals: SealCheck;
  private readonly tapes: Record<Chained, Tape>;
  private head: Buffer = GENESIS;
  /** Entries that a mount found: as links count them, and as they lie there. */
  private found = { counted: 0, met: 0 };

  constructor(private readonly history: History, private readonly report: ChainReport, private readonly options: ChainOptions, private readonly watermark: Seq, private readonly last: string | undefined) {
    this.seals = new SealCheck(history);
    this.tapes = Object.fromEntries(CHAINED.map((family) => [family, new Tape(history.rocks, family)])) as Record<Chained, Tape>;
  }

  async *run(): AsyncGenerator<Finding | number> {
    const { report, options } = this;
    try {
      for await (const { key, value } of this.history.rocks.scan('chain', {}, { capacity: 64 })) {
        options.signal.throwIfAborted();
        const link = this.decoded(key, value);
        if (link === null) continue;  // a finding by itself
        if (link.from > this.watermark) break;
        yield* this.follow(link);
        yield report.to;
      }
      yield* this.end();
    } finally {
      for (const tape of Object.values(this.tapes)) await tape.end();
    }
  }

  private decoded(key: Buffer, value: Buffer): Link | null {
    try {
      return decodeLink(getU64(key, 0), value);
    } catch {
      return null;
    }
  }

  private async *follow(link: Link): AsyncGenerator<Finding> {
    const { report } = this;
    const last = lastOf(link);
    if (report.from !== null && link.from !== report.to + 1) yield found('chain-gap', link.from, `no link says what records #${report.to + 1} to #${link.from - 1} were`);
    report.from ??= link.from;
    report.links++;
    const isKnown = last <= (this.options.after ?? 0);
    const entries = isKnown ? null : await this.entriesOf(link);
    if (link.mendedNs !== null) report.mended.push({ from: link.from, to: last, timeNs: link.mendedNs });
    else if (entries !== null) yield* this.compare(link, entries);
    yield* this.compareAnchor(link);
    this.head = link.head;
    report.to = last;
  }

  private *compareAnchor(link: Link): Generator<Finding> {
    const { report, options: { anchor } } = this;
    if (anchor === null || anchor.seq < link.from || anchor.seq > lastOf(link)) return;
    const ends = link.thinned === null ? [{ seq: lastOf(link), head: link.head }] : endsOf(this.head, link.thinned);
    const head = ends.find(({ seq }) => seq === anchor.seq)?.head;
    if (head === undefined) return;
    report.anchored = head.toString('hex') === anchor.head;
    if (!report.anchored) yield found('anchor-mismatch', link.from, `the chain has another head at #${anchor.seq} than the anchor: something up to there is not what it was when the anchor was taken`);
  }

  private async *compare(link: Link, entries: Linked): AsyncGenerator<Finding> {
    if (!fits(this.head, link, entries)) {
      if (!await this.fitsNow(link)) yield found('chain-broken', link.from, `what history holds of records #${link.from} to #${lastOf(link)} is not what was recorded`);
    } else if (link.thinned !== null && !isInside({ from: link.from - 1, to: lastOf(link) }, this.history.retention().merged)) {
      yield found('chain-broken', link.from, `changes among #${link.from} to #${lastOf(link)} are said to have been given up, and no stretch that was merged holds all of these`);
    } else if (this.options.deep) {
      const changes = entries.changes.flatMap(({ key, value }) => decodeChanges(key, value)).filter(({ seq, record }) => seq === record);
      for (const part of link.thinned?.parts.map((one) => one.link) ?? [link]) {
        yield* await this.seals.findings(part, changes.filter(({ seq }) => seq >= part.from && seq <= lastOf(part)), this.report.objects);
      }
    }
  }

  /** Its changes may be given up while they are looked at: all of it is read again while nobody rewrites history. */
  private fitsNow({ from }: Link): Promise<boolean> {
    const { rocks } = this.history;
    return this.history.upkeep.take(async () => {
      const entry = await rocks.peek('chain', { lte: u64Key(from) }, true);
      const link = entry && this.decoded(entry.key, entry.value);
      if (!link) return false;
      const before = await rocks.peek('chain', { lt: entry!.key }, true);
      const head = before === null ? GENESIS : this.decoded(before.key, before.value)?.head;
      return head !== undefined && fits(head, link, await linkedBy(rocks, link));
    });
  }

  /** What the records of a link put into the chained families. */
  private async entriesOf(link: Link): Promise<Linked> {
    const last = lastOf(link);
    const entries = {} as Linked;
    for (const family of CHAINED) entries[family] = await this.tapes[family].take(link.from, last);
    for (const family of ['changes', 'gaps'] as const) {
      const isFound = ({ key }: Entry): boolean => getU64(key, 0) !== getU64(key, 8);
      this.found.met += entries[family].filter((entry) => isFound(entry) && this.isOfTheChain(getU64(entry.key, 8), link.from)).length;
      entries[family] = [...madeIn(entries[family], link.from, last), ...await foundIn(this.history.rocks, family, link)];
    }
    this.found.counted += link.found;
    return entries;
  }

  private isOfTheChain(record: Seq, from: Seq): boolean {
    return record < MADE_UP_RECORDS && record <= this.watermark && record >= (this.report.from ?? from);
  }

  private async *end(): AsyncGenerator<Finding> {
    const { report, last, watermark, options: { anchor } } = this;
    if (report.from === null && last === undefined && anchor === null) return;
    if (last === undefined ? report.from !== null : report.to !== watermark) yield found('chain-gap', report.to, `the chain ends at #${report.to}, and history at #${watermark}`);
    else if (last !== undefined && this.head.toString('hex') !== last) yield found('chain-broken', report.to, `the last link is not the head that history names at #${watermark}`);
    if (report.mended.length === 0 && this.options.after === null && this.found.met !== this.found.counted) {
      yield found('chain-broken', report.from ?? 0, `history holds ${this.found.met} entries of what mounts found, and the chain knows of ${this.found.counted}`);
    }
    if (anchor === null) return;
    if (anchor.seq > watermark) yield found('anchor-mismatch', report.to, `the anchor is of #${anchor.seq}, and history ends at #${watermark}: it was taken back, or the end of it is lost`);
    else if (anchor.seq < (report.from ?? Infinity)) yield found('anchor-mismatch', report.to, `the anchor is of #${anchor.seq}, and the chain ${report.from === null ? 'is not there' : `begins at #${report.from}`}`);
    else if (report.anchored === null) yield found('anchor-mismatch', report.to, `no link of the chain ends at #${anchor.seq}, where the anchor was taken`);
    for (const { from, to, timeNs } of report.mended.filter((one) => one.from <= anchor.seq)) {
      yield found('chain-mended', from, `records #${from} to #${to} did not fit the chain any more when the store was repaired on ${new Date(Number(timeNs / 1_000_000n)).toISOString()}: the anchor does not speak for them`);
    }
  }
}

/** Is what is there what the link says? Of one whose changes were given up in part what was left. */
function fits(before: Buffer, link: Link, entries: Linked): boolean {
  const records = digestOf(entries);
  if (link.thinned === null) return headOf(before, link, records).equals(link.head);
  return shortened(records).equals(link.thinned.left) && endsOf(before, link.thinned).at(-1)!.head.equals(link.head);
}

const found = (kind: FindingKind, from: Seq, what: string): Finding => ({ kind, family: 'chain', key: u64Key(from), what });
