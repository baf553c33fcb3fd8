/**
 * Gives up changes of the records of a few links, and puts one link in their place. Guarantees: a change goes with all that names
 * it, in one batch; the new link has the head of the last of them, and all that it takes to make that head again; what did not
 * fit the digest of what was left before is not touched, so that no damage is signed.
 */
import { decodeChanges, decodeRefs, packChange, packRefs } from '../history/changes.js';
import { bringsBytes, CHAINED, decodeLink, digestOf, encodeLink, joined, lastOf, shortened, type Link, type Part } from '../history/chain.js';
import type { History } from '../history/history.js';
import { getU64, nodeChangeKey, u64Key } from '../history/keys.js';
import { linkedBy, madeIn, type Linked } from '../history/linked.js';
import { raiseFormat, THINNED_FORMAT } from '../history/meta.js';
import { Packer } from '../history/packing.js';
import type { Entry } from '../history/rocks.js';
import type { Change, NodeId, Seq } from '../history/types.js';
import type { ThinnedChanges } from './changes.js';
import type { Editor } from './editor.js';

const LAST = Number.MAX_SAFE_INTEGER;

/** `from`: where links begin, one after another. Answers how many changes went. */
export async function thinLinks(history: History, from: readonly Seq[], thinned: ThinnedChanges, editor: Editor): Promise<number> {
  const values = await history.rocks.getMany('chain', from.map(u64Key));
  const links = values.map((value, i) => decodeLink(from[i]!, value!));
  const parts = links.flatMap((link): Part[] => link.thinned?.parts ?? [{ link, records: Buffer.alloc(0) }]);
  const all = joined(parts, Buffer.alloc(0), links.at(-1)!.head);
  const linked = await linkedBy(history.rocks, all);
  if (links.some((link) => link.thinned !== null && !shortened(digestOf(partOf(linked, link))).equals(link.thinned.left))) return 0;
  for (const part of parts) if (part.records.length === 0) part.records = digestOf(partOf(linked, part.link));
  const gone = linked.changes.flatMap((entry) => thinned.goingOf(changesIn(entry)));
  if (gone.length === 0) return 0;
  await raiseFormat(history.rocks, editor, THINNED_FORMAT);
  linked.changes = linked.changes.flatMap((entry) => thinRun(entry, thinned, editor));
  await dropReferences(history, gone, all, editor);
  for (const { node, seq } of gone.filter(({ kind }) => bringsBytes(kind))) {
    const { link } = parts.find((part) => seq <= lastOf(part.link))!;
    for (const seal of link.seals) if (seal.node === node && seal.found === null) seal.partial = true;
  }
  for (const one of from.slice(1)) editor.delete('chain', u64Key(one));
  editor.put('chain', u64Key(all.from), encodeLink(joined(parts, shortened(digestOf(linked)), all.head)));
  return gone.length;
}

const changesIn = ({ key, value }: Entry): Change[] => decodeChanges(key, value);

/** Of the entries of several links those of one. */
function partOf(linked: Linked, link: Pick<Link, 'from' | 'count'>): Linked {
  const [from, last] = [link.from, lastOf(link)];
  const own = {} as Linked;
  for (const family of CHAINED) {
    const dated = family === 'changes' || family === 'gaps';
    own[family] = dated ? madeIn(linked[family], from, last) : linked[family].filter(({ key }) => getU64(key, 0) >= from && getU64(key, 0) <= last);
  }
  return own;
}

/** The run as it is from now on; nothing when nothing is left of it. */
function thinRun(entry: Entry, thinned: ThinnedChanges, editor: Editor): Entry[] {
  const run = changesIn(entry);
  const going = new Set(thinned.goingOf(run));
  const left = run.filter((change) => !going.has(change)).map((change) => thinned.standing(change));
  if (left.length === 0) {
    editor.delete('changes', entry.key);
    return [];
  }
  if (left.length === run.length && left.every((change, i) => change === run[i])) return [entry];
  const packer = new Packer(64 + 2 * entry.value.length);
  left.forEach((change, i) => packChange(packer, change, left[i - 1] ?? null));
  const value = Buffer.from(packer.packed());
  editor.put('changes', entry.key, value);
  return [{ key: entry.key, value }];
}

/** Objects name these changes no more. */
async function dropReferences(history: History, gone: readonly Change[], all: Link, editor: Editor): Promise<void> {
  const byNode = new Map<NodeId, Set<Seq>>();
  for (const { node, seq } of gone) byNode.set(node, (byNode.get(node) ?? new Set()).add(seq));
  const packer = new Packer();
  for (const [node, seqs] of byNode) {
    for await (const { key, value } of history.rocks.scan('nodechanges', { gte: nodeChangeKey(node, lastOf(all), LAST), lte: nodeChangeKey(node, all.from, 0) })) {
      const refs = decodeRefs(key, value);
      const left = refs.filter(({ seq, record }) => seq !== record || !seqs.has(seq));
      if (left.length === refs.length) continue;
      const at = left[0] === undefined ? null : nodeChangeKey(node, left[0].seq, left[0].record);
      if (at === null || !at.equals(key)) editor.delete('nodechanges', key);
      packer.clear();
      packRefs(packer, left.flatMap(({ seq, run }) => [seq, run]));
      if (at !== null) editor.put('nodechanges', at, Buffer.from(packer.packed()));
    }
  }
}
