/**
 * Notices what destroys work in bulk: many files deleted, many whose content became unreadable or was replaced, many that
 * got another ending. Changes are counted for each group of processes (bulksOf) over a short time.
 *
 * What a program does to files that the same program wrote is its own business; so is what the rules trust and spare
 * (docs/points.md). Who made a file that was there before history is not known: anybody but the one who destroys it. Content
 * counts as unreadable when a sample of it can hardly be compressed, as replaced when next to nothing of it is left, and
 * only against what it takes the place of. Guarantee: counting costs next to nothing of history; it is asked only when the
 * bare numbers would trip, and then about a few of the files.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Change, Name, NodeAttr, NodeId, Seq, Writer } from '../history/types.js';
import type { Alarm, TripRules } from '../policy/trips.js';
import { programOf } from '../program.js';
import { Bulk, type Seen } from './bulk.js';
import { familiesOf, writerOfMost } from './culprits.js';
import type { ProcessId } from './processes.js';
import type { Recent } from './recent.js';
import { isReplaced, isSealed, MIN_SEALED_BYTES, SAMPLE_BYTES } from './samples.js';

/** What has happened, since when, and who did the most of it. */
export interface Tripped {
  what: Alarm;
  first: Seq;
  count: number;
  writer: Writer;
  /** Who is to be stopped (culprits.ts). */
  families: readonly ProcessId[];
}

type Asked = Pick<HistoryReader, 'writer' | 'attr' | 'read' | 'nodeChanges' | 'pathOf'>;

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
/** Number of native/journal/format.h `Kind`. */
const KIND_TRUNCATE = 25;
/** Files of one group that are looked into within the time, at most. */
const MAX_SAMPLES = 512;
/** So many of a list tell how it is with all. */
const PROBES = 32;
/** A file that has become so much shorter is lost, whatever it begins with. */
const CUT_SHORT = 4;
/** A wire that tripped is set again once so small a part of its limit is left. */
const QUIET = 0.25;
const PACKED = /\.(gz|tgz|bz2|xz|zst|zip|7z|rar|jar|whl|jpe?g|png|gif|webp|heic|mp[34]|m4[av]|mkv|mov|webm|ogg|flac|pdf|docx|xlsx|pptx|woff2?)$/i;

/** What is to be known of a change, asked once for all groups that it counts for. */
interface Facts { trusted: boolean; spared: boolean; sealed(): Promise<boolean> }

const endingOf = (name: string | undefined): string => /\.([^.]+)$/.exec(name ?? '')?.[1] ?? '';

export class TripWires {
  private readonly bulks = new Map<string, Bulk>();
  /** The directory that was asked about last: what is deleted lies together. */
  private directory: { node: NodeId; path: Name[] | null } = { node: 0, path: null };

  constructor(private readonly history: Asked, private rules: TripRules) {}

  setRules(rules: TripRules): void {
    this.rules = rules;
  }

  /** What this change brings to the measure. */
  async look(change: Change): Promise<Tripped[]> {
    const writer = change.writer === 0 ? null : await this.history.writer(change.writer);
    if (writer === null) return [];
    const seen = { seq: change.seq, timeNs: change.timeNs, node: change.node, by: change.node, name: change.name, program: programOf(writer).name, writer };
    let sealed: Promise<boolean> | null = null;
    const facts = {
      trusted: this.rules.trusts(writer), spared: change.marker === 'delete' && await this.isSpared(change),
      sealed: () => (sealed ??= this.sealedAt(change.node, change.seq)),
    };
    const found: Tripped[] = [];
    for (const bulk of this.bulksOf(writer, change.timeNs)) {
      await this.count(bulk, change, seen, facts);
      // Told of a group, it is told of those that this one belongs to.
      for (const { what } of found) bulk.told.add(what);
      found.push(...await this.tripped(bulk, change.seq));
    }
    return found;
  }

  /**
   * What the parent started, and what the parent of that did: a loop that starts a shell for each file is one, too. Services
   * of one parent are told apart by the group that the system holds them in (cgroups(7)).
   */
  private bulksOf({ pid, ppid, ancestors, cgroup }: Writer, nowNs: bigint): Bulk[] {
    const above = Number(ancestors?.[1]?.split(':')[0] ?? 0);
    return [ppid > 1 ? ppid : pid, ...above > 1 ? [above] : []].map((leader) => this.bulkOf(`${leader} ${cgroup}`, nowNs));
  }

  private bulkOf(key: string, nowNs: bigint): Bulk {
    const { withinNs } = this.rules;
    let bulk = this.bulks.get(key);
    if (!bulk || nowNs - bulk.lastNs > withinNs) {
      for (const [other, { lastNs }] of this.bulks) if (nowNs - lastNs > withinNs) this.bulks.delete(other);
      this.bulks.set(key, (bulk = new Bulk(nowNs)));
    }
    bulk.pass(nowNs, withinNs);
    return bulk;
  }

  private async count(bulk: Bulk, change: Change, seen: Seen, facts: Facts): Promise<void> {
    const { trusted } = facts;
    if (change.marker === 'delete') {
      bulk.lost.push(seen);
      if (!trusted && !facts.spared) bulk.deleted.push(seen);
    } else if (change.marker === 'rename') {
      if (change.target !== undefined && !change.exchange) replaces(bulk, { ...seen, node: change.target, name: change.name2 }, trusted);
      if (!trusted && endingOf(change.name) !== '' && endingOf(change.name) !== endingOf(change.name2)) bulk.renamed.push(seen);
    } else if (writes(change)) {
      // Once for each file: what was in it before is lost, unless this group made it.
      if (bulk.writes(seen) && change.marker !== 'create') replaces(bulk, seen, trusted);
      if (change.marker !== 'create') await this.lookInto(bulk, seen, facts);
    }
  }

  /** What is in it now may be unreadable. */
  private async lookInto({ told, lost, samples, sealed }: Bulk, seen: Seen, facts: Facts): Promise<void> {
    if (told.has('encryption') || lost.list.length < this.rules.encryption / 4) return;
    if (samples.list.length >= MAX_SAMPLES || sealed.list.some(({ node }) => node === seen.node)) return;
    samples.push(seen);
    if (await facts.sealed()) sealed.push(seen);
  }

  private async sample(node: NodeId, seq: Seq, bytes = SAMPLE_BYTES): Promise<Buffer> {
    return this.history.read(node, 0, bytes, seq).catch(() => Buffer.alloc(0));
  }

  private async sealedAt(node: NodeId, seq: Seq): Promise<boolean> {
    return isSealed(await this.sample(node, seq));
  }

  /** What tools make again, by its path. */
  private async isSpared({ parent, name, seq }: Change): Promise<boolean> {
    if (parent === undefined || name === undefined) return false;
    if (this.directory.node !== parent) this.directory = { node: parent, path: await this.history.pathOf(parent, seq) };
    const { path } = this.directory;
    return path !== null && this.rules.spares(Buffer.from([...path, name].join('/'), 'latin1'), false);
  }

  private async tripped(bulk: Bulk, now: Seq): Promise<Tripped[]> {
    const found: Tripped[] = [];
    const check = async (what: Alarm, looked: Recent<Seen>, lost: Recent<Seen>, counts: (one: Seen) => Promise<boolean>): Promise<void> => {
      const limit = this.rules[what];
      if (bulk.told.has(what) && lost.list.length < limit * QUIET) bulk.told.delete(what);
      const seen = Math.min(looked.list.length, lost.list.length);
      if (limit === 0 || seen < limit || !looked.worthLooking || bulk.told.has(what)) return;
      const count = Math.round(seen * await fractionOf(lost.list, counts));
      if (count < limit) return looked.wait(Math.max(limit / 2, limit - count));
      bulk.told.add(what);
      const first = lost.list[0]!.seq;
      found.push({ what, count, families: familiesOf(looked.list), writer: writerOfMost(looked.list), first: what === 'encryption' ? Math.min(await this.firstSealed(bulk, now), first) : first });
    };
    await check('deletion', bulk.deleted, bulk.deleted, (one) => this.ofAnother(one));
    await check('renaming', bulk.renamed, bulk.renamed, (one) => this.ofAnother(one));
    await check('encryption', bulk.sealed, bulk.lost, (one) => this.wasReadable(one));
    // What is encrypted in place is overwritten, too: it is told once, unless only this is blocked.
    if (!bulk.told.has('encryption') || this.rules.block.includes('overwriting')) {
      await check('overwriting', bulk.overwritten, bulk.overwritten, (one) => this.isGone(one, now));
    }
    return found;
  }

  /** A file that another program wrote last before this change. */
  private async ofAnother(one: Seen): Promise<boolean> {
    return isFile(await this.history.attr(one.node, one.seq - 1)) && await this.madeByAnother(one);
  }

  private async madeByAnother({ node, seq, program }: Seen): Promise<boolean> {
    for await (const { writer, marker } of this.history.nodeChanges(node, 0, seq - 1, { reverse: true })) {
      if (writer === 0 || marker === 'rename') continue;
      const maker = await this.history.writer(writer);
      return maker === null || programOf(maker).name !== program;
    }
    return true;
  }

  private async wasReadable(one: Seen): Promise<boolean> {
    if (PACKED.test(one.name ?? '')) return false;
    const attr = await this.history.attr(one.node, one.seq - 1);
    if (!isFile(attr) || attr.uncaptured || attr.size < MIN_SEALED_BYTES) return false;
    return await this.madeByAnother(one) && !await this.sealedAt(one.node, one.seq - 1);
  }

  /** A file of another program, of whose content next to nothing is left. */
  private async isGone(one: Seen, now: Seq): Promise<boolean> {
    const [before, after] = [await this.history.attr(one.node, one.seq - 1), await this.history.attr(one.by, now)];
    if (!isFile(before) || before.uncaptured || !isFile(after) || after.uncaptured || !await this.madeByAnother(one)) return false;
    const old = await this.sample(one.node, one.seq - 1);
    // What was put in front of it may have moved it.
    const left = after.size * CUT_SHORT < before.size ? Buffer.alloc(0) : await this.sample(one.by, now, 2 * SAMPLE_BYTES);
    return isReplaced(old, left);
  }

  /** Those that came before anything was looked into count, too. */
  private async firstSealed(bulk: Bulk, now: Seq): Promise<Seq> {
    let looked = 0;
    for (const [node, { seq }] of bulk.wrote) if (looked++ < MAX_SAMPLES && await this.sealedAt(node, now)) return seq;
    return bulk.sealed.list[0]!.seq;
  }
}

function replaces(bulk: Bulk, seen: Seen, trusted: boolean): void {
  bulk.lost.push(seen);
  if (!trusted) bulk.overwritten.push(seen);
}

const isFile = (attr: NodeAttr | null): attr is NodeAttr => attr !== null && (attr.mode & S_IFMT) === S_IFREG;

/** For how many of these something holds, by a few of them. */
async function fractionOf(list: readonly Seen[], holds: (one: Seen) => Promise<boolean>): Promise<number> {
  const step = Math.max(1, Math.floor(list.length / PROBES));
  const probed = list.filter((_, i) => i % step === 0);
  let held = 0;
  for (const one of probed) if (await holds(one)) held++;
  return probed.length === 0 ? 0 : held / probed.length;
}

const writes = ({ marker, kind, length }: Change): boolean => marker === 'create' || (marker === 'modify' && (length > 0 || kind === KIND_TRUNCATE));
