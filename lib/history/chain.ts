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

/** Families whose entries a link covers byte for byte, in this order: nobody ever changes one of them, but for changes that are given up. */
export const CHAINED = ['changes', 'gaps', 'points', 'times', 'writers'] as const;
export type Chained = (typeof CHAINED)[number];

/** Bytes of a head, of the digest of a link's records, and of the digests that a link keeps. */
export const HEAD_BYTES = 32;
const RECORDS_BYTES = 32;
export const DIGEST_BYTES = 16;

/** What the first link stands on. */
export const GENESIS = createHash('sha256').update('rewindfs chain 1').digest();

const enum Form { Link = 1, Mended = 2, Thinned = 3 }

/** A stretch of a block that a mount found. */
export interface FoundPiece { block: number; length: number }

/** What one object got in a batch: a digest of bytes that history still answers, each at its instant. */
export interface Seal {
  node: NodeId;
  digest: Buffer;
  /** What a mount found, dated to it; null: what was written. */
  found: { seq: Seq; attributes: boolean; pieces: FoundPiece[] } | null;
  /** Changes were given up that brought such bytes: the digest is of more than can be had again. */
  partial?: true;
}

/** Kinds of native/journal/format.h that bring bytes of their own, for which seals are: symlink, write, setxattr, removexattr. */
const BRING: ReadonlySet<number> = new Set([10, 24, 28, 29]);
export const bringsBytes = (kind: number): boolean => BRING.has(kind);

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
  /** null; else it stands for several, of whose records changes were given up. */
  thinned: Thinned | null;
}

/** What a link says but for its head, and the digest that its records had before any of them was given up. */
export interface Part { link: Omit<Link, 'head'>; records: Buffer }

/** Links one after another, of one session; `left`: of what is left of the records of all of them. */
export interface Thinned { parts: Part[]; left: Buffer }

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

/** Where links ended that one stands for, each with the head that it had. */
export function endsOf(before: Buffer, { parts }: Thinned): { seq: Seq; head: Buffer }[] {
  let head = before;
  return parts.map(({ link, records }) => ({ seq: lastOf(link), head: (head = headOf(head, link, records)) }));
}

/** One link for these. */
export function joined(parts: Part[], left: Buffer, head: Buffer): Link {
  const { from, mount } = parts[0]!.link;
  const sum = (of: 'count' | 'found'): number => parts.reduce((all, { link }) => all + link[of], 0);
  return { from, count: sum('count'), mount, found: sum('found'), attributes: Buffer.alloc(DIGEST_BYTES), seals: [], head, mendedNs: null, thinned: { parts, left } };
}

/** A value of `chain`; its key is `from`. */
export const encodeLink = (link: Link): Buffer => Buffer.concat([link.thinned === null ? bodyOf(link) : bodyOfAll(link.thinned), link.head]);

function bodyOfAll({ parts, left }: Thinned): Buffer {
  const packer = new Packer(64 + 128 * parts.length);
  packer.u8(Form.Thinned);
  packer.varint(parts.length);
  for (const { link, records } of parts) {
    const body = bodyOf(link);
    const marks = marksOf(link.seals);
    packer.reserve(body.length + RECORDS_BYTES + marks.length);
    for (const bytes of [body, records, marks]) packer.copy(bytes, 0, bytes.length);
  }
  packer.reserve(DIGEST_BYTES);
  packer.copy(left, 0, DIGEST_BYTES);
  return packer.packed();
}

/** A bit for each seal. */
function marksOf(seals: readonly Seal[]): Buffer {
  const marks = Buffer.alloc(Math.ceil(seals.length / 8));
  for (const [i, { partial }] of seals.entries()) if (partial) marks[i >> 3]! |= 1 << (i & 7);
  return marks;
}

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
  const link = value[0] === Form.Thinned ? thinnedAt(from, at, bytes) : { ...bodyAt(from, at, bytes), head: GENESIS };
  link.head = bytes(HEAD_BYTES);
  if (at.more || link.count < 1) throw corrupt(`a link of ${link.count} records with ${value.length - at.at} bytes behind its head`);
  return link;
}

function thinnedAt(from: Seq, at: Unpacker, bytes: (count: number) => Buffer): Link {
  at.u8();
  const parts: Part[] = [];
  let next = from;
  for (let left = at.varint(); left > 0; left--) {
    const link = bodyAt(next, at, bytes);
    if (link.count < 1 || link.mendedNs !== null || link.mount !== (parts[0]?.link.mount ?? link.mount)) throw corrupt(`a link for several, one of which (#${next}) is no such`);
    parts.push({ link, records: bytes(RECORDS_BYTES) });
    const marks = bytes(Math.ceil(link.seals.length / 8));
    for (const [i, seal] of link.seals.entries()) if (marks[i >> 3]! & (1 << (i & 7))) seal.partial = true;
    next += link.count;
  }
  if (parts.length === 0) throw corrupt('a link that stands for none');
  return joined(parts, bytes(DIGEST_BYTES), GENESIS);
}

function bodyAt(from: Seq, at: Unpacker, bytes: (count: number) => Buffer): Omit<Link, 'head'> {
  const form = at.u8() as Form;
  const link: Omit<Link, 'head'> = { from, count: at.varint(), mount: from, found: 0, attributes: Buffer.alloc(DIGEST_BYTES), seals: [], mendedNs: null, thinned: null };
  if (form === Form.Mended) link.mendedNs = at.u64();
  else if (form !== Form.Link) throw corrupt(`a link of form ${form}, at most ${Form.Thinned} is known`);
  else {
    link.mount = from - at.varint();
    link.found = at.varint();
    link.attributes = bytes(DIGEST_BYTES);
    for (let left = at.varint(); left > 0; left--) link.seals.push(sealAt(from, at, bytes));
  }
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
