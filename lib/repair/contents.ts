/**
 * Content that cannot be read, had from elsewhere or given up. Guarantees: bytes are taken only if they have the hash that
 * was kept, or come from the same content of a copy of this very store; what is given up is told with the objects and
 * instants that it belonged to, and is named by nothing any more.
 */
import { RewindError } from '../errors.js';
import { decodeBlock, type Patch } from '../history/blocks.js';
import { Contents } from '../history/contents.js';
import { IdSet } from '../history/idset.js';
import { cutKey, getInverse, getU64, seqInKey, u64Key, under } from '../history/keys.js';
import type { Rocks } from '../history/rocks.js';
import { hashOf } from '../history/hash.js';
import type { NodeId, Seq } from '../history/types.js';
import { BLOCK_BYTES, Codec, CONTENT_HEAD } from '../history/values.js';
import { Bulk } from './bulk.js';
import type { LostContent } from './states.js';

/** Where bytes may be had from. */
export interface Source {
  /** The bytes of a content of a copy of this store. */
  content(id: number): Promise<Buffer | null>;
  /** What a file of the live tree holds there now. */
  file(node: NodeId, offset: number, length: number): Promise<Buffer | null>;
}

/** A block that names a content. */
interface Use extends Pick<Patch, 'length'> { node: NodeId; offset: number }

export interface ContentsMended { saved: number; lost: LostContent[] }

export async function mendContents(rocks: Rocks, source: Source): Promise<ContentsMended> {
  const present = new IdSet();
  const bad = new IdSet();
  await look(rocks, present, bad);
  const uses = new Map<number, Use[]>();
  for await (const { key, value } of rocks.scan('blocks', {})) {
    for (const { content, offset, length } of decodeBlock(value, seqInKey(key)).patches) {
      if (content === 0 || present.has(content) && !bad.has(content)) continue;
      uses.set(content, [...uses.get(content) ?? [], { node: getU64(key, 0), offset: getU64(key, 8) * BLOCK_BYTES + offset, length }]);
    }
  }
  const saved = await save(rocks, uses, await hashesOf(rocks, new Set(uses.keys())), source);
  // What was saved may be what others are based on.
  const [again, still] = [new IdSet(), new IdSet()];
  await look(rocks, again, still);
  const bulk = new Bulk(rocks);
  for await (const { key } of rocks.scan('content', {}, { values: false })) if (still.has(getU64(key, 0))) await bulk.delete('content', key);
  await bulk.end();
  return { saved, lost: await release(rocks, (id) => !again.has(id) || still.has(id)) };
}

/** Decodes every content: which are there, and which of them cannot be read. */
async function look(rocks: Rocks, present: IdSet, bad: IdSet): Promise<void> {
  const contents = new Contents(rocks);
  for await (const { key } of rocks.scan('content', {}, { values: false })) {
    const id = getU64(key, 0);
    present.add(id);
    // What is away, or on a disk that does not answer, is as it was.
    await contents.get([id]).catch((error: unknown) => { if (!(error instanceof RewindError) || !['ERR_COLD_AWAY', 'ERR_IO'].includes(error.code)) bad.add(id); });
  }
}

/** The hash that contents had, where it is still known: with them, or where it leads to them. */
async function hashesOf(rocks: Rocks, ids: ReadonlySet<number>): Promise<Map<number, bigint>> {
  const hashes = new Map<number, bigint>();
  if (ids.size === 0) return hashes;
  for (const id of ids) {
    const value = await rocks.get('content', u64Key(id)).catch(() => null);
    if (value !== null && value.length >= CONTENT_HEAD) hashes.set(id, value.readBigUInt64BE(1));
  }
  for await (const { key, value } of rocks.scan('hashes', {})) if (ids.has(getU64(value, 0))) hashes.set(getU64(value, 0), key.readBigUInt64BE(0));
  return hashes;
}

async function save(rocks: Rocks, uses: ReadonlyMap<number, readonly Use[]>, hashes: ReadonlyMap<number, bigint>, source: Source): Promise<number> {
  const bulk = new Bulk(rocks);
  let saved = 0;
  for (const [id, own] of [...uses].sort(([a], [b]) => a - b)) {
    const bytes = await found(id, own, hashes.get(id) ?? 0n, source);
    if (bytes === null) continue;
    const head = Buffer.alloc(CONTENT_HEAD);
    head[0] = Codec.Plain;
    head.writeBigUInt64BE(hashOf(bytes), 1);
    await bulk.put('content', u64Key(id), Buffer.concat([head, bytes]));
    saved++;
  }
  await bulk.end();
  return saved;
}

async function found(id: number, uses: readonly Use[], hash: bigint, source: Source): Promise<Buffer | null> {
  const copied = await source.content(id);
  if (copied !== null && (hash === 0n || hashOf(copied) === hash)) return copied;
  if (hash === 0n) return null;
  for (const { node, offset, length } of uses) {
    const bytes = await source.file(node, offset, length);
    if (bytes !== null && bytes.length === length && hashOf(bytes) === hash) return bytes;
  }
  return null;
}

/** Takes away the entries of `blocks` that name what is not there. Answers the objects, from the entry on to what covers it. */
async function release(rocks: Rocks, isGone: (id: number) => boolean): Promise<LostContent[]> {
  const lost: LostContent[] = [];
  const bulk = new Bulk(rocks);
  let covered: { block: string; by: Seq | null } = { block: '', by: null };
  for await (const { key, value } of rocks.scan('blocks', {})) {
    const block = key.toString('latin1', 0, 16);
    if (covered.block !== block) covered = { block, by: null };
    const seq = seqInKey(key);
    const { full, patches } = decodeBlock(value, seq);
    const gone = patches.find(({ content }) => content !== 0 && isGone(content));
    if (gone !== undefined) {
      await bulk.delete('blocks', key);
      const cut = await cutAfter(rocks, getU64(key, 0), getU64(key, 8), patches.at(-1)!.seq);
      const to = [covered.by, cut].filter((one) => one !== null).sort((a, b) => a - b)[0] ?? null;
      lost.push({ node: getU64(key, 0), from: seq, to, why: `content ${gone.content} of block ${getU64(key, 8)} cannot be read` });
    }
    // Also what was taken away hid all below it, but of that nobody may know.
    if (full && gone === undefined) covered.by = seq;
  }
  await bulk.end();
  return lost;
}

/** The first instant after which a cut leaves nothing of a block as it was. */
async function cutAfter(rocks: Rocks, node: NodeId, block: number, after: Seq): Promise<Seq | null> {
  let first: Seq | null = null;
  for await (const { key, value } of rocks.scan('cuts', { gte: under(node).gte, lt: cutKey(node, after, 0) })) {
    const covers = getU64(key, 16) <= block * BLOCK_BYTES && getU64(value, 0) >= (block + 1) * BLOCK_BYTES;
    if (covers) first = getInverse(key, 8);
  }
  return first;
}
