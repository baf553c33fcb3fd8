/**
 * History: the only complete, lasting copy of every past state. Opens and closes the database, answers every question of
 * reader.ts, and takes the extractor's batches. Guarantees: a batch and its watermark take effect together; a database
 * of a newer format or of another store is refused untouched.
 */
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RewindError } from '../errors.js';
import { ContentReader } from './content.js';
import { Contents } from './contents.js';
import { liveEntries, type IsLost } from './live.js';
import { decodeMeta, EMPTY_META, encodeMeta, formatValue, HISTORY_FORMAT, META_FOLD, META_FORMAT, META_STORE, NEWEST_FORMAT, type FoldMeta } from './meta.js';
import type { HistoryReader } from './reader.js';
import { Rocks, type Batch } from './rocks.js';
import { changedRanges } from './ranges.js';
import { MissingContent } from './missing.js';
import { purged, thinned } from './removed.js';
import { decodeRetention, encodeRetention, hidingOf, META_RETENTION, NOTHING_MERGED, within, type Hidden, type Hiding, type Retention } from './retained.js';
import { TimelineReader } from './timeline.js';
import { TreeReader } from './tree.js';
import { Turns } from './turns.js';
import { everyLink, sweepBirths, sweepNames } from './sweep.js';
import type { Birth, Change, ClockReading, Gap, Link, Name, NameEntry, NameSpan, NodeAttr, NodeId, Point, Seq, Writer } from './types.js';
import { IdSet } from './idset.js';
import { u64Key } from './keys.js';
import { BLOCK_BYTES, decodeBinding, isUncaptured } from './values.js';

const MiB = 1 << 20;
/** What opening may need beyond what the logs hold. */
const SPARE_BYTES = 64 * MiB;
const BOUND_AT_A_TIME = 512;
const STORE_ID_BYTES = 16;

export interface HistoryOptions {
  /** Only read; nothing is created or recovered on disk. */
  readOnly?: boolean;
  /** 16 bytes: written when the database is made, compared when it is opened. */
  storeId?: Buffer;
}

export class History implements HistoryReader {
  private readonly tree: TreeReader;
  private readonly timeline: TimelineReader;
  private readonly content: ContentReader;
  /** Bytes by content id; for the extractor and the packer only. */
  readonly contents: Contents;
  /** Who rewrites or deletes what is there already (packing, retention) takes turns: none sees half of what another does. */
  readonly upkeep = new Turns();
  private kept: Readonly<Retention> = NOTHING_MERGED;
  /** Of all that is kept, and as it is asked for a path that a rule names. */
  private hiding: { all: Hiding; named: Hiding } = { all: () => null, named: () => null };
  private readonly reuse = new Set<(id: number) => void>();
  /** Contents that were deleted since it was opened. */
  readonly freed = new IdSet();
  /** What was taken out of single objects. */
  readonly missing: MissingContent;

  private constructor(readonly directory: string, /** For the extractor only. */ readonly rocks: Rocks, private current: Readonly<FoldMeta>) {
    this.tree = new TreeReader(rocks);
    this.timeline = new TimelineReader(rocks);
    this.contents = new Contents(rocks);
    this.content = new ContentReader(rocks, this.contents);
    this.missing = new MissingContent(rocks);
  }

  /**
   * Opens the database in this directory; made when missing, unless readOnly.
   * @throws RewindError ERR_NO_STORE, ERR_STORE_LOCKED, ERR_STORE_FORMAT, ERR_STORE_CORRUPT, ERR_HISTORY_CORRUPT, ERR_DISK_FULL
   */
  static async open(directory: string, options: HistoryOptions = {}): Promise<History> {
    const readOnly = options.readOnly ?? false;
    if (!readOnly) await mkdir(directory, { recursive: true, mode: 0o700 });
    const rocks = await Rocks.open(directory, { readOnly });
    try {
      const history = new History(directory, rocks, await admit(rocks, options.storeId, readOnly));
      await history.loadRetention();
      return history;
    } catch (error) {
      await rocks.close();
      throw error;
    }
  }

  /** Makes what was committed durable and closes. */
  async close(): Promise<void> {
    await this.rocks.close();
  }

  /** After ERR_DISK_FULL or ERR_IO, once the disk works again: takes what it takes for commits to succeed, reads the fold's place anew. */
  resume(): Promise<void> {
    return this.upkeep.take(async () => {
      if (!this.rocks.stopped) return;
      await expectRoom(this.directory, await this.rocks.reopenBytes());
      await expectWorking(this.directory);
      await this.rocks.reopen();
      // What had not reached the disk is gone: folded again, it may get its contents by other ids.
      this.contents.forget();
      this.current = await admit(this.rocks, undefined, false);
      await this.loadRetention();
    });
  }

  /** Where the fold stands; a copy. */
  meta(): FoldMeta {
    return { ...this.current };
  }

  /** Applies a batch with the state of the fold after it, atomically. */
  async commit(batch: Batch, meta: FoldMeta): Promise<void> {
    batch.put('meta', META_FOLD, encodeMeta(meta));
    await this.rocks.commit(batch);
    this.current = { ...meta };
  }

  private async loadRetention(): Promise<void> {
    const value = await this.rocks.get('meta', META_RETENTION);
    this.keep(value === null ? NOTHING_MERGED : decodeRetention(value));
    this.missing.forget();
  }

  /** Which instants are kept; a copy. */
  retention(): Retention {
    return structuredClone(this.kept);
  }

  /** Applies a batch that forgets, with what is kept after it, atomically. The extractor's place is none of its business. */
  async forget(batch: Batch, retention: Retention): Promise<void> {
    batch.put('meta', META_RETENTION, encodeRetention(retention));
    try {
      await this.rocks.commit(batch);
    } finally {
      batch.end();
    }
    this.keep(structuredClone(retention));
  }

  private keep(retention: Readonly<Retention>): void {
    this.kept = retention;
    this.hiding = { all: hidingOf(retention, false), named: hidingOf(retention, true) };
  }

  /** Told of each content that the extractor is about to name again. Answers how to end it. */
  onReuse(listener: (id: number) => void): () => void {
    this.reuse.add(listener);
    return () => { this.reuse.delete(listener); };
  }

  /** May content that was there be named by an entry that is yet to be committed? Not once it was freed, or is cold. */
  mayReuse(id: number): boolean {
    if (this.freed.has(id) || this.contents.isCold(id)) return false;
    for (const listener of this.reuse) listener(id);
    return true;
  }

  hidden(seq: Seq, named = false): Hidden | null {
    return (named ? this.hiding.named : this.hiding.all)(seq);
  }

  /**
   * May content be read at this instant? Between kept instants only that which is still certain: what an object last held
   * before a kept instant, from when it held it on. @throws ERR_TIME_THINNED, ERR_PURGED
   */
  private async expectThere(node: NodeId, seq: Seq): Promise<void> {
    await this.expectNotRemoved(node, seq);
    const stretch = within(this.kept.merged, seq) ?? within(this.kept.due, seq);
    if (stretch === null || await this.tree.lastStateAt(node, stretch.to) <= seq) return;
    throw new RewindError('ERR_TIME_THINNED', `the content that object ${node} had at #${seq} was merged into later content`, `#${stretch.from} and #${stretch.to} are the nearest instants that are kept.`);
  }

  /** Asked again once content was read: it may have been given up meanwhile. @throws ERR_TIME_THINNED, ERR_PURGED */
  private async expectNotRemoved(node: NodeId, seq: Seq): Promise<void> {
    const removal = await this.missing.of(node, seq);
    if (removal === null) return;
    if (removal.thinned === undefined) throw purged(node, seq, removal);
    // Of an empty file nothing is missing.
    if ((await this.attr(node, seq))?.size !== 0) throw thinned(node, seq, removal.thinned);
  }

  watermark(): Seq {
    return this.current.watermark;
  }

  async range(): Promise<{ first: { seq: Seq; timeNs: bigint }; last: { seq: Seq; timeNs: bigint } } | null> {
    const { first, firstTimeNs, watermark, timeNs } = this.current;
    return first === 0 ? null : { first: { seq: first, timeNs: firstTimeNs }, last: { seq: watermark, timeNs } };
  }

  /** When the first background walk began, while none was ever complete; null once the whole tree is in history. */
  baselineSince(): { seq: Seq; timeNs: bigint } | null {
    const { first, firstTimeNs, baselined } = this.current;
    return first === 0 || baselined ? null : { seq: first, timeNs: firstTimeNs };
  }

  /** The object that an inode number of the live tree stands for; null when history knows none. */
  async nodeOfInode(ino: number): Promise<NodeId | null> {
    const [value] = await this.rocks.getMany('inodes', [u64Key(ino)]);
    return value == null ? null : decodeBinding(value).node;
  }

  /** All objects that inode numbers stand for, some at a time. */
  private async *boundNodes(): AsyncGenerator<NodeId[]> {
    let nodes: NodeId[] = [];
    for await (const { value } of this.rocks.scan('inodes', {})) {
      nodes.push(decodeBinding(value).node);
      if (nodes.length < BOUND_AT_A_TIME) continue;
      yield nodes;
      nodes = [];
    }
    yield nodes;
  }

  /** Was all of an object's content captured? Not when a mount found it and could not read some of it. */
  async isWhole(node: NodeId, seq = this.watermark()): Promise<boolean> {
    const [value] = await this.tree.nodeValues([node], seq);
    return value != null && !isUncaptured(value);
  }

  /** The live state as history holds it, packed for Engine.expect. */
  liveEntries(isLost?: IsLost): AsyncIterable<Buffer> {
    return liveEntries(this.tree, this.watermark(), { everyNode: this.current.baselined ? null : this.boundNodes(), isLost });
  }

  async seqAt(timeNs: bigint): Promise<Seq | null> {
    const { first, firstTimeNs } = this.current;
    return first === 0 || timeNs < firstTimeNs ? null : this.timeline.seqAt(timeNs);
  }

  timeOf(seq: Seq): Promise<bigint | null> { return this.timeline.timeOf(seq); }
  timesOf(seqs: readonly Seq[]): Promise<(bigint | null)[]> { return this.timeline.timesOf(seqs); }

  lookup(parent: NodeId, name: Name, seq: Seq): Promise<NameEntry | null> { return this.tree.lookup(parent, name, seq); }
  list(node: NodeId, seq: Seq): Promise<NameEntry[]> { return this.tree.list(node, seq); }
  async attr(node: NodeId, seq: Seq): Promise<NodeAttr | null> { return (await this.attrs([node], seq))[0]!; }
  async attrs(nodes: NodeId[], seq: Seq): Promise<(NodeAttr | null)[]> { return this.missing.mark(await this.tree.attrs(nodes, seq), (i) => ({ node: nodes[i]!, seq })); }
  async attrsAt(wanted: readonly { node: NodeId; seq: Seq }[]): Promise<(NodeAttr | null)[]> { return this.missing.mark(await this.tree.attrsAt(wanted), (i) => wanted[i]!); }
  xattrs(node: NodeId, seq: Seq): Promise<Map<Name, Buffer>> { return this.tree.xattrs(node, seq); }
  xattrsOfAll(nodes: NodeId[], seq: Seq): Promise<Map<Name, Buffer>[]> { return this.tree.xattrsOfAll(nodes, seq); }
  xattrNodes(from: NodeId, until: NodeId): Promise<Set<NodeId> | null> { return this.tree.xattrNodes(from, until); }
  resolve(path: Name[], seq: Seq): Promise<NodeId | null> { return this.tree.resolve(path, seq); }
  pathOf(node: NodeId, seq: Seq): Promise<Name[] | null> { return this.tree.pathOf(node, seq); }
  linksOf(node: NodeId, seq: Seq): Promise<{ parent: NodeId; name: Name }[]> { return this.tree.linksOf(node, seq); }
  nameHistory(parent: NodeId, name: Name): Promise<{ since: Seq; node: NodeId | null }[]> { return this.tree.nameHistory(parent, name); }
  namesEver(parent: NodeId): Promise<Name[]> { return this.tree.namesEver(parent); }
  everyLink(node: NodeId): Promise<Link[]> { return everyLink(this.rocks, node); }
  sweepNames(): AsyncIterable<NameSpan[]> { return sweepNames(this.rocks); }
  sweepBirths(): AsyncIterable<Birth[]> { return sweepBirths(this.rocks); }

  async read(node: NodeId, offset: number, length: number, seq: Seq, size?: number): Promise<Buffer> {
    await this.expectThere(node, seq);
    const end = size ?? await this.readableSize(node, seq);
    const bytes = await this.content.read(node, offset, Math.max(0, Math.min(length, end - offset)), seq);
    await this.expectNotRemoved(node, seq);
    return bytes;
  }

  /** @throws ERR_NOT_CAPTURED, ERR_TIME_THINNED */
  private async readableSize(node: NodeId, seq: Seq): Promise<number> {
    const attr = await this.attr(node, seq);
    if (attr?.thinned !== undefined) throw thinned(node, seq, attr.thinned);
    if (attr?.uncaptured && attr.size > 0) throw new RewindError('ERR_NOT_CAPTURED', `the content that object ${node} had at #${seq} was not captured`, '`rewind policy check PATH` says which rule left it out.');
    return attr?.size ?? 0;
  }

  async readlink(node: NodeId, seq: Seq): Promise<Buffer> { return this.read(node, 0, BLOCK_BYTES, seq); }

  async dataRanges(node: NodeId, seq: Seq): Promise<{ offset: number; length: number }[]> {
    const size = (await this.attr(node, seq))?.size ?? 0;
    await this.expectThere(node, seq);
    const ranges: { offset: number; length: number }[] = [];
    for (const block of size === 0 ? [] : await this.content.dataBlocks(node, size, seq)) {
      const offset = block * BLOCK_BYTES;
      const length = Math.min(BLOCK_BYTES, size - offset);
      const last = ranges.at(-1);
      if (last !== undefined && last.offset + last.length === offset) last.length += length;
      else ranges.push({ offset, length });
    }
    await this.expectNotRemoved(node, seq);
    return ranges;
  }

  /** A whole block as of seq, beyond the file's end too; the extractor makes full entries from it. */
  readBlock(node: NodeId, block: number, seq: Seq): Promise<Buffer> { return this.content.readBlock(node, block, seq); }

  changes(after: Seq, upTo: Seq, options?: { reverse?: boolean }): AsyncIterable<Change> { return this.timeline.changes(after, upTo, options); }
  nodeChanges(node: NodeId, after: Seq, upTo: Seq, options?: { reverse?: boolean }): AsyncIterable<Change> { return this.timeline.nodeChanges(node, after, upTo, options); }
  changedRanges(node: NodeId, from: Seq, to: Seq): Promise<{ offset: number; length: number }[]> { return changedRanges(this, node, from, to); }
  writer(id: Seq): Promise<Writer | null> { return this.timeline.writer(id); }
  allWriters(): AsyncIterable<Writer> { return this.timeline.allWriters(); }
  points(): Promise<Point[]> { return this.timeline.points(); }
  clockReadings(): Promise<readonly ClockReading[]> { return this.timeline.clockReadings(); }
  gaps(): Promise<Gap[]> { return this.timeline.gaps(); }
}

/** RocksDB must not be closed before it can be opened again: until then all can still be read. */
async function expectRoom(directory: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize < bytes + SPARE_BYTES) throw new RewindError('ERR_DISK_FULL', `no room left for history in ${directory}: ${Math.floor(bavail * bsize / MiB)} MiB are left`, 'Make room on that disk.');
}

/** Nor before the disk takes something, and has it on stable storage. */
async function expectWorking(directory: string): Promise<void> {
  const probe = join(directory, 'probe');
  try {
    await writeFile(probe, 'does this disk work?', { flush: true });
    await rm(probe);
  } catch (cause) {
    throw new RewindError('ERR_IO', `history in ${directory}: ${(cause as Error).message}`, 'Mend the disk of the store: history goes on by itself.', { cause });
  }
}

/** Checks format and store of an opened database, sets them in a new one, and answers where the fold stands. */
async function admit(rocks: Rocks, storeId: Buffer | undefined, readOnly: boolean): Promise<FoldMeta> {
  const [format, store, fold] = await rocks.getMany('meta', [META_FORMAT, META_STORE, META_FOLD]);
  if (format == null) {
    if (!readOnly) await stamp(rocks, storeId);
    return ofStore({ ...EMPTY_META }, storeId, rocks.directory);
  }
  const version = format.length === 4 ? format.readUInt32BE(0) : 0;
  if (version > NEWEST_FORMAT) {
    throw new RewindError('ERR_STORE_FORMAT', `history in ${rocks.directory} has format ${version}, this rewindfs knows up to ${NEWEST_FORMAT}`, 'Use the newer rewindfs that wrote it.');
  }
  if (version === 1) {
    throw new RewindError('ERR_STORE_FORMAT', `history in ${rocks.directory} has format 1, which no released rewindfs wrote`, 'Read it with the rewindfs that wrote it; to go on with this one, name another store with --store.');
  }
  if (version === 0) throw new RewindError('ERR_HISTORY_CORRUPT', `history in ${rocks.directory} has no readable format (${format.toString('hex')})`, '`rewind repair` finds what can be saved.');
  if (store != null && store.length !== STORE_ID_BYTES) throw new RewindError('ERR_HISTORY_CORRUPT', `history in ${rocks.directory} has no readable store id (${store.toString('hex', 0, 32)})`, '`rewind repair` finds what can be saved.');
  if (storeId !== undefined && store != null && !store.equals(storeId)) {
    throw new RewindError('ERR_STORE_CORRUPT', `history in ${rocks.directory} belongs to store ${store.toString('hex')}, expected ${storeId.toString('hex')}`, 'Put back the history directory of this store.');
  }
  if (version < HISTORY_FORMAT && !readOnly) await stamp(rocks, undefined);
  return ofStore(fold == null ? { ...EMPTY_META } : decodeMeta(fold), storeId, rocks.directory);
}

/** @throws ERR_STORE_CORRUPT when another store has written it */
function ofStore(meta: FoldMeta, storeId: Buffer | undefined, directory: string): FoldMeta {
  if (storeId === undefined) return meta;
  const store = storeId.toString('hex');
  if (meta.store !== undefined && meta.store !== store) throw new RewindError('ERR_STORE_CORRUPT', `history in ${directory} holds batches of store ${meta.store}, expected ${store}`, 'Put back the history directory of this store.');
  return { ...meta, store };
}

/** From here on the database is of this format, and of this store. */
async function stamp(rocks: Rocks, storeId: Buffer | undefined): Promise<void> {
  const batch = rocks.batch();
  batch.put('meta', META_FORMAT, formatValue(HISTORY_FORMAT));
  if (storeId !== undefined) batch.put('meta', META_STORE, storeId);
  await rocks.commit(batch);
}
