/**
 * Families that follow from others, made anew from these: `hashes` from `content`, `clock` from `times`, `nodechanges` from
 * `changes`, `inodes` from the newest states. Guarantee: every question is answered as it was before they were lost.
 */
import { lastState } from '../history/attributes.js';
import { decodeChanges, packRefs } from '../history/changes.js';
import type { Family } from '../history/families.js';
import { clockKey, getU64, nodeChangeKey, seqInKey, u64Key } from '../history/keys.js';
import { Packer } from '../history/packing.js';
import type { Rocks } from '../history/rocks.js';
import type { NodeId, Seq } from '../history/types.js';
import { CONTENT_HEAD, decodeAttr, decodeBinding, decodeTimes, encodeBinding, inoOf, isUncaptured, TOMBSTONE, type Binding } from '../history/values.js';
import { concerned } from '../verify/timeline.js';
import { Bulk } from './bulk.js';

const S_IFMT = 0o170000;
const UNHASHED = Buffer.alloc(8);

/** Replaces all of a family. */
async function anew(rocks: Rocks, family: Family, fill: (put: (key: Buffer, value: Buffer) => Promise<void>) => Promise<void>): Promise<void> {
  const bulk = new Bulk(rocks);
  for await (const { key } of rocks.scan(family, {}, { values: false })) await bulk.delete(family, key);
  await bulk.end();
  await fill((key, value) => bulk.put(family, key, value));
  await bulk.end();
}

/** Of equal content the newest is found: it comes last. */
export const hashesAnew = (rocks: Rocks): Promise<void> => anew(rocks, 'hashes', async (put) => {
  for await (const { key, value } of rocks.scan('content', {}, { capacity: 64 })) {
    const hash = value.subarray(1, CONTENT_HEAD);
    if (!hash.equals(UNHASHED)) await put(hash, key);
  }
});

export const clockAnew = (rocks: Rocks): Promise<void> => anew(rocks, 'clock', async (put) => {
  for await (const { key, value } of rocks.scan('times', {})) await put(clockKey(decodeTimes(value).first, getU64(key, 0)), TOMBSTONE);
});

/** A run of changes makes one entry for each object that it concerns. */
export const referencesAnew = (rocks: Rocks): Promise<void> => anew(rocks, 'nodechanges', async (put) => {
  const packer = new Packer();
  for await (const { key, value } of rocks.scan('changes', {})) {
    const refs = new Map<NodeId, { seq: Seq; record: Seq; packed: number[] }>();
    for (const change of decodeChanges(key, value)) {
      const { seq, record } = change;
      for (const node of concerned(change)) {
        const known = refs.get(node);
        if (known === undefined) refs.set(node, { seq, record, packed: [seq, getU64(key, 0)] });
        else known.packed.push(seq, getU64(key, 0));
      }
    }
    for (const [node, { seq, record, packed }] of refs) {
      packer.clear();
      if (seq === record) packRefs(packer, packed);
      await put(nodeChangeKey(node, seq, record), Buffer.from(packer.packed()));
    }
  }
});

/** What an inode number stands for: the object that had it last. What was still to come of its content is read anew by the next mount. */
export async function bindingsAnew(rocks: Rocks): Promise<void> {
  const newest = new Map<bigint, { seq: Seq; binding: Binding }>();
  let last: NodeId = 0;
  for await (const { key, value } of rocks.scan('nodes', {})) {
    const node = getU64(key, 0);
    // An object's newest run comes first.
    if (node === last) continue;
    last = node;
    const state = lastState(value, seqInKey(key));
    const { mode, btime } = decodeAttr(state);
    const ino = inoOf(state);
    if (ino === 0n || (newest.get(ino)?.seq ?? -1) > seqInKey(key)) continue;
    newest.set(ino, { seq: seqInKey(key), binding: { node, type: mode & S_IFMT, btime, ...isUncaptured(state) && { uncaptured: true } } });
  }
  await anew(rocks, 'inodes', async (put) => {
    for (const [ino, { binding }] of newest) await put(u64Key(Number(ino)), encodeBinding(binding));
  });
}

/** What inode numbers stand for says of each object whose newest state has no content that it was not captured, so that what follows says so, too. */
export async function bindingsAgree(rocks: Rocks): Promise<void> {
  const bulk = new Bulk(rocks);
  for await (const { key, value } of rocks.scan('inodes', {})) {
    const { node, btime, type, uncaptured, pending } = decodeBinding(value);
    const entry = await rocks.peek('nodes', { gte: u64Key(node), lt: u64Key(node + 1) });
    if (entry === null) await bulk.delete('inodes', key);
    else if (pending === undefined && uncaptured !== true && isUncaptured(lastState(entry.value, seqInKey(entry.key)))) await bulk.put('inodes', key, encodeBinding({ node, btime, type, uncaptured: true }));
  }
  await bulk.end();
}
