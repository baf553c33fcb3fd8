/**
 * Which objects history lacks content of that it once had, known without a look at each. Guarantee: whoever asks for
 * attributes of a past instant is told there that the content is kept no longer, before it is read.
 */
import { IdSet } from './idset.js';
import { getU64 } from './keys.js';
import { removalOf, type Removal } from './removed.js';
import type { Rocks } from './rocks.js';
import type { NodeAttr, NodeId, Seq } from './types.js';

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const PARALLEL = 128;

export class MissingContent {
  private nodes: Promise<IdSet | null> | null = null;

  constructor(private readonly rocks: Rocks) {}

  /** Something was taken out of these. */
  async note(nodes: readonly NodeId[]): Promise<void> {
    if (nodes.length === 0) return;
    const known = await this.known() ?? new IdSet();
    for (const node of nodes) known.add(node);
    this.nodes = Promise.resolve(known);
  }

  /** The database may be another one. */
  forget(): void {
    this.nodes = null;
  }

  /** What was taken out of an object at an instant; null when its content is there. */
  async of(node: NodeId, seq: Seq): Promise<Removal | null> {
    return (await this.known())?.has(node) ? removalOf(this.rocks, node, seq) : null;
  }

  /** Attributes of objects at instants, in their order: those of files whose content a schedule gave up say so. */
  async mark(attrs: (NodeAttr | null)[], at: (i: number) => { node: NodeId; seq: Seq }): Promise<(NodeAttr | null)[]> {
    const known = await this.known();
    if (known === null) return attrs;
    const suspects = [...attrs.keys()].filter((i) => known.has(at(i).node) && attrs[i] != null && (attrs[i].mode & S_IFMT) === S_IFREG && attrs[i].size > 0);
    for (let first = 0; first < suspects.length; first += PARALLEL) await Promise.all(suspects.slice(first, first + PARALLEL).map(async (i) => {
      const removal = await removalOf(this.rocks, at(i).node, at(i).seq);
      if (removal?.thinned !== undefined) attrs[i] = { ...attrs[i]!, uncaptured: true, thinned: removal.thinned };
    }));
    return attrs;
  }

  /** null when there is none; read when it is asked for first. */
  private known(): Promise<IdSet | null> {
    return this.nodes ??= this.read();
  }

  private async read(): Promise<IdSet | null> {
    let nodes: IdSet | null = null;
    for await (const { key } of this.rocks.scan('removed', {}, { values: false })) (nodes ??= new IdSet()).add(getU64(key, 0));
    return nodes;
  }
}
