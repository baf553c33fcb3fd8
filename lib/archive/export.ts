/**
 * A tree at an instant as an archive, whole or as what differs from an earlier instant. Guarantees: it is of that one
 * instant, whatever the live tree does meanwhile (I4); memory is bounded by the largest directory, not by files; what has no
 * content in history is in it without, and counted. Directories come before what lies in them, so that of an archive
 * that is cut short the paths of what is whole are known.
 */
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import { ROOT, type Name, type NodeAttr, type NodeId, type Seq } from '../history/types.js';
import { isDir, isFile, isLink, xattrsOf } from '../recovery/compare.js';
import { askAhead, mapParallel } from '../recovery/parallel.js';
import { clip } from '../recovery/plan/objects.js';
import type { ByteRange } from '../recovery/types.js';
import { BLOCK_BYTES } from './format.js';
import type { Head } from './head.js';
import { Increment } from './increment.js';
import { encodeListing, typeOf, type ArchiveNode, type Entry, type Extent, type Missing } from './records.js';
import { ArchiveWriter } from './writer.js';

/** Content that is read at once, and ahead of its use. A multiple of a block. */
const READ_BYTES = 8 * BLOCK_BYTES;
const AHEAD_BYTES = 8 << 20;
/** What a piece weighs beside its bytes. */
const PIECE_COST = 16 << 10;
/** A file up to this size is one block of history, data or hole; whether it is a hole is told from its bytes. */
const SMALL_BYTES = 64 << 10;
/** Files that are asked about at a time. */
const FILES_AT_ONCE = 1024;

/** What to put into an archive. */
export interface ExportOptions {
  head: Head;
  /** Only these paths, which lead to each other (joined with `/`; the root is ''). Default: all. */
  only?: ReadonlySet<string>;
  /** Of an increment: those of them that the archive before has. */
  onlyBefore?: ReadonlySet<string>;
}

/** An object, and one that a directory holds. */
interface Child { node: NodeId; attr: NodeAttr }
interface Named extends Child { name: Name }

/** A directory that is to be written down. */
interface Directory { node: NodeId; parent: NodeId; path: string }

/** A file that is being written down, and what of its content is where. */
interface Writing { child: Child; ranges: ByteRange[]; extents: Extent[]; missing: Missing | null }

/** The bytes of an archive, in order. */
export async function* exportArchive(history: HistoryReader, { head, only, onlyBefore }: ExportOptions): AsyncGenerator<Buffer> {
  const writer = new ArchiveWriter(head);
  yield* writer.take();
  const increment = head.base && await Increment.between(history, head.base.seq, head.at.seq, onlyBefore);
  const exporter = new Exporter(history, head.at.seq, writer, only, increment);
  for await (const _ of increment && !only ? exporter.touched(increment.touched) : exporter.walk()) yield* writer.take();
  writer.end();
  yield* writer.take();
}

class Exporter {
  /** Objects with several names that are written down. */
  private readonly linked = new Set<NodeId>();

  constructor(
    private readonly history: HistoryReader, private readonly seq: Seq, private readonly writer: ArchiveWriter,
    private readonly only: ReadonlySet<string> | undefined, private readonly increment: Increment | null,
  ) {}

  /** The tree, from its root on. Yields whenever something may have been written. */
  async *walk(): AsyncGenerator<void> {
    const stack: Directory[] = [{ node: ROOT, parent: 0, path: '' }];
    for (let next = stack.pop(); next; next = stack.pop()) {
      const { node, path } = next;
      const children = await this.childrenOf(node, path);
      await this.directory(next, await this.history.attr(node, this.seq) ?? lost(node, this.seq), children);
      const inside = children.filter(({ attr }) => isDir(attr)).map((child) => ({ node: child.node, parent: node, path: join(path, child.name) }));
      for (const directory of inside.reverse()) stack.push(directory);
      yield* this.files(children.filter((child) => !isDir(child.attr) && this.isDue(child)));
    }
  }

  /** Of these objects those that there are; directories first. */
  async *touched(nodes: Iterable<NodeId>): AsyncGenerator<void> {
    const sorted = [...nodes].sort((a, b) => a - b);
    const files: Child[] = [];
    for (let i = 0; i < sorted.length; i += FILES_AT_ONCE) {
      const group = sorted.slice(i, i + FILES_AT_ONCE);
      const attrs = await this.history.attrs(group, this.seq);
      const links = await mapParallel(group.keys(), async (j) => ((attrs[j]?.nlink ?? 0) > 0 ? (await this.history.linksOf(group[j]!, this.seq))[0] : undefined));
      for (const [j, node] of group.entries()) {
        const attr = attrs[j];
        if (!attr || (!links[j] && node !== ROOT)) continue;
        if (isDir(attr)) await this.directory({ node, parent: links[j]?.parent ?? 0 }, attr, await this.childrenOf(node, ''));
        else files.push({ node, attr });
      }
      yield;
    }
    yield* this.files(files);
  }

  private async childrenOf(node: NodeId, path: string): Promise<Named[]> {
    const all = await this.history.list(node, this.seq);
    const entries = this.only ? all.filter(({ name }) => this.only!.has(join(path, name))) : all;
    const attrs = await this.history.attrs(entries.map((entry) => entry.node), this.seq);
    return entries.map((entry, i) => ({ name: entry.name, node: entry.node, attr: attrs[i] ?? lost(entry.node, this.seq) }));
  }

  private isDue({ node, attr }: Child): boolean {
    if (this.increment && !this.increment.holds(node)) return false;
    if (attr.nlink <= 1) return true;
    if (this.linked.has(node)) return false;
    this.linked.add(node);
    return true;
  }

  private async directory({ node, parent }: Omit<Directory, 'path'>, attr: NodeAttr, children: Named[]): Promise<void> {
    const listing = encodeListing(children.map((child): Entry => ({ name: child.name, node: child.node, type: typeOf(child.attr.mode) })));
    await this.put(node, attr, { parent, listed: listing.length, extents: this.writer.content(0, listing) });
  }

  private async put(node: NodeId, attr: NodeAttr, more: Partial<ArchiveNode>): Promise<void> {
    const xattrs = await xattrsOf(this.history, { node, seq: this.seq, attr });
    this.writer.node({ node, parent: 0, attr, missing: null, xattrs, target: Buffer.alloc(0), listed: 0, extents: [], ...more });
  }

  private async *files(children: Child[]): AsyncGenerator<void> {
    for (let i = 0; i < children.length; i += FILES_AT_ONCE) {
      const writings = await mapParallel(children.slice(i, i + FILES_AT_ONCE), (child) => this.begin(child));
      const read = ({ writing: { child }, offset, length }: Piece): Promise<Buffer | Missing> => this.read(child, offset, length);
      for await (const { item, answer } of askAhead(piecesOf(writings), read, ({ length }) => length + PIECE_COST, AHEAD_BYTES)) {
        const { writing, offset, last } = item;
        if (!Buffer.isBuffer(answer)) writing.missing = answer;
        else if (writing.child.attr.size > SMALL_BYTES || !isZero(answer)) for (const extent of this.writer.content(offset, answer)) add(writing.extents, extent);
        if (last) await this.finish(writing);
        yield;
      }
    }
  }

  /** What of a file's content has to be read. */
  private async begin(child: Child): Promise<Writing> {
    const { node, attr } = child;
    const nothing: Writing = { child, ranges: [], extents: [], missing: attr.uncaptured ? 'uncaptured' : null };
    if (!isFile(attr) || attr.uncaptured || attr.size === 0) return nothing;
    if (attr.size <= SMALL_BYTES) return { ...nothing, ranges: [{ offset: 0, length: attr.size }] };
    const data = await orMissing(() => this.history.dataRanges(node, this.seq));
    if (!Array.isArray(data)) return { ...nothing, missing: data };
    const ranges = clip(data, attr.size);
    return { ...nothing, ...await this.increment?.contentOf(node, attr, ranges) ?? { ranges } };
  }

  private async read({ node, attr }: Child, offset: number, length: number): Promise<Buffer | Missing> {
    return length === 0 ? Buffer.alloc(0) : await orMissing(() => this.history.read(node, offset, length, this.seq, attr.size));
  }

  private async finish({ child: { node, attr }, extents, missing }: Writing): Promise<void> {
    const target = isLink(attr) ? await orMissing(() => this.history.readlink(node, this.seq)) : Buffer.alloc(0);
    if (!Buffer.isBuffer(target)) return await this.put(node, attr, { missing: target });
    await this.put(node, attr, { target, missing, extents: missing ? [] : extents.sort((a, b) => a.offset - b.offset) });
  }
}

/** What history answers, or why it has no content to answer with. */
async function orMissing<T>(ask: () => Promise<T>): Promise<T | Missing> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof RewindError && error.code === 'ERR_NOT_CAPTURED') return 'uncaptured';
    if (error instanceof RewindError && error.code === 'ERR_PURGED') return 'purged';
    throw error;
  }
}

/** A stretch of content that is read at once; of a file without any, nothing. */
interface Piece { writing: Writing; offset: number; length: number; last: boolean }

function* piecesOf(writings: readonly Writing[]): Generator<Piece> {
  for (const writing of writings) {
    const { ranges } = writing;
    if (ranges.length === 0) yield { writing, offset: 0, length: 0, last: true };
    for (const [i, range] of ranges.entries()) {
      for (let at = 0; at < range.length; at += READ_BYTES) {
        const length = Math.min(READ_BYTES, range.length - at);
        yield { writing, offset: range.offset + at, length, last: i === ranges.length - 1 && at + length === range.length };
      }
    }
  }
}

/** What goes on in the next block is one stretch with what was before it. */
function add(extents: Extent[], extent: Extent): void {
  const last = extents.at(-1);
  const full = last && last.block !== null && last.at === 0 && last.length % BLOCK_BYTES === 0;
  if (full && extent.at === 0 && last.offset + last.length === extent.offset && last.block! + last.length / BLOCK_BYTES === extent.block) last.length += extent.length;
  else extents.push(extent);
}

const ZEROES = Buffer.alloc(SMALL_BYTES);
const isZero = (bytes: Buffer): boolean => bytes[0] === 0 && bytes.equals(ZEROES.subarray(0, bytes.length));

const join = (path: string, name: Name): string => (path === '' ? name : `${path}/${name}`);

function lost(node: NodeId, seq: Seq): never {
  throw new RewindError('ERR_HISTORY_CORRUPT', `history has no attributes of object ${node} at #${seq}`, '`rewind verify` says what is damaged, `rewind repair` saves what can be saved.');
}
