/**
 * Notices what destroys work in bulk: many files deleted, many whose content became unreadable or was replaced, many that
 * got another ending. Changes are counted for each group of processes (what one process has started) over a short time.
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
import { familiesOf, writerOfMost } from './culprits.js';
import type { ProcessId } from './processes.js';
import { Recent } from './recent.js';
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
/** Files of one group that are remembered, and that are looked into, within the time, at most. */
const MAX_WROTE = 32_768;
const MAX_SAMPLES = 512;
/** So many of a list tell how it is with all. */
const PROBES = 32;
/** A file that has become so much shorter is lost, whatever it begins with. */
const CUT_SHORT = 4;
/** A wire that tripped is set again once so small a part of its limit is left. */
const QUIET = 0.25;
const PACKED = /\.(gz|tgz|bz2|xz|zst|zip|7z|rar|jar|whl|jpe?g|png|gif|webp|heic|mp[34]|m4[av]|mkv|mov|webm|ogg|flac|pdf|docx|xlsx|pptx|woff2?)$/i;

/** `by`: what has the content that took the place of the file's. */
interface Seen { seq: Seq; timeNs: bigint; node: NodeId; by: NodeId; name: Name | undefined; program: string; writer: Writer }

/** What one group did lately. Nothing of it was looked into but what `sealed` holds. */
interface Group {
  deleted: Recent<Seen>;
  renamed: Recent<Seen>;
  overwritten: Recent<Seen>;
  /** Files whose content is no more: overwritten, deleted, renamed over. */
  lost: Recent<Seen>;
  /** Files with unreadable content that came. */
  sealed: Recent<Seen>;
  samples: Recent<{ timeNs: bigint }>;
  /** Files that it has written, in the order of their first change. */
  wrote: Map<NodeId, { seq: Seq; timeNs: bigint }>;
  lastNs: bigint;
  droppedNs: bigint;
  told: Set<Alarm>;
}

/** What has left the time is dropped in so many steps: each costs what stays. */
const DROPS = 50n;

const endingOf = (name: string | undefined): string => /\.([^.]+)$/.exec(name ?? '')?.[1] ?? '';

export class TripWires {
  private readonly groups = new Map<string, Group>();
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
    const group = this.groupOf(writer, change.timeNs);
    const trusted = this.rules.trusts(writer);
    const seen = { seq: change.seq, timeNs: change.timeNs, node: change.node, by: change.node, name: change.name, program: programOf(writer).name, writer };
    if (change.marker === 'delete') {
      group.lost.push(seen);
      if (!trusted && !await this.isSpared(change)) group.deleted.push(seen);
    } else if (change.marker === 'rename') {
      if (change.target !== undefined && !change.exchange) this.replaced(group, { ...seen, node: change.target, name: change.name2 }, trusted);
      if (!trusted && endingOf(change.name) !== '' && endingOf(change.name) !== endingOf(change.name2)) group.renamed.push(seen);
    } else if (writes(change)) {
      await this.written(group, change, seen, trusted);
    }
    return this.tripped(group, change.seq);
  }

  /** What services of one parent do is told apart by the group that the system holds them in (cgroups(7)). */
  private groupOf(writer: Writer, nowNs: bigint): Group {
    const { withinNs } = this.rules;
    const key = `${writer.ppid > 1 ? writer.ppid : writer.pid} ${writer.cgroup}`;
    let group = this.groups.get(key);
    if (!group || nowNs - group.lastNs > withinNs) {
      for (const [other, { lastNs }] of this.groups) if (nowNs - lastNs > withinNs) this.groups.delete(other);
      group = { deleted: new Recent(), renamed: new Recent(), overwritten: new Recent(), lost: new Recent(), sealed: new Recent(), samples: new Recent(), wrote: new Map(), lastNs: nowNs, droppedNs: nowNs, told: new Set() };
      this.groups.set(key, group);
    }
    group.lastNs = nowNs;
    if ((nowNs - group.droppedNs) * DROPS >= withinNs) dropOlder(group, nowNs - withinNs);
    return group;
  }

  private replaced(group: Group, seen: Seen, trusted: boolean): void {
    group.lost.push(seen);
    if (!trusted) group.overwritten.push(seen);
  }

  /** Once for each file: what was in it before is lost, unless this group made it; what is in it now may be unreadable. */
  private async written(group: Group, { marker, node, seq, timeNs }: Change, seen: Seen, trusted: boolean): Promise<void> {
    if (!group.wrote.has(node) && group.wrote.size < MAX_WROTE) {
      group.wrote.set(node, { seq, timeNs });
      if (marker !== 'create') this.replaced(group, seen, trusted);
    }
    if (marker === 'create' || group.told.has('encryption') || group.lost.list.length < this.rules.encryption / 4) return;
    if (group.samples.list.length >= MAX_SAMPLES || group.sealed.list.some((one) => one.node === node)) return;
    group.samples.push({ timeNs });
    if (await this.sealedAt(node, seq)) group.sealed.push(seen);
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

  private async tripped(group: Group, now: Seq): Promise<Tripped[]> {
    const found: Tripped[] = [];
    const check = async (what: Alarm, looked: Recent<Seen>, lost: Recent<Seen>, counts: (one: Seen) => Promise<boolean>): Promise<void> => {
      const limit = this.rules[what];
      if (group.told.has(what) && lost.list.length < limit * QUIET) group.told.delete(what);
      const seen = Math.min(looked.list.length, lost.list.length);
      if (limit === 0 || seen < limit || !looked.worthLooking || group.told.has(what)) return;
      const count = Math.round(seen * await fractionOf(lost.list, counts));
      if (count < limit) return looked.wait(Math.max(limit / 2, limit - count));
      group.told.add(what);
      const first = lost.list[0]!.seq;
      found.push({ what, count, families: familiesOf(looked.list), writer: writerOfMost(looked.list), first: what === 'encryption' ? Math.min(await this.firstSealed(group, now), first) : first });
    };
    await check('deletion', group.deleted, group.deleted, (one) => this.ofAnother(one));
    await check('renaming', group.renamed, group.renamed, (one) => this.ofAnother(one));
    await check('encryption', group.sealed, group.lost, (one) => this.wasReadable(one));
    // What is encrypted in place is overwritten, too: it is told once, unless only this is blocked.
    if (!group.told.has('encryption') || this.rules.block.includes('overwriting')) {
      await check('overwriting', group.overwritten, group.overwritten, (one) => this.isGone(one, now));
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
  private async firstSealed(group: Group, now: Seq): Promise<Seq> {
    let looked = 0;
    for (const [node, { seq }] of group.wrote) if (looked++ < MAX_SAMPLES && await this.sealedAt(node, now)) return seq;
    return group.sealed.list[0]!.seq;
  }
}

function dropOlder(group: Group, thanNs: bigint): void {
  group.droppedNs = group.lastNs;
  for (const recent of [group.deleted, group.renamed, group.overwritten, group.lost, group.sealed, group.samples]) recent.dropOlder(thanNs);
  for (const [node, { timeNs }] of group.wrote) {
    if (timeNs >= thanNs) break;
    group.wrote.delete(node);
  }
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
