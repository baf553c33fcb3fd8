/**
 * Objects and directory listings as bytes. Guarantees: what was encoded is what is decoded; what could lead out of a tree,
 * or could not be in one (a name with a slash, `..`, a name twice, content beyond the end of a file), is refused.
 */
import { Packer, Unpacker } from '../history/packing.js';
import type { Name, NodeAttr, NodeId } from '../history/types.js';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../recovery/compare.js';
import { BLOCK_BYTES, Broken } from './format.js';

/** A stretch of a file, or of a directory's listing. */
export interface Extent {
  offset: number;
  length: number;
  /** The first block that holds it: all but its last are full. null: it is as in the archive before. */
  block: number | null;
  /** Where it begins in that block. */
  at: number;
}

/** Why a file is here without its content. */
export type Missing = 'uncaptured' | 'purged';

/** An object of an archive. */
export interface ArchiveNode {
  node: NodeId;
  /** Of a directory: the one that it lies in; 0 for the root, and for all else. */
  parent: NodeId;
  attr: NodeAttr;
  missing: Missing | null;
  xattrs: ReadonlyMap<Name, Buffer>;
  /** Of a symlink. */
  target: Buffer;
  /** Bytes of a directory's listing. */
  listed: number;
  extents: readonly Extent[];
}

/** A name of a directory. */
export interface Entry {
  name: Name;
  node: NodeId;
  /** Type bits of st_mode. */
  type: number;
}

const FLAG_UNCAPTURED = 1;
const FLAG_PURGED = 2;
const TYPES = new Set([0o010000, 0o020000, S_IFDIR, 0o060000, S_IFREG, S_IFLNK, 0o140000]);
const NAME_MAX = 255;
const PATH_MAX = 4096;
/** Of a listing: it is read whole. */
const MOST_LISTED = 256 << 20;
/** Room for all of a record but what has a length of its own. */
const FIXED_BYTES = 128;

export const typeOf = (mode: number): number => mode & S_IFMT;

/** Adds an object to a run of them. */
export function packNode(packer: Packer, { node, parent, attr, missing, xattrs, target, listed, extents }: ArchiveNode): void {
  if (listed > MOST_LISTED) throw new Broken(`a directory of ${listed} bytes of names, at most ${MOST_LISTED} are taken`);
  packer.reserve(FIXED_BYTES);
  packer.varint(node);
  packer.varint(parent);
  packer.u32(attr.mode);
  packer.u32(attr.uid);
  packer.u32(attr.gid);
  packer.varint(attr.nlink);
  packer.varint(attr.size);
  for (const value of [attr.rdev, attr.atime, attr.mtime, attr.ctime, attr.btime]) packer.u64(BigInt.asUintN(64, value));
  packer.u8((missing === 'uncaptured' ? FLAG_UNCAPTURED : 0) + (missing === 'purged' ? FLAG_PURGED : 0));
  packer.varint(xattrs.size);
  for (const [name, value] of xattrs) {
    packer.reserve(name.length + value.length + 16);
    packer.text(name);
    packer.varint(value.length);
    packer.copy(value, 0, value.length);
  }
  packer.reserve(FIXED_BYTES + target.length + 32 * extents.length);
  if (typeOf(attr.mode) === S_IFLNK) packer.text(target.toString('latin1'));
  if (typeOf(attr.mode) === S_IFDIR) packer.varint(listed);
  packer.varint(extents.length);
  let end = 0;
  for (const { offset, length, block, at } of extents) {
    packer.varint(offset - end);
    packer.varint(length);
    packer.varint(block === null ? 0 : block + 1);
    if (block !== null) packer.varint(at);
    end = offset + length;
  }
}

/** All objects of a run. @throws Broken, and what an Unpacker throws */
export function* unpackNodes(bytes: Buffer): Generator<ArchiveNode> {
  const from = new Unpacker(bytes);
  while (from.more) yield unpackOne(from, bytes);
}

/** The object that is described at a byte of a run. @throws Broken, and what an Unpacker throws */
export const unpackNode = (bytes: Buffer, at: number): ArchiveNode => unpackOne(new Unpacker(bytes, at), bytes);

function unpackOne(from: Unpacker, bytes: Buffer): ArchiveNode {
  const node = whole(from.varint());
  const parent = whole(from.varint());
  const [mode, uid, gid] = [from.u32(), from.u32(), from.u32()];
  const type = typeOf(mode);
  if (node === 0 || !TYPES.has(type) || mode > 0o177777) throw new Broken(`object ${node} of mode ${mode.toString(8)}`);
  const [nlink, size] = [whole(from.varint()), whole(from.varint())];
  const rdev = from.u64();
  const [atime, mtime, ctime, btime] = [time(from), time(from), time(from), time(from)];
  const flags = from.u8();
  if (flags > FLAG_PURGED || (flags > 0 && type !== S_IFREG && type !== S_IFLNK)) throw new Broken(`object ${node} with flags ${flags}`);
  const xattrs = unpackXattrs(from, bytes);
  const target = type === S_IFLNK ? Buffer.from(from.text(), 'latin1') : Buffer.alloc(0);
  if (type === S_IFLNK && flags === 0 && (target.length === 0 || target.length >= PATH_MAX || target.includes(0))) throw new Broken(`symlink ${node} that leads nowhere`);
  const listed = type === S_IFDIR ? whole(from.varint()) : 0;
  if (listed > MOST_LISTED) throw new Broken(`a directory of ${listed} bytes of names`);
  const missing = flags === FLAG_UNCAPTURED ? 'uncaptured' : flags === FLAG_PURGED ? 'purged' : null;
  const extents = unpackExtents(from, type === S_IFDIR ? listed : type === S_IFREG && missing === null ? size : 0);
  const attr: NodeAttr = { mode, uid, gid, nlink, size, rdev, atime, mtime, ctime, btime, ...missing === 'uncaptured' && { uncaptured: true } };
  return { node, parent, attr, missing, xattrs, target, listed, extents };
}

function unpackXattrs(from: Unpacker, bytes: Buffer): Map<Name, Buffer> {
  const xattrs = new Map<Name, Buffer>();
  for (let left = from.varint(); left > 0; left--) {
    const name = from.text();
    const length = from.varint();
    const at = from.skip(length);
    if (name === '' || name.length > NAME_MAX || name.includes('\0') || xattrs.has(name)) throw new Broken('an extended attribute that no object can have');
    xattrs.set(name, Buffer.from(bytes.subarray(at, at + length)));
  }
  return xattrs;
}

function unpackExtents(from: Unpacker, size: number): Extent[] {
  const extents: Extent[] = [];
  let end = 0;
  for (let left = from.varint(); left > 0; left--) {
    const offset = end + from.varint();
    const length = from.varint();
    const block = whole(from.varint());
    const at = block === 0 ? 0 : whole(from.varint());
    end = offset + length;
    if (at >= BLOCK_BYTES) throw new Broken(`content at byte ${at} of a block`);
    if (length === 0 || end > size) throw new Broken(`content to byte ${end} of an object of ${size} bytes`);
    extents.push({ offset, length, block: block === 0 ? null : block - 1, at });
  }
  return extents;
}

const time = (from: Unpacker): bigint => BigInt.asIntN(64, from.u64());

function whole(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Broken(`the number ${value}`);
  return value;
}

/** The listing of a directory, its names ascending by bytes. */
export function encodeListing(entries: readonly Entry[]): Buffer {
  const packer = new Packer(1 << 12);
  for (const { name, node, type } of entries) {
    packer.reserve(name.length + 32);
    packer.text(name);
    packer.varint(node);
    packer.u8(type >> 12);
  }
  return Buffer.from(packer.packed());
}

/** @throws Broken, and what an Unpacker throws */
export function decodeListing(bytes: Buffer): Entry[] {
  const from = new Unpacker(bytes);
  const entries: Entry[] = [];
  const directories = new Set<NodeId>();
  let before = '';
  while (from.more) {
    const name = from.text();
    const node = whole(from.varint());
    const type = from.u8() << 12;
    if (name === '' || name === '.' || name === '..' || name.length > NAME_MAX || /[/\0]/.test(name)) throw new Broken('a name that no file can have');
    if (name <= before) throw new Broken('a name twice, or out of order');
    if (!TYPES.has(type) || (type === S_IFDIR && directories.has(node))) throw new Broken('a directory under two names');
    if (type === S_IFDIR) directories.add(node);
    entries.push({ name, node, type });
    before = name;
  }
  return entries;
}
