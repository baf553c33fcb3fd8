/**
 * The chain: for each batch of records a link, which says by hash what these records brought and stands on the link before.
 * Guarantees: the head of a link changes with every byte of every change up to it; what a link keeps of content is enough
 * to check each object by itself, so that what was forgotten lawfully does not hide what is left. docs/history.md has the
 * bytes, docs/verify.md says what it proves.
 */
import { createHash } from 'node:crypto';
import { putU64, u64Key } from './keys.js';
import { MOST_VARINT_BYTES, Packer, Unpacker } from './packing.js';
import type { Entry } from './rocks.js';
import type { NodeId, Seq } from './types.js';
import { corrupt } from './values.js';

/** Families whose entries a link covers byte for byte, in this order: nobody ever changes one of them. */
export const CHAINED = ['changes', 'gaps', 'points', 'times', 'writers'] as const;
export type Chained = (typeof CHAINED)[number];

/** Bytes of a head, and of the digests that a link keeps. */
export const HEAD_BYTES = 32;
export const DIGEST_BYTES = 16;

/** What the first link stands on. */
export const GENESIS = createHash('sha256').update('rewindfs chain 1').digest();

const enum Form { Link = 1, Mended = 2 }

/** A stretch of a block that a mount found. */
export interface FoundPiece { block: number; length: number }

/** What one object got in a batch: a digest of bytes that history still answers, each at its instant. */
export interface Seal {
  node: NodeId;
  digest: Buffer;
  /** What a mount found, dated to it; null: what was written. */
  found: { seq: Seq; attributes: boolean; pieces: FoundPiece[] } | null;
}

export interface Link {
  from: Seq;
  /** Records; the last is `from + count - 1`. */
  count: number;
  /** The mount that what was found is dated to, and how many entries of `changes` and `gaps` are. */
  mount: Seq;
  found: number;
  /** Of the attributes that objects had after their changes. */
  attributes: Buffer;
  seals: Seal[];
  head: Buffer;
  /** null; of a link that a repair has put in place of one that did not fit: when. */
  mendedNs: bigint | null;
}

export const lastOf = ({ from, count }: Pick<Link, 'from' | 'count'>): Seq => from + count - 1;

/** A digest as links keep it. */
export const shortened = (digest: Buffer): Buffer => digest.subarray(0, DIGEST_BYTES);

/** What is hashed of bytes of an object: when they came, where, how many; then the bytes. */
export function pieceHead(seq: Seq, offset: number, length: number): Buffer {
  const head = Buffer.allocUnsafe(24);
  putU64(head, seq, 0);
  putU64(head, offset, 8);
  putU64(head, length, 16);
  return head;
}

/** Digest of entries of the chained families. Of one key the last counts. */
export function digestOf(entries: Readonly<Record<Chained, readonly Entry[]>>): Buffer {
  const hash = createHash('sha256');
  const lengths = Buffer.alloc(9);
  for (const [i, family] of CHAINED.entries()) {
    const sorted = [...entries[family]].sort((a, b) => a.key.compare(b.key));
    for (const [at, { key, value }] of sorted.entries()) {
      if (sorted[at + 1]?.key.equals(key)) continue;
      lengths[0] = i;
      lengths.writeUInt32BE(key.length, 1);
      lengths.writeUInt32BE(value.length, 5);
      hash.update(lengths).update(key).update(value);
    }
  }
  return hash.digest();
}

/** The head that a link has: of what it stands on, its records and what else it says. */
export function headOf(before: Buffer, link: Omit<Link, 'head'>, records: Buffer): Buffer {
  return createHash('sha256').update(before).update(u64Key(link.from)).update(records).update(bodyOf(link)).digest();
}

/** A value of `chain`; its key is `from`. */
export const encodeLink = (link: Link): Buffer => Buffer.concat([bodyOf(link), link.head]);

function bodyOf({ from, count, mount, found, attributes, seals, mendedNs }: Omit<Link, 'head'>): Buffer {
  const packer = new Packer(64 + 64 * seals.length);
  packer.u8(mendedNs === null ? Form.Link : Form.Mended);
  packer.varint(count);
  if (mendedNs !== null) {
    packer.u64(mendedNs);
    return packer.packed();
  }
  packer.varint(from - mount);
  packer.varint(found);
  packer.copy(attributes, 0, DIGEST_BYTES);
  packer.varint(seals.length);
  for (const { node, digest, found: of } of seals) {
    packer.reserve(DIGEST_BYTES + (3 + 2 * (of?.pieces.length ?? 0)) * MOST_VARINT_BYTES);
    packer.varint(node);
    packer.varint(of === null ? 0 : 1 + 2 * (from - of.seq) + (of.attributes ? 1 : 0));
    if (of !== null) packer.varint(of.pieces.length);
    for (const { block, length } of of?.pieces ?? []) {
      packer.varint(block);
      packer.varint(length);
    }
    packer.copy(digest, 0, DIGEST_BYTES);
  }
  return packer.packed();
}

/** @throws ERR_HISTORY_CORRUPT */
export function decodeLink(from: Seq, value: Buffer): Link {
  const at = new Unpacker(value);
  const bytes = (count: number): Buffer => {
    const begin = at.skip(count);
    return value.subarray(begin, begin + count);
  };
  const form = at.u8() as Form;
  const link: Link = { from, count: at.varint(), mount: from, found: 0, attributes: Buffer.alloc(DIGEST_BYTES), seals: [], head: GENESIS, mendedNs: null };
  if (form === Form.Mended) link.mendedNs = at.u64();
  else if (form !== Form.Link) throw corrupt(`a link of form ${form}, at most ${Form.Mended} is known`);
  else {
    link.mount = from - at.varint();
    link.found = at.varint();
    link.attributes = bytes(DIGEST_BYTES);
    for (let left = at.varint(); left > 0; left--) link.seals.push(sealAt(from, at, bytes));
  }
  link.head = bytes(HEAD_BYTES);
  if (at.more || link.count < 1) throw corrupt(`a link of ${link.count} records with ${value.length - at.at} bytes behind its head`);
  return link;
}

function sealAt(from: Seq, at: Unpacker, bytes: (count: number) => Buffer): Seal {
  const node = at.varint();
  const code = at.varint();
  if (code === 0) return { node, found: null, digest: bytes(DIGEST_BYTES) };
  const pieces: FoundPiece[] = [];
  for (let left = at.varint(); left > 0; left--) pieces.push({ block: at.varint(), length: at.varint() });
  return { node, found: { seq: from - Math.floor((code - 1) / 2), attributes: code % 2 === 0, pieces }, digest: bytes(DIGEST_BYTES) };
}
