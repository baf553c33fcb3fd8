/**
 * Notices what destroys work in bulk: many files deleted, many whose content became unreadable, many that got another
 * ending. Changes are counted for each group of processes (what one process has started) over a short time.
 *
 * What a program does to files that the same program wrote is its own business: npm empties its node_modules, git its
 * objects. Content counts as unreadable when a sample of it can hardly be compressed, and only against what it takes
 * the place of: files that could. Guarantee: nothing is read unless enough was destroyed already.
 */
import { deflateRawSync } from 'node:zlib';
import type { HistoryReader } from '../history/reader.js';
import type { Change, NodeId, Seq, Writer } from '../history/types.js';
import type { TripRules } from '../policy/trips.js';
import { programOf } from './programs.js';

export type Alarm = 'deletion' | 'encryption' | 'renaming';

/** What has happened, since when, and who was the last to do it. */
export interface Tripped { what: Alarm; first: Seq; count: number; writer: Writer }

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
/** How packed content begins: zlib (git's objects), gzip, zip, xz, zstd, bzip2, PNG, JPEG, git's packs, PDF. */
const PACKED_HEADS = ['7801', '785e', '789c', '78da', '1f8b', '504b0304', 'fd377a58', '28b52ffd', '425a68', '89504e47', 'ffd8ff', '5041434b', '25504446'].map((hex) => Buffer.from(hex, 'hex'));
const PACKED = /\.(gz|tgz|bz2|xz|zst|zip|7z|rar|jar|whl|jpe?g|png|gif|webp|heic|mp[34]|m4[av]|mkv|mov|webm|ogg|flac|pdf|docx|xlsx|pptx|woff2?)$/i;

interface Seen { seq: Seq; timeNs: bigint; node: NodeId }

/** What one group did lately. */
interface Group {
  deleted: Seen[];
  renamed: Seen[];
  /** Readable content that is no more, and unreadable content that came. */
  lost: Seen[];
  sealed: Seen[];
  /** Files that it has written since it began to do anything, in the order of their first change. */
  wrote: Map<NodeId, Seq>;
  samples: number;
  lastNs: bigint;
  told: Set<Alarm>;
}

const endingOf = (name: string | undefined): string => /\.([^.]+)$/.exec(name ?? '')?.[1] ?? '';

/** Can this content hardly be compressed, though it is in no format that is packed? */
export function isSealed(sample: Buffer): boolean {
  if (PACKED_HEADS.some((head) => sample.subarray(0, head.length).equals(head))) return false;
  return sample.length >= MIN_SAMPLE_BYTES && deflateRawSync(sample, { level: 1 }).length > sample.length * INCOMPRESSIBLE;
}

export class TripWires {
  private readonly groups = new Map<string, Group>();
  /** Files already counted by a group, and who made them. */
  private readonly makers = new Map<NodeId, string>();

  constructor(private readonly history: Asked, private rules: TripRules) {}

  setRules(rules: TripRules): void {
    this.rules = rules;
  }

  /** What this change brings to the measure. */
  async look(change: Change): Promise<Tripped[]> {
    const writer = change.writer === 0 ? null : await this.history.writer(change.writer);
    if (writer === null) return [];
    const group = this.groupOf(writer, change.timeNs);
    if (writes(change) && !group.wrote.has(change.node) && group.wrote.size < MAX_WROTE) group.wrote.set(change.node, change.seq);
    const program = programOf(writer).name;
    const seen = { seq: change.seq, timeNs: change.timeNs, node: change.node };
    if (change.marker === 'create') this.made(change.node, program);
    else if (change.marker === 'delete') await this.deleted(group, change, seen, program);
    else if (change.marker === 'rename') await this.renamed(group, change, seen, program);
    else if (writes(change)) await this.modified(group, change, seen, program);
    return this.tripped(group, change.seq, writer);
  }

  private groupOf(writer: Writer, nowNs: bigint): Group {
    const key = `${writer.ppid > 1 ? writer.ppid : writer.pid}`;
    let group = this.groups.get(key);
    if (!group || nowNs - group.lastNs > this.rules.withinNs) {
      for (const [other, { lastNs }] of this.groups) if (nowNs - lastNs > this.rules.withinNs) this.groups.delete(other);
      group = { deleted: [], renamed: [], lost: [], sealed: [], wrote: new Map(), samples: 0, lastNs: nowNs, told: new Set() };
      this.groups.set(key, group);
    }
    group.lastNs = nowNs;
    for (const list of [group.deleted, group.renamed, group.lost, group.sealed]) {
      while (list.length > 0 && nowNs - list[0]!.timeNs > this.rules.withinNs) list.shift();
    }
    return group;
  }

  private made(node: NodeId, program: string): void {
    if (this.makers.size > 100_000) this.makers.clear();
    this.makers.set(node, program);
  }

  /** The program that wrote this file last before `seq`. */
  private async makerOf(node: NodeId, seq: Seq): Promise<string> {
    const known = this.makers.get(node);
    if (known !== undefined) return known;
    const maker = await this.lastWriter(node, seq - 1);
    const program = maker === null ? '' : programOf(maker).name;
    this.made(node, program);
    return program;
  }

  private async lastWriter(node: NodeId, upTo: Seq): Promise<Writer | null> {
    for await (const { writer, marker } of this.history.nodeChanges(node, 0, upTo, { reverse: true })) {
      if (writer !== 0 && marker !== 'rename') return this.history.writer(writer);
    }
    return null;
  }

  private async deleted(group: Group, change: Change, seen: Seen, program: string): Promise<void> {
    const attr = await this.history.attr(change.node, change.seq - 1);
    if (attr === null || (attr.mode & S_IFMT) !== S_IFREG || await this.makerOf(change.node, change.seq) === program) return;
    group.deleted.push(seen);
    await this.loses(group, change.node, change.seq, change.name, seen);
  }

  private async renamed(group: Group, change: Change, seen: Seen, program: string): Promise<void> {
    if (change.target !== undefined && !change.exchange) await this.loses(group, change.target, change.seq, change.name2, { ...seen, node: change.target });
    const [from, to] = [endingOf(change.name), endingOf(change.name2)];
    if (from !== '' && from !== to && await this.makerOf(change.node, change.seq) !== program) group.renamed.push(seen);
  }

  /** Once for each file: content over content, or a new file's. */
  private async modified(group: Group, change: Change, seen: Seen, program: string): Promise<void> {
    if (group.sealed.some(({ node }) => node === change.node)) return;
    const own = await this.makerOf(change.node, change.seq) === program && this.makers.has(change.node);
    if (!own) {
      this.made(change.node, program);
      await this.loses(group, change.node, change.seq, undefined, seen);
    }
    if (group.lost.length >= this.rules.encryption / 4 && await this.sampleIsSealed(group, change.node, change.seq)) group.sealed.push(seen);
  }

  /** Content that is there before `seq` and then no more; counted when it could be read. */
  private async loses(group: Group, node: NodeId, seq: Seq, name: string | undefined, seen: Seen): Promise<void> {
    if (name !== undefined && PACKED.test(name)) return;
    const attr = await this.history.attr(node, seq - 1);
    if (attr === null || attr.uncaptured || attr.size < MIN_SAMPLE_BYTES || (attr.mode & S_IFMT) !== S_IFREG) return;
    // Reading begins only when this may become something.
    if (group.lost.length >= this.rules.encryption / 4 && await this.sampleIsSealed(group, node, seq - 1)) return;
    group.lost.push(seen);
  }

  private async sampleIsSealed(group: Group, node: NodeId, seq: Seq): Promise<boolean> {
    if (group.samples >= MAX_SAMPLES) return false;
    group.samples++;
    return isSealed(await this.history.read(node, 0, SAMPLE_BYTES, seq).catch(() => Buffer.alloc(0)));
  }

  private async tripped(group: Group, now: Seq, writer: Writer): Promise<Tripped[]> {
    const { deletion, encryption, renaming } = this.rules;
    const found: Tripped[] = [];
    const over = (what: Alarm, limit: number, count: number): boolean => limit > 0 && count >= limit && !group.told.has(what);
    if (over('deletion', deletion, group.deleted.length)) found.push({ what: 'deletion', first: group.deleted[0]!.seq, count: group.deleted.length, writer });
    if (over('renaming', renaming, group.renamed.length)) found.push({ what: 'renaming', first: group.renamed[0]!.seq, count: group.renamed.length, writer });
    const sealed = Math.min(group.lost.length, group.sealed.length);
    if (over('encryption', encryption, sealed)) found.push({ what: 'encryption', first: Math.min(await this.firstSealed(group, now), group.lost[0]!.seq), count: sealed, writer });
    for (const { what } of found) group.told.add(what);
    return found;
  }

  /** Those that came before anything was looked into count, too. */
  private async firstSealed(group: Group, now: Seq): Promise<Seq> {
    group.samples = 0;
    for (const [node, seq] of group.wrote) if (await this.sampleIsSealed(group, node, now)) return seq;
    return group.sealed[0]!.seq;
  }
}

const writes = ({ marker, length }: Change): boolean => marker === 'create' || (marker === 'modify' && length > 0);
