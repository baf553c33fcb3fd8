/**
 * A chain of archives as a history: of the instants that they hold, and of no other. What shows, compares or copies history
 * so does it with an archive. Guarantee: no directory is reached in two ways, whatever an archive says, so that who walks
 * the tree comes to an end.
 */
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { Hidden } from '../history/retained.js';
import { walkPath } from '../history/tree.js';
import { ROOT, type Change, type Gap, type Link, type Name, type NameEntry, type NodeAttr, type NodeId, type Point, type Seq, type Writer } from '../history/types.js';
import { S_IFDIR, S_IFREG } from '../recovery/compare.js';
import { LruMap } from '../view/lru.js';
import { Chain, type Located } from './chain.js';
import { damaged, reading } from './errors.js';
import type { ArchiveInstant } from './head.js';
import { decodeListing, typeOf, type Entry, type Missing } from './records.js';

/** Listings that are kept: of directories of the usual size, and of the largest. */
const KEPT_LISTINGS = 64;
const LARGE_BYTES = 64 << 10;
const KEPT_LARGE = 2;

/** Names of points that can be names of directories. */
const USABLE = /^[^/\0]{1,200}$/;

type Range = { offset: number; length: number };

export class ArchiveReader implements HistoryReader {
  private readonly listings = new LruMap<string, Promise<Map<Name, Entry>>>(KEPT_LISTINGS);
  private readonly largeListings = new LruMap<string, Promise<Map<Name, Entry>>>(KEPT_LARGE);

  private readonly instants: readonly ArchiveInstant[];

  constructor(readonly chain: Chain) {
    this.instants = chain.archives.map(({ head }) => head.at);
  }

  watermark(): Seq {
    return this.instants.at(-1)!.seq;
  }
  async range(): ReturnType<HistoryReader['range']> {
    return { first: this.instants[0]!, last: this.instants.at(-1)! };
  }
  async points(): Promise<Point[]> {
    return this.chain.archives.flatMap(({ head: { at, names } }) => {
      const usable = names.filter((name) => USABLE.test(name));
      return (usable.length > 0 ? usable : ['']).map((name): Point => ({ id: at.seq, seq: at.seq, timeNs: at.timeNs, kind: 'mark', name, note: '' }));
    });
  }
  /** Of a time between two of them nothing is known. */
  async seqAt(timeNs: bigint): Promise<Seq | null> {
    const last = this.instants.at(-1)!;
    return (timeNs >= last.timeNs ? last : this.instants.find((point) => point.timeNs === timeNs))?.seq ?? null;
  }
  hidden(seq: Seq): Hidden | null {
    if (this.instants.some((point) => point.seq === seq)) return null;
    const from = this.instants.filter((point) => point.seq < seq).at(-1)?.seq ?? 0;
    return { from, to: this.instants.find((point) => point.seq > seq)?.seq ?? from, untilNs: null };
  }
  async timeOf(seq: Seq): Promise<bigint | null> {
    return this.instants.filter((point) => point.seq <= seq).at(-1)?.timeNs ?? null;
  }
  timesOf(seqs: readonly Seq[]): Promise<(bigint | null)[]> {
    return Promise.all(seqs.map((seq) => this.timeOf(seq)));
  }

  async lookup(parent: NodeId, name: Name, seq: Seq): Promise<NameEntry | null> {
    const entry = (await this.listing(parent, seq)).get(name);
    if (!entry) return null;
    await this.expectInside(parent, entry, seq);
    return { name, node: entry.node, since: seq };
  }
  async list(node: NodeId, seq: Seq): Promise<NameEntry[]> {
    const entries = [...(await this.listing(node, seq)).values()];
    for (const entry of entries) await this.expectInside(node, entry, seq);
    return entries.map((entry) => ({ name: entry.name, node: entry.node, since: seq }));
  }
  async attr(node: NodeId, seq: Seq): Promise<NodeAttr | null> {
    return (await this.located(node, seq))?.one.attr ?? null;
  }
  attrs(nodes: NodeId[], seq: Seq): Promise<(NodeAttr | null)[]> {
    return Promise.all(nodes.map((node) => this.attr(node, seq)));
  }
  attrsAt(wanted: readonly { node: NodeId; seq: Seq }[]): Promise<(NodeAttr | null)[]> {
    return Promise.all(wanted.map(({ node, seq }) => this.attr(node, seq)));
  }
  async xattrs(node: NodeId, seq: Seq): Promise<Map<Name, Buffer>> {
    return new Map((await this.located(node, seq))?.one.xattrs);
  }
  xattrsOfAll(nodes: NodeId[], seq: Seq): Promise<Map<Name, Buffer>[]> {
    return Promise.all(nodes.map((node) => this.xattrs(node, seq)));
  }
  async read(node: NodeId, offset: number, length: number, seq: Seq): Promise<Buffer> {
    const found = await this.located(node, seq);
    return found ? await this.content(found, offset, Math.min(length, Math.max(0, found.one.attr.size - offset))) : Buffer.alloc(0);
  }
  async dataRanges(node: NodeId, seq: Seq): Promise<Range[]> {
    const ranges: Range[] = [];
    for (const { offset, length } of (await this.located(node, seq))?.one.extents ?? []) {
      const last = ranges.at(-1);
      if (last && last.offset + last.length === offset) last.length += length;
      else ranges.push({ offset, length });
    }
    return ranges;
  }
  async readlink(node: NodeId, seq: Seq): Promise<Buffer> {
    const one = (await this.located(node, seq))?.one;
    if (one?.missing) throw notHere(node, one.missing);
    return one?.target ?? Buffer.alloc(0);
  }
  /** Why an object is there without its content; null when it is not. */
  async missing(node: NodeId, seq: Seq): Promise<Missing | null> {
    return (await this.located(node, seq))?.one.missing ?? null;
  }
  resolve(path: Name[], seq: Seq): Promise<NodeId | null> {
    return walkPath(path, (node, name) => this.lookup(node, name, seq));
  }

  /** An archive holds states, not what led to them: nothing is known of names and changes between. */
  async nameHistory(parent: NodeId, name: Name): Promise<{ since: Seq; node: NodeId | null }[]> {
    const found = await Promise.all(this.instants.map(async ({ seq }) => ({ since: seq, node: (await this.lookup(parent, name, seq))?.node ?? null })));
    return found.filter(({ node }, i) => node !== (found[i - 1]?.node ?? null));
  }
  async namesEver(parent: NodeId): Promise<Name[]> {
    const lists = await Promise.all(this.instants.map(({ seq }) => this.list(parent, seq)));
    return [...new Set(lists.flat().map(({ name }) => name))].sort();
  }
  async pathOf(node: NodeId): Promise<Name[] | null> { return node === ROOT ? [] : null; }
  async linksOf(): Promise<{ parent: NodeId; name: Name }[]> { return []; }
  async everyLink(): Promise<Link[]> { return []; }
  async *sweepNames(): AsyncGenerator<never> {}
  async *sweepBirths(): AsyncGenerator<never> {}
  async *changes(): AsyncGenerator<Change> {}
  async *nodeChanges(): AsyncGenerator<Change> {}
  async changedRanges(): Promise<Range[]> { return []; }
  async writer(): Promise<Writer | null> { return null; }
  async *allWriters(): AsyncGenerator<Writer> {}
  async gaps(): Promise<Gap[]> { return []; }

  /** The archive that holds this instant, as its place in the chain. @throws ERR_TIME_THINNED */
  private levelOf(seq: Seq): number {
    const level = this.instants.findIndex((point) => point.seq === seq);
    if (level < 0) throw new RewindError('ERR_TIME_THINNED', `#${seq} is not in this archive`, `It holds ${this.instants.map((point) => `#${point.seq}`).join(', ')}.`);
    return level;
  }

  /** @throws ERR_ARCHIVE_CORRUPT for a tree without a root */
  private async located(node: NodeId, seq: Seq): Promise<Located | null> {
    const level = this.levelOf(seq);
    const found = await this.chain.node(node, level);
    if (node === ROOT && (!found || typeOf(found.one.attr.mode) !== S_IFDIR)) throw damaged(this.chain.archives[level]!.file, null, 'it has no root directory');
    return found;
  }

  private async listing(node: NodeId, seq: Seq): Promise<Map<Name, Entry>> {
    const found = await this.located(node, seq);
    if (!found || typeOf(found.one.attr.mode) !== S_IFDIR) return new Map();
    return await LruMap.remember(found.one.listed > LARGE_BYTES ? this.largeListings : this.listings, `${found.level}/${node}`, async () => {
      const bytes = await this.content(found, 0, found.one.listed);
      const { file } = this.chain.archives[found.level]!;
      return new Map(reading(file, null, () => decodeListing(bytes)).map((entry) => [entry.name, entry]));
    });
  }

  /** A directory lies where it says itself, and nowhere else; what is named is there, and of the type that its name says. */
  private async expectInside(parent: NodeId, { node, type, name }: Entry, seq: Seq): Promise<void> {
    const found = await this.located(node, seq);
    const fail = (what: string): never => {
      throw damaged(this.chain.archives[this.levelOf(seq)]!.file, null, `directory ${parent} names ${JSON.stringify(name)}, ${what}`);
    };
    if (!found) return fail('an object that is not there');
    if (typeOf(found.one.attr.mode) !== type) fail('an object of another type');
    if (type === S_IFDIR && found.one.parent !== parent) fail('a directory that lies elsewhere');
  }

  /** Bytes of a file or listing; what no extent covers is zero. */
  private async content({ level, one }: Located, offset: number, length: number): Promise<Buffer> {
    if (one.missing && one.attr.size > 0) throw notHere(one.node, one.missing);
    const out = Buffer.alloc(length);
    const { extents } = one;
    for (let i = firstAfter(extents, offset); i < extents.length && extents[i]!.offset < offset + length; i++) {
      const { offset: begin, length: held, block, at } = extents[i]!;
      const from = Math.max(begin, offset);
      const size = Math.min(begin + held, offset + length) - from;
      const bytes = block === null ? await this.before(level, one.node, from, size) : await this.chain.archives[level]!.bytes(block, at + from - begin, size);
      bytes.copy(out, from - offset);
    }
    return out;
  }

  /** Content that is as in an archive before. */
  private async before(level: number, node: NodeId, offset: number, length: number): Promise<Buffer> {
    const found = await this.chain.node(node, level - 1);
    if (!found || typeOf(found.one.attr.mode) !== S_IFREG || found.one.attr.size < offset + length) {
      throw damaged(this.chain.archives[level]!.file, null, `object ${node} has content of an archive before, which lacks it`);
    }
    return await this.content(found, offset, length);
  }
}

/** The first extent that ends after this byte. */
function firstAfter(extents: readonly Range[], offset: number): number {
  let [low, high] = [0, extents.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (extents[middle]!.offset + extents[middle]!.length <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function notHere(node: NodeId, missing: Missing): RewindError {
  return missing === 'purged'
    ? new RewindError('ERR_PURGED', `the content of object ${node} had been taken out of history when the archive was made`, 'An archive that was made before may have it.')
    : new RewindError('ERR_NOT_CAPTURED', `the content of object ${node} was not captured`, 'The archive tells only of its attributes.');
}
