/**
 * What the seals of a link say against what history answers: each piece of content as it is read at the instant that it was
 * written, that nothing beside it changed then, attributes as they were after each change. Guarantees: what was given up
 * (retention), purged, or was never captured is counted as such, and is no finding; of what was thinned that is compared
 * which must still lie there.
 */
import { createHash, type Hash } from 'node:crypto';
import { Kind } from '../extractor/record.js';
import { statesIn } from '../history/attributes.js';
import { bringsBytes, pieceHead, shortened, lastOf, type Link, type Seal } from '../history/chain.js';
import { isAway } from '../history/cold/files.js';
import type { History } from '../history/history.js';
import { nameInKey, nodeKey, seqInKey, u64Key, under } from '../history/keys.js';
import { removalOf } from '../history/removed.js';
import { union, type Stretch } from '../history/retained.js';
import type { Change, NodeId, Seq } from '../history/types.js';
import { BLOCK_BYTES, isDamage, NODE_BYTES } from '../history/values.js';
import type { Finding } from './findings.js';
import { BlockImages } from './images.js';

/** What became of objects that seals are about. */
export interface Objects { whole: number; thinned: number; purged: number; uncaptured: number; /** Other findings say why. */ damaged: number }
export const NO_OBJECTS: Readonly<Objects> = Object.freeze({ whole: 0, thinned: 0, purged: 0, uncaptured: 0, damaged: 0 });

type Outcome = keyof Objects | 'altered';

/** Kinds of change that alter content. */
const ALTERS: ReadonlySet<number> = new Set([Kind.Write, Kind.Truncate, Kind.Fallocate, Kind.Symlink]);
const INO_BYTES = 8;

export class SealCheck {
  constructor(private readonly history: History) {}

  /** @param changes of the link, by seq; what a mount found left out */
  async findings(link: Omit<Link, 'head'>, changes: readonly Change[], objects: Objects): Promise<Finding[]> {
    const findings: Finding[] = [];
    const byNode = new Map<NodeId, Change[]>();
    for (const change of changes) byNode.set(change.node, [...byNode.get(change.node) ?? [], change]);
    const found = (kind: 'attributes-altered' | 'content-altered', what: string, node?: NodeId) => findings.push({ kind, family: 'chain', key: u64Key(link.from), what, node });
    const range = `records #${link.from} to #${lastOf(link)}`;
    if (!await this.twice(() => this.attributesFit(link, changes, byNode))) found('attributes-altered', `attributes that objects had after ${range} are not what was recorded`);
    for (const seal of link.seals) {
      let outcome: Outcome = 'altered';
      await this.twice(async () => (outcome = await this.outcomeOf(seal, byNode.get(seal.node) ?? [])) !== 'altered');
      if (outcome === 'altered') found('content-altered', `what object ${seal.node} got by ${range} is not what history answers`, seal.node);
      else objects[outcome]++;
    }
    return findings;
  }

  /** What does not fit is looked at again while nobody rewrites history. */
  private async twice(fits: () => Promise<boolean>): Promise<boolean> {
    return await fits() || await this.history.upkeep.take(fits);
  }

  private givenUp(): readonly Stretch[] {
    const { merged, due } = this.history.retention();
    return union(merged, due);
  }

  private async attributesFit(link: Omit<Link, 'head'>, changes: readonly Change[], byNode: ReadonlyMap<NodeId, Change[]>): Promise<boolean> {
    const last = lastOf(link);
    if (this.givenUp().some(({ from, to }) => from < last && to >= link.from)) return true;
    const states = new Map<string, Buffer>();
    for (const node of byNode.keys()) {
      // What a mount found may begin a run that goes on with these records.
      const oldest = await this.history.rocks.peek('nodes', { gte: nodeKey(node, link.from), lt: under(node).lt });
      for await (const { key, value } of this.history.rocks.scan('nodes', { gte: nodeKey(node, last), lte: oldest?.key ?? nodeKey(node, link.from) })) {
        for (const state of statesIn(value, seqInKey(key))) states.set(`${node} ${state.seq}`, state.value);
      }
    }
    const hash = createHash('sha256');
    for (const { node, seq } of changes) {
      const state = states.get(`${node} ${seq}`);
      if (state !== undefined) hash.update(u64Key(seq)).update(state.subarray(INO_BYTES, NODE_BYTES));
    }
    return shortened(hash.digest()).equals(link.attributes);
  }

  private async outcomeOf(seal: Seal, changes: readonly Change[]): Promise<Outcome> {
    try {
      return await (seal.found === null ? this.written(seal, changes) : this.found(seal.node, seal.digest, seal.found));
    } catch (error) {
      if (isDamage(error) || isAway(error)) return 'damaged';
      throw error;
    }
  }

  private async written({ node, digest, partial }: Seal, changes: readonly Change[]): Promise<Outcome> {
    if (partial) return 'thinned';
    const own = changes.filter(({ kind }) => bringsBytes(kind));
    const stretches = this.givenUp();
    if (own.some(({ seq }) => stretchOf(stretches, seq) !== null)) return this.thinned(node, digest, own, stretches);
    if (own.length === 0) return 'altered';
    const hash = createHash('sha256');
    let isAlone = true;
    const images = new BlockImages(this.history, node, changes.at(-1)!.seq);
    for (const change of changes) {
      if (change.kind === Kind.Write) isAlone = await this.write(change, hash, images) && isAlone;
      else if (bringsBytes(change.kind)) await this.other(change, hash);
      else if (ALTERS.has(change.kind)) images.forget();
    }
    if (isAlone && shortened(hash.digest()).equals(digest)) return 'whole';
    return this.excuse(node, own.flatMap(({ seq }) => [seq - 1, seq]));
  }

  /** Answers whether all that lies beside it in its blocks is as it was before. */
  private async write({ seq, offset, length, size }: Change, hash: Hash, images: BlockImages): Promise<boolean> {
    let isAlone = true;
    if (length > 0) hash.update(pieceHead(seq, offset, length));
    for (let at = offset; at < offset + length;) {
      const block = Math.floor(at / BLOCK_BYTES);
      const start = block * BLOCK_BYTES;
      const [from, to] = [at - start, Math.min(offset + length - start, BLOCK_BYTES)];
      const end = Math.min(BLOCK_BYTES, Math.max(size - start, to));
      const before = from > 0 || to < end ? await images.at(block, seq - 1) : null;
      const image = await images.at(block, seq);
      hash.update(image.subarray(from, to));
      isAlone &&= before === null || (before.compare(image, 0, from, 0, from) === 0 && before.compare(image, to, end, to, end) === 0);
      at = start + to;
    }
    return isAlone;
  }

  /** A link's target, an extended attribute. */
  private async other(change: Change, hash: Hash): Promise<void> {
    const { node, seq, size, kind } = change;
    if (kind === Kind.Symlink) {
      const target = (await this.history.readBlock(node, 0, seq)).subarray(0, size);
      hash.update(pieceHead(seq, 0, target.length)).update(target);
      return;
    }
    for await (const { key, value } of this.history.rocks.scan('xattrs', under(node))) {
      if (seqInKey(key) !== seq) continue;
      const bytes = Buffer.concat([Buffer.from(`${nameInKey(key, 8)}\0`, 'latin1'), value]);
      hash.update(pieceHead(seq, 0, bytes.length)).update(bytes);
    }
  }

  /** Of what was merged that can be compared which nothing lay over until the instant that is kept. */
  private async thinned(node: NodeId, digest: Buffer, own: readonly Change[], stretches: readonly Stretch[]): Promise<Outcome> {
    const [first, last] = [own[0]!, own.at(-1)!];
    const stretch = stretchOf(stretches, last.seq);
    if (stretch === null || first.seq <= stretch.from || own.some(({ kind }) => kind !== Kind.Write) || overlap(own)) return 'thinned';
    if (!await this.areLast(own, node, first.seq - 1, stretch.to)) return 'thinned';
    const hash = createHash('sha256');
    for (const { seq, offset, length } of own) {
      hash.update(pieceHead(seq, offset, length));
      for (let at = offset; at < offset + length; at = (Math.floor(at / BLOCK_BYTES) + 1) * BLOCK_BYTES) {
        const start = Math.floor(at / BLOCK_BYTES) * BLOCK_BYTES;
        hash.update((await this.history.readBlock(node, start / BLOCK_BYTES, stretch.to)).subarray(at - start, Math.min(offset + length - start, BLOCK_BYTES)));
      }
    }
    return shortened(hash.digest()).equals(digest) ? 'whole' : this.excuse(node, [last.seq, stretch.to]);
  }

  /** Is the object there at `to`, and were these all that altered its content since? A change that was given up lies before one that was not. */
  private async areLast(own: readonly Change[], node: NodeId, since: Seq, to: Seq): Promise<boolean> {
    if (await this.history.attr(node, to) === null) return false;
    const seqs = new Set(own.map(({ seq }) => seq));
    let altered = 0;
    for await (const { kind, node: of, seq, unmounted } of this.history.nodeChanges(node, since, to)) {
      if (of !== node || !(unmounted || ALTERS.has(kind))) continue;
      if (unmounted || !seqs.has(seq)) return false;
      altered++;
    }
    return altered === own.length;
  }

  private async found(node: NodeId, digest: Buffer, { seq, attributes, pieces }: NonNullable<Seal['found']>): Promise<Outcome> {
    const stretch = stretchOf(this.givenUp(), seq);
    if (stretch !== null && (attributes || !await this.areLast([], node, seq, stretch.to))) return 'thinned';
    const hash = createHash('sha256');
    if (attributes) hash.update(await this.stateAt(node, seq) ?? '');
    for (const { block, length } of pieces) hash.update((await this.history.readBlock(node, block, stretch?.to ?? seq)).subarray(0, length));
    return shortened(hash.digest()).equals(digest) ? 'whole' : this.excuse(node, [seq, stretch?.to ?? seq]);
  }

  /** The journal's attributes, of exactly this instant. */
  private async stateAt(node: NodeId, seq: Seq): Promise<Buffer | null> {
    const entry = await this.history.rocks.peek('nodes', { gte: nodeKey(node, seq), lt: under(node).lt });
    const state = entry === null ? undefined : statesIn(entry.value, seqInKey(entry.key)).find((one) => one.seq === seq);
    return state?.value.subarray(INO_BYTES, NODE_BYTES) ?? null;
  }

  /** Why history does not answer what was recorded, when it says so itself. */
  private async excuse(node: NodeId, seqs: readonly Seq[]): Promise<Outcome> {
    for (const seq of seqs) {
      const removal = await removalOf(this.history.rocks, node, seq);
      if (removal !== null) return removal.thinned === undefined ? 'purged' : 'thinned';
    }
    for (const seq of seqs) if ((await this.history.attr(node, seq))?.uncaptured === true) return 'uncaptured';
    return 'altered';
  }
}

/** Where an instant lies that was given up, or the end that it was merged into. */
const stretchOf = (stretches: readonly Stretch[], seq: Seq): Stretch | null => stretches.find(({ from, to }) => seq > from && seq <= to) ?? null;

function overlap(writes: readonly Change[]): boolean {
  const sorted = [...writes].sort((a, b) => a.offset - b.offset);
  return sorted.some(({ offset }, i) => i > 0 && sorted[i - 1]!.offset + sorted[i - 1]!.length > offset);
}
