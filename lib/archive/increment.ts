/**
 * What an archive holds that goes on from an earlier one of the same tree: objects that were touched between the two
 * instants, and of their content what may differ. Guarantee: what is left out is the same at both, and is in the one before.
 */
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { NodeAttr, NodeId, Seq } from '../history/types.js';
import { hasNoContent, isFile } from '../recovery/compare.js';
import { mapParallel } from '../recovery/parallel.js';
import { touchedBetween } from '../recovery/places.js';
import { clip, split } from '../recovery/plan/objects.js';
import type { ByteRange } from '../recovery/types.js';
import type { Extent } from './records.js';

/** Content of a file: what has to be read, and what is as it was. */
interface Divided { ranges: ByteRange[]; extents: Extent[] }

export class Increment {
  private constructor(
    private readonly history: HistoryReader, private readonly from: Seq, private readonly to: Seq,
    readonly touched: ReadonlySet<NodeId>, private readonly before: ReadonlySet<NodeId> | null,
  ) {}

  /** @param before paths that the archive of `from` has, when it has not all */
  static async between(history: HistoryReader, from: Seq, to: Seq, before?: ReadonlySet<string>): Promise<Increment> {
    const { nodes } = await touchedBetween(history, from, to);
    const resolve = (path: string): Promise<NodeId | null> => history.resolve(path === '' ? [] : path.split('/'), from);
    const known = before && new Set((await mapParallel(before, resolve)).filter((node) => node !== null));
    return new Increment(history, from, to, nodes, known ?? null);
  }

  /** Does this file have to be in it? */
  holds(node: NodeId): boolean {
    return this.touched.has(node) || (this.before !== null && !this.before.has(node));
  }

  /** @param data where its content is no hole */
  async contentOf(node: NodeId, attr: NodeAttr, data: ByteRange[]): Promise<Divided> {
    const size = await this.sizeBefore(node);
    if (size === 0) return { ranges: data, extents: [] };
    const changed = clip(await this.history.changedRanges(node, this.from, this.to), attr.size);
    const { outside } = split(data, size < attr.size ? [...clip(changed, size), { offset: size, length: attr.size - size }] : changed);
    const extents = outside.map(({ offset, length }): Extent => ({ offset, length, block: null, at: 0 }));
    return { ranges: split(data, outside).outside, extents };
  }

  /** Bytes of it that the archive before has. */
  private async sizeBefore(node: NodeId): Promise<number> {
    if (this.before && !this.before.has(node)) return 0;
    const attr = await this.history.attr(node, this.from);
    if (!attr || !isFile(attr) || attr.size === 0 || hasNoContent(attr)) return 0;
    if ((await this.history.linksOf(node, this.from)).length === 0) return 0;
    try {
      await this.history.read(node, 0, 1, this.from, attr.size);
      return attr.size;
    } catch (error) {
      if (error instanceof RewindError && (error.code === 'ERR_PURGED' || error.code === 'ERR_NOT_CAPTURED')) return 0;
      throw error;
    }
  }
}
