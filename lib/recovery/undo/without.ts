/**
 * A history with one instant more: `target`, right after now, is the tree in which the selected writers never were. All
 * that plans and applies a rollback can so go to a state that never existed. Every other instant is as it was.
 */
import { walkPath } from '../../history/tree.js';
import type { HistoryReader } from '../../history/reader.js';
import { ROOT, type Change, type Name, type NameEntry, type NodeAttr, type NodeId, type Seq } from '../../history/types.js';
import { BLOCK_BYTES } from '../../history/values.js';
import type { ByteRange } from '../types.js';
import { Through } from '../through.js';
import type { Content } from './content.js';
import type { Names } from './names.js';

/** What of an object differs from now. */
export interface Difference {
  attr: NodeAttr | null;
  xattrs: Map<Name, Buffer> | null;
  content: Content | null;
  /** Where there is data, beside what is there now. */
  since: Seq;
}

export class Without extends Through {
  readonly target: Seq;

  constructor(
    base: HistoryReader,
    private readonly now: Seq,
    private readonly names: Names,
    private readonly differences: ReadonlyMap<NodeId, Difference>,
  ) {
    super(base);
    this.target = now + 1;
  }

  private is(seq: Seq): boolean {
    return seq === this.target;
  }

  override async lookup(parent: NodeId, name: Name, seq: Seq): Promise<NameEntry | null> {
    return this.is(seq) ? this.names.lookup(parent, name) : this.base.lookup(parent, name, seq);
  }
  override async list(node: NodeId, seq: Seq): Promise<NameEntry[]> {
    return this.is(seq) ? this.names.list(node) : this.base.list(node, seq);
  }
  override async linksOf(node: NodeId, seq: Seq): Promise<{ parent: NodeId; name: Name }[]> {
    return this.is(seq) ? this.names.linksOf(node) : this.base.linksOf(node, seq);
  }

  override async attr(node: NodeId, seq: Seq): Promise<NodeAttr | null> {
    if (!this.is(seq)) return this.base.attr(node, seq);
    const different = this.differences.get(node);
    const attr = different?.attr ?? await this.base.attr(node, this.now);
    if (!attr || !different) return attr;
    const links = node === ROOT ? 1 : (await this.names.linksOf(node)).length;
    const isDirectory = (attr.mode & 0o170000) === 0o040000;
    return { ...attr, nlink: isDirectory && links > 0 ? Math.max(2, attr.nlink) : links };
  }
  override attrs(nodes: NodeId[], seq: Seq): Promise<(NodeAttr | null)[]> {
    return this.is(seq) ? Promise.all(nodes.map((node) => this.attr(node, seq))) : this.base.attrs(nodes, seq);
  }
  override async xattrs(node: NodeId, seq: Seq): Promise<Map<Name, Buffer>> {
    return this.is(seq) ? this.differences.get(node)?.xattrs ?? this.base.xattrs(node, this.now) : this.base.xattrs(node, seq);
  }
  override xattrsOfAll(nodes: NodeId[], seq: Seq): Promise<Map<Name, Buffer>[]> {
    return this.is(seq) ? Promise.all(nodes.map((node) => this.xattrs(node, seq))) : this.base.xattrsOfAll(nodes, seq);
  }

  override async read(node: NodeId, offset: number, length: number, seq: Seq, size?: number): Promise<Buffer> {
    const content = this.is(seq) ? this.differences.get(node)?.content : null;
    if (!this.is(seq)) return this.base.read(node, offset, length, seq, size);
    if (!content) return this.base.read(node, offset, length, this.now, size);
    const end = Math.min(offset + length, content.size);
    if (content.literal) return content.literal.subarray(offset, Math.max(offset, end));
    const out = Buffer.alloc(Math.max(0, end - offset));
    const lay = async (from: number, to: number, at: Seq | null): Promise<void> => {
      if (from < to && at !== null) (await this.base.read(node, from, to - from, at)).copy(out, from - offset);
    };
    let at = offset;
    for (const piece of content.pieces) {
      await lay(at, Math.min(piece.from, end), this.now);
      await lay(Math.max(piece.from, at), Math.min(piece.to, end), piece.seq);
      at = Math.max(at, Math.min(piece.to, end));
    }
    await lay(at, end, this.now);
    return out;
  }
  override async dataRanges(node: NodeId, seq: Seq): Promise<ByteRange[]> {
    if (!this.is(seq)) return this.base.dataRanges(node, seq);
    const different = this.differences.get(node);
    if (!different?.content) return this.base.dataRanges(node, this.now);
    const size = different.content.size;
    if (different.content.literal) return size === 0 ? [] : [{ offset: 0, length: size }];
    const [now, before] = await Promise.all([this.base.dataRanges(node, this.now), this.base.dataRanges(node, different.since)]);
    return wholeBlocks([...now, ...before], size);
  }
  override async changedRanges(node: NodeId, from: Seq, to: Seq): Promise<ByteRange[]> {
    if (!this.is(from) && !this.is(to)) return this.base.changedRanges(node, from, to);
    const content = this.differences.get(node)?.content;
    const size = (await this.base.attr(node, this.now))?.size ?? 0;
    if (!content) return [];
    const end = Math.max(size, content.size);
    if (content.literal) return wholeBlocks([{ offset: 0, length: end }], end);
    const pieces = content.pieces.map((piece) => ({ offset: piece.from, length: piece.to - piece.from }));
    return wholeBlocks([...pieces, { offset: Math.min(size, content.size), length: Math.abs(size - content.size) }], end);
  }
  override readlink(node: NodeId, seq: Seq): Promise<Buffer> {
    return this.base.readlink(node, this.is(seq) ? this.now : seq);
  }

  override async resolve(path: Name[], seq: Seq): Promise<NodeId | null> {
    return walkPath(path, (node, name) => this.lookup(node, name, seq));
  }
  override async pathOf(node: NodeId, seq: Seq): Promise<Name[] | null> {
    if (!this.is(seq)) return this.base.pathOf(node, seq);
    const path: Name[] = [];
    for (let above = node; above !== ROOT;) {
      const [link] = await this.names.linksOf(above);
      if (!link) return null;
      path.unshift(link.name);
      above = link.parent;
    }
    return path;
  }

  /** What differs between now and the target, as if it had been changed in between. */
  override async *changes(after: Seq, upTo: Seq, options?: { reverse?: boolean }): AsyncGenerator<Change> {
    if (upTo !== this.target) {
      yield* this.base.changes(after, upTo, options);
      return;
    }
    yield* this.base.changes(after, this.now, options);
    const common = { seq: this.target, record: this.target, timeNs: 0n, kind: 0, offset: 0, length: 0, size: 0, writer: 0, save: 0, writeback: false, unmounted: false };
    for (const { parent, name, without, real } of this.names.changed()) {
      yield { ...common, marker: 'create', node: without ?? real as NodeId, parent, name, ...real !== null && { target: real } };
    }
    for (const node of this.differences.keys()) yield { ...common, marker: 'modify', node };
  }
  override watermark(): Seq { return this.target; }
  override timeOf(seq: Seq): Promise<bigint | null> { return this.base.timeOf(this.is(seq) ? this.now : seq); }
  override timesOf(seqs: readonly Seq[]): Promise<(bigint | null)[]> { return this.base.timesOf(seqs.map((seq) => (this.is(seq) ? this.now : seq))); }
  override attrsAt(wanted: readonly { node: NodeId; seq: Seq }[]): Promise<(NodeAttr | null)[]> { return Promise.all(wanted.map(({ node, seq }) => this.attr(node, seq))); }
}

/** Ranges in whole blocks, ascending, none twice, cut at the end. */
function wholeBlocks(ranges: readonly ByteRange[], end: number): ByteRange[] {
  const blocks = new Set<number>();
  for (const { offset, length } of ranges) {
    for (let block = Math.floor(offset / BLOCK_BYTES); length > 0 && block * BLOCK_BYTES < Math.min(offset + length, end); block++) blocks.add(block);
  }
  const whole: ByteRange[] = [];
  for (const block of [...blocks].sort((a, b) => a - b)) {
    const offset = block * BLOCK_BYTES;
    const last = whole.at(-1);
    const length = Math.min(BLOCK_BYTES, end - offset);
    if (last && last.offset + last.length === offset) last.length += length;
    else whole.push({ offset, length });
  }
  return whole;
}
