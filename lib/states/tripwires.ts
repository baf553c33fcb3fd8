/**
 * Notices what destroys work in bulk: many files deleted, many whose content became unreadable, many that got another
 * ending. Changes are counted for each group of processes (what one process has started) over a short time.
 *
 * What a program does to files that the same program wrote is its own business: npm empties its node_modules, git its
 * objects. Content counts as unreadable when a sample of it can hardly be compressed, and only against what it takes
 * the place of: files that could. Guarantee: counting costs nothing of history; it is asked only when the bare numbers would
 * trip, and then about a few of the files.
 */
import { deflateRawSync } from 'node:zlib';
import type { HistoryReader } from '../history/reader.js';
import type { Change, NodeAttr, NodeId, Seq, Writer } from '../history/types.js';
import type { Alarm, TripRules } from '../policy/trips.js';
import type { ProcessId } from './processes.js';
import { programOf } from '../program.js';

/** What has happened, since when, and who was the last to do it. */
export interface Tripped {
  what: Alarm;
  first: Seq;
  count: number;
  writer: Writer;
  /** The one process that did all of it, else the one that started those who did: it and all that it starts. null: not known. */
  family: ProcessId | null;
}

type Asked = Pick<HistoryReader, 'writer' | 'attr' | 'read' | 'nodeChanges'>;

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const SAMPLE_BYTES = 4096;
/** Shorter samples do not compress, whatever they hold. */
const MIN_SAMPLE_BYTES = 256;
const INCOMPRESSIBLE = 0.95;
/** Files of one group that are remembered, and that are looked into, at most. */
const MAX_WROTE = 4096;
const MAX_SAMPLES = 512;
/** So many of a list tell how it is with all. */
const PROBES = 32;
/** How packed content begins: zlib (git's objects), gzip, zip, xz, zstd, bzip2, PNG, JPEG, git's packs, PDF. */
const PACKED_HEADS = ['7801', '785e', '789c', '78da', '1f8b', '504b0304', 'fd377a58', '28b52ffd', '425a68', '89504e47', 'ffd8ff', '5041434b', '25504446'].map((hex) => Buffer.from(hex, 'hex'));
const PACKED = /\.(gz|tgz|bz2|xz|zst|zip|7z|rar|jar|whl|jpe?g|png|gif|webp|heic|mp[34]|m4[av]|mkv|mov|webm|ogg|flac|pdf|docx|xlsx|pptx|woff2?)$/i;

interface Seen { seq: Seq; timeNs: bigint; node: NodeId; name: string | undefined; program: string; writer: Writer }

/** What one group did lately. Nothing of it was looked into but what `sealed` holds. */
interface Group {
  deleted: Seen[];
  renamed: Seen[];
  /** Files whose content is no more: overwritten, deleted, renamed over. */
  lost: Seen[];
  /** Files with unreadable content that came. */
  sealed: Seen[];
  /** Files that it has written since it began to do anything, in the order of their first change. */
  wrote: Map<NodeId, Seq>;
  samples: number;
  lastNs: bigint;
  told: Set<Alarm>;
  /** So many must there be until it is worth looking again. */
  next: Record<Alarm, number>;
}

const endingOf = (name: string | undefined): string => /\.([^.]+)$/.exec(name ?? '')?.[1] ?? '';

/** Can this content hardly be compressed, though it is in no format that is packed? */
export function isSealed(sample: Buffer): boolean {
  if (PACKED_HEADS.some((head) => sample.subarray(0, head.length).equals(head))) return false;
  return sample.length >= MIN_SAMPLE_BYTES && deflateRawSync(sample, { level: 1 }).length > sample.length * INCOMPRESSIBLE;
}

export class TripWires {
  private readonly groups = new Map<string, Group>();

  constructor(private readonly history: Asked, private rules: TripRules) {}

  setRules(rules: TripRules): void {
    this.rules = rules;
  }

  /** What this change brings to the measure. */
  async look(change: Change): Promise<Tripped[]> {
    const writer = change.writer === 0 ? null : await this.history.writer(change.writer);
    if (writer === null) return [];
    const group = this.groupOf(writer, change.timeNs);
    const seen = { seq: change.seq, timeNs: change.timeNs, node: change.node, name: change.name, program: programOf(writer).name, writer };
    if (change.marker === 'delete') {
      group.deleted.push(seen);
      group.lost.push(seen);
    } else if (change.marker === 'rename') {
      if (change.target !== undefined && !change.exchange) group.lost.push({ ...seen, node: change.target, name: change.name2 });
      if (endingOf(change.name) !== '' && endingOf(change.name) !== endingOf(change.name2)) group.renamed.push(seen);
    } else if (writes(change)) {
      await this.written(group, change, seen);
    }
    return this.tripped(group, change.seq, writer);
  }

  private groupOf(writer: Writer, nowNs: bigint): Group {
    const key = `${writer.ppid > 1 ? writer.ppid : writer.pid}`;
    let group = this.groups.get(key);
    if (!group || nowNs - group.lastNs > this.rules.withinNs) {
      for (const [other, { lastNs }] of this.groups) if (nowNs - lastNs > this.rules.withinNs) this.groups.delete(other);
      const { deletion, encryption, renaming } = this.rules;
      group = { deleted: [], renamed: [], lost: [], sealed: [], wrote: new Map(), samples: 0, lastNs: nowNs, told: new Set(), next: { deletion, encryption, renaming } };
      this.groups.set(key, group);
    }
    group.lastNs = nowNs;
    for (const list of [group.deleted, group.renamed, group.lost, group.sealed]) dropOlder(list, nowNs - this.rules.withinNs);
    return group;
  }

  /** Once for each file: what was in it before is lost, unless this group made it; what is in it now may be unreadable. */
  private async written(group: Group, change: Change, seen: Seen): Promise<void> {
    const first = !group.wrote.has(change.node);
    if (first && group.wrote.size < MAX_WROTE) group.wrote.set(change.node, change.seq);
    if (first && change.marker !== 'create') group.lost.push(seen);
    if (change.marker === 'create' || group.told.has('encryption') || group.lost.length < this.rules.encryption / 4) return;
    if (group.sealed.some(({ node }) => node === change.node)) return;
    if (group.samples++ < MAX_SAMPLES && await this.sealedAt(change.node, change.seq)) group.sealed.push(seen);
  }

  private async sealedAt(node: NodeId, seq: Seq): Promise<boolean> {
    return isSealed(await this.history.read(node, 0, SAMPLE_BYTES, seq).catch(() => Buffer.alloc(0)));
  }

  private async tripped(group: Group, now: Seq, writer: Writer): Promise<Tripped[]> {
    const found: Tripped[] = [];
    const check = async (what: Alarm, list: readonly Seen[], seen: number, counts: (one: Seen) => Promise<boolean>): Promise<void> => {
      const limit = this.rules[what];
      if (limit === 0 || seen < group.next[what] || group.told.has(what)) return;
      const count = Math.round(seen * await fractionOf(list, counts));
      group.next[what] = seen + Math.max(limit / 2, limit - count);
      if (count < limit) return;
      group.told.add(what);
      const family = familyOf(what === 'encryption' ? group.sealed : list);
      found.push({ what, family, count, writer, first: what === 'encryption' ? Math.min(await this.firstSealed(group, now), list[0]!.seq) : list[0]!.seq });
    };
    await check('deletion', group.deleted, group.deleted.length, (one) => this.ofAnother(one));
    await check('renaming', group.renamed, group.renamed.length, (one) => this.ofAnother(one));
    await check('encryption', group.lost, Math.min(group.lost.length, group.sealed.length), (one) => this.wasReadable(one));
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
    if (!isFile(attr) || attr.uncaptured || attr.size < MIN_SAMPLE_BYTES) return false;
    return await this.madeByAnother(one) && !await this.sealedAt(one.node, one.seq - 1);
  }

  /** Those that came before anything was looked into count, too. */
  private async firstSealed(group: Group, now: Seq): Promise<Seq> {
    let looked = 0;
    for (const [node, seq] of group.wrote) if (looked++ < MAX_SAMPLES && await this.sealedAt(node, now)) return seq;
    return group.sealed[0]!.seq;
  }
}

function familyOf(done: readonly Seen[]): ProcessId | null {
  const { writer } = done.at(-1)!;
  if (!writer.certain) return null;
  if (done.every((one) => one.writer.pid === writer.pid)) return { pid: writer.pid, start: writer.start };
  const parent = /^(\d+):(\d+)$/.exec(writer.ancestors?.[0] ?? '');
  return parent && { pid: Number(parent[1]), start: Number(parent[2]) };
}

const isFile = (attr: NodeAttr | null): attr is NodeAttr => attr !== null && (attr.mode & S_IFMT) === S_IFREG;

function dropOlder(list: Seen[], thanNs: bigint): void {
  const kept = list.findIndex(({ timeNs }) => timeNs >= thanNs);
  if (kept !== 0) list.splice(0, kept < 0 ? list.length : kept);
}

/** For how many of these something holds, by a few of them. */
async function fractionOf(list: readonly Seen[], holds: (one: Seen) => Promise<boolean>): Promise<number> {
  const step = Math.max(1, Math.floor(list.length / PROBES));
  const probed = list.filter((_, i) => i % step === 0);
  let held = 0;
  for (const one of probed) if (await holds(one)) held++;
  return probed.length === 0 ? 0 : held / probed.length;
}

const writes = ({ marker, length }: Change): boolean => marker === 'create' || (marker === 'modify' && length > 0);
