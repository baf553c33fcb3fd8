/**
 * Takes files out of all of history: content, link targets and extended attributes. Guarantees: what is left says that
 * something was removed, by whom and when; what a file that is still in the tree holds now stays, and nothing else of it;
 * once it is swept and compacted, no file of the database holds the bytes any more.
 */
import { createHash } from 'node:crypto';
import { decodeBlock, encodeFull, type Patch } from '../history/blocks.js';
import type { History } from '../history/history.js';
import { blockKey, getInverse, getU64, pairKey, seqInKey, under } from '../history/keys.js';
import { encodeRemoval, removedKey } from '../history/removed.js';
import { ROOT, type Name, type NodeId, type Seq } from '../history/types.js';
import { BLOCK_BYTES, INLINE_BYTES } from '../history/values.js';
import { Editor } from './editor.js';
import { blocksOf } from './content.js';

/** An object that a purge is about. */
export interface Purged {
  node: NodeId;
  /** One of its paths, when it had one. */
  path: Name[] | null;
  /** It is in the tree: what it holds now stays. */
  live: boolean;
  /** It holds now what a purged file held: that cannot go while it is there. */
  holds: boolean;
}

/** Who purges, and when. */
export interface PurgeBy { by: string; timeNs: bigint; note: string }

/** Pieces shorter than this are no sign that two files held the same. */
const TELLING_BYTES = 8;

/** Every object that ever lay at a path, or below it; with `everywhere` also those that held the same pieces of content. */
export async function purgePlan(history: History, path: Name[], everywhere: boolean): Promise<Purged[]> {
  const nodes = await everAt(history, path);
  const found: Purged[] = [];
  for (const node of nodes) found.push(await describe(history, node, false));
  if (!everywhere) return found;
  const pieces = new Set<string>();
  const lengths = new Set<number>();
  for (const node of nodes) {
    for await (const { patch } of piecesOf(history, under(node))) {
      lengths.add(patch.length);
      pieces.add(digest(await bytesOf(history, patch)));
    }
  }
  const others = new Map<NodeId, boolean>();
  for await (const { node, patch, newest } of piecesOf(history, {})) {
    if (nodes.has(node) || !lengths.has(patch.length) || !pieces.has(digest(await bytesOf(history, patch)))) continue;
    others.set(node, (others.get(node) ?? false) || newest);
  }
  for (const [node, newest] of others) found.push(await describe(history, node, newest));
  return found;
}

/** Removes them; sweeping and compacting is the caller's. */
export async function purgeObjects(history: History, objects: readonly Purged[], editor: Editor, who: PurgeBy): Promise<void> {
  for (const { node, live } of objects) {
    const until = live ? await keepPresent(history, node, editor) : Number.MAX_SAFE_INTEGER;
    if (!live) for (const family of ['blocks', 'cuts', 'xattrs'] as const) {
      for await (const { key } of history.rocks.scan(family, under(node), { values: false })) editor.delete(family, key);
    }
    if (until > 0) editor.put('removed', removedKey(node, until), encodeRemoval({ from: 0, to: until, ...who }));
    Object.assign(editor.retention, { unswept: true, sweptMs: 0 });
    await editor.commit();
  }
  // One more entry of the same instant than there are.
  const seq = history.watermark();
  let record = Number.MAX_SAFE_INTEGER;
  while (await history.rocks.get('gaps', pairKey(seq, record)) !== null) record--;
  const detail = { by: who.by, note: who.note, objects: objects.length };
  editor.put('gaps', pairKey(seq, record), Buffer.from(JSON.stringify({ timeNs: who.timeNs.toString(), reason: 'purged', detail })));
  await editor.commit();
}

/** Of a file in the tree, its present content and nothing older. Answers the last seq whose content is gone. */
async function keepPresent(history: History, node: NodeId, editor: Editor): Promise<Seq> {
  let since = 0;
  for await (const entries of blocksOf(history, node)) {
    const block = getU64(entries[0]!.key, 8);
    const bytes = await history.readBlock(node, block, history.watermark());
    let length = BLOCK_BYTES;
    while (length > 0 && bytes[length - 1] === 0) length--;
    const seq = decodeBlock(entries[0]!.value, seqInKey(entries[0]!.key)).patches.at(-1)!.seq;
    since = Math.max(since, seq);
    for (const { key } of entries) editor.delete('blocks', key);
    const patch: Patch = { seq, offset: 0, length, zero: length === 0, content: 0, bytes, at: 0 };
    if (length > INLINE_BYTES) patch.content = editor.content(bytes.subarray(0, length));
    editor.put('blocks', blockKey(node, block, seq), encodeFull(patch));
  }
  for await (const { key } of history.rocks.scan('cuts', under(node), { values: false })) {
    since = Math.max(since, getInverse(key, 8));
    editor.delete('cuts', key);
  }
  return since - 1;
}

async function describe(history: History, node: NodeId, holds: boolean): Promise<Purged> {
  const now = await history.pathOf(node, history.watermark());
  if (now !== null) return { node, path: now, live: true, holds };
  const last = (await history.everyLink(node)).sort((a, b) => b.until - a.until)[0];
  const above = last && await history.pathOf(last.parent, last.from);
  return { node, path: last && above ? [...above, last.name] : null, live: false, holds: false };
}

/** All objects that a path ever led to, and all that ever lay below them. */
async function everAt(history: History, path: Name[]): Promise<Set<NodeId>> {
  let level = new Set<NodeId>([ROOT]);
  const step = async (parents: Set<NodeId>, name?: Name): Promise<Set<NodeId>> => {
    const next = new Set<NodeId>();
    for (const parent of parents) {
      for (const one of name === undefined ? await history.namesEver(parent) : [name]) {
        for (const { node } of await history.nameHistory(parent, one)) if (node !== null) next.add(node);
      }
    }
    return next;
  };
  for (const name of path) level = await step(level, name);
  const all = new Set(level);
  while (level.size > 0) {
    const below = await step(level);
    level = new Set([...below].filter((node) => !all.has(node)));
    for (const node of level) all.add(node);
  }
  return all;
}

interface Piece { node: NodeId; patch: Patch; /** Nothing of its block was written after it. */ newest: boolean }

async function* piecesOf(history: History, range: { gte?: Buffer; lt?: Buffer }): AsyncGenerator<Piece> {
  let block = '';
  for await (const { key, value } of history.rocks.scan('blocks', range)) {
    const place = key.toString('latin1', 0, 16);
    const { patches } = decodeBlock(value, seqInKey(key));
    for (const patch of patches) {
      if (!patch.zero && patch.length >= TELLING_BYTES) yield { node: getU64(key, 0), patch, newest: place !== block && patch === patches.at(-1) };
    }
    block = place;
  }
}

async function bytesOf(history: History, { content, bytes, at, length }: Patch): Promise<Buffer> {
  if (content === 0) return bytes.subarray(at, at + length);
  return (await history.contents.get([content])).get(content) ?? Buffer.alloc(0);
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
