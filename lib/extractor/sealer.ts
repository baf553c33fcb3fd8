/**
 * Makes the link of a batch while that is folded (history/chain.ts). Guarantees: all that goes into the chained families is
 * covered byte for byte, all content and attributes that records bring by what history will answer for them; nothing is
 * copied, and what is held ends with the batch.
 */
import { createHash, type Hash } from 'node:crypto';
import { CHAINED, digestOf, encodeLink, GENESIS, headOf, pieceHead, shortened, type Chained, type FoundPiece, type Link, type Seal } from '../history/chain.js';
import type { Family } from '../history/families.js';
import { getU64, u64Key } from '../history/keys.js';
import type { Entry } from '../history/rocks.js';
import type { NodeId, Seq } from '../history/types.js';
import { ATTR_BYTES, type Record } from './record.js';
import type { Sink } from './state.js';

const CHAINED_FAMILIES: ReadonlySet<string> = new Set(CHAINED);

interface Found { seq: Seq; hash: Hash; attributes: boolean; pieces: FoundPiece[] }

export class Sealer implements Sink {
  private readonly entries = Object.fromEntries(CHAINED.map((family) => [family, []])) as unknown as globalThis.Record<Chained, Entry[]>;
  private readonly attributes = createHash('sha256');
  private readonly written = new Map<NodeId, Hash>();
  private readonly found = new Map<string, Found & { node: NodeId }>();

  constructor(private readonly sink: Sink) {}

  put(family: Family, key: Buffer, value: Buffer): void {
    if (CHAINED_FAMILIES.has(family)) this.entries[family as Chained].push({ key, value });
    this.sink.put(family, key, value);
  }

  /** A change of an object, whose attributes after it stand in its record. */
  change({ seq, raw, attrAt }: Record): void {
    if (attrAt !== 0) this.attributes.update(u64Key(seq)).update(raw.subarray(attrAt, attrAt + ATTR_BYTES));
  }

  /** Bytes that a record brought to an object. */
  bytes(node: NodeId, seq: Seq, offset: number, bytes: Buffer): void {
    let hash = this.written.get(node);
    if (hash === undefined) this.written.set(node, hash = createHash('sha256'));
    hash.update(pieceHead(seq, offset, bytes.length)).update(bytes);
  }

  /** Attributes that a mount found, dated to `seq`. */
  foundAttributes(node: NodeId, seq: Seq, { raw, attrAt }: Record): void {
    const found = this.foundOf(node, seq);
    found.attributes = true;
    found.hash.update(raw.subarray(attrAt, attrAt + ATTR_BYTES));
  }

  /** The begin of a block that a mount found. */
  foundBytes(node: NodeId, seq: Seq, block: number, bytes: Buffer): void {
    const found = this.foundOf(node, seq);
    found.pieces.push({ block, length: bytes.length });
    found.hash.update(bytes);
  }

  /** The link of these records, put beside what they made. Answers its head. */
  link(before: string | undefined, from: Seq, count: number, mount: Seq): string {
    const { changes, gaps } = this.entries;
    const body: Omit<Link, 'head'> = {
      from, count, mount, found: [...changes, ...gaps].filter(({ key }) => getU64(key, 0) !== getU64(key, 8)).length,
      attributes: shortened(this.attributes.digest()), seals: this.seals(), mendedNs: null, thinned: null,
    };
    const head = headOf(before === undefined ? GENESIS : Buffer.from(before, 'hex'), body, digestOf(this.entries));
    this.sink.put('chain', u64Key(from), encodeLink({ ...body, head }));
    return head.toString('hex');
  }

  private seals(): Seal[] {
    const written = [...this.written].map(([node, hash]): Seal => ({ node, found: null, digest: shortened(hash.digest()) }));
    const found = [...this.found.values()].map(({ node, seq, hash, attributes, pieces }): Seal => ({ node, found: { seq, attributes, pieces }, digest: shortened(hash.digest()) }));
    return [...written, ...found];
  }

  private foundOf(node: NodeId, seq: Seq): Found {
    const id = `${node} ${seq}`;
    let found = this.found.get(id);
    if (found === undefined) this.found.set(id, found = { node, seq, hash: createHash('sha256'), attributes: false, pieces: [] });
    return found;
  }
}
