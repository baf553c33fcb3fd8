/** Replies as bytes. Every function fills all bytes that it answers, padding included. */
import type { Name, NodeAttr } from '../history/types.js';
import { NAME_MAX, S_IFMT, Size, type U64 } from './wire.js';

const NS_PER_S = 1_000_000_000n;
const BLOCK = 512;
/** Not the 64 KiB of history's blocks: programs take it as a buffer size and the kernel as the page cache's grain. */
const BLKSIZE = 4096;

/** Attributes as the kernel is told of them. */
export interface ShownAttr extends NodeAttr {
  /** Bytes that are data, of a file with holes; as many as its size when not given. */
  held?: number;
}

/** An object as the kernel is told of it. */
export interface Entry {
  nodeid: U64;
  ino: U64;
  attr: ShownAttr;
  /** Seconds for which the kernel may keep the name, and the attributes. */
  nameSeconds: number;
  attrSeconds: number;
}

function putU64(out: Buffer, value: U64, at: number): void {
  out.writeUInt32LE(value.lo, at);
  out.writeUInt32LE(value.hi, at + 4);
}

function putNumber(out: Buffer, value: number, at: number): void {
  out.writeUInt32LE(value % 2 ** 32, at);
  out.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

/** A time for which the kernel may believe: whole seconds, and nanoseconds elsewhere. */
function putValid(out: Buffer, seconds: number, at: number, nanosAt: number): void {
  putNumber(out, Math.floor(seconds), at);
  out.writeUInt32LE(Math.round((seconds % 1) * 1e9), nanosAt);
}

/** Seconds (rounded down, also before 1970) and nanoseconds of a time. */
function split(ns: bigint): { seconds: bigint; nanos: number } {
  const nanos = ((ns % NS_PER_S) + NS_PER_S) % NS_PER_S;
  return { seconds: (ns - nanos) / NS_PER_S, nanos: Number(nanos) };
}

const major = (rdev: bigint): number => Number(rdev >> 32n);
const minor = (rdev: bigint): number => Number(rdev & 0xffffffffn);

/** The kernel's new_encode_dev. */
function encodeDevice(rdev: bigint): number {
  const low = minor(rdev);
  return ((low & 0xff) | ((major(rdev) & 0xfff) << 8) | ((low & ~0xff) << 12)) >>> 0;
}

function putAttr(out: Buffer, attr: ShownAttr, ino: U64, at: number): void {
  putU64(out, ino, at);
  putNumber(out, attr.size, at + 8);
  putNumber(out, Math.ceil((attr.held ?? attr.size) / BLOCK), at + 16);
  const times = [attr.atime, attr.mtime, attr.ctime];
  times.forEach((time, i) => {
    const { seconds, nanos } = split(time);
    out.writeBigInt64LE(seconds, at + 24 + i * 8);
    out.writeUInt32LE(nanos, at + 48 + i * 4);
  });
  out.writeUInt32LE(attr.mode, at + 60);
  out.writeUInt32LE(attr.nlink, at + 64);
  out.writeUInt32LE(attr.uid, at + 68);
  out.writeUInt32LE(attr.gid, at + 72);
  out.writeUInt32LE(encodeDevice(attr.rdev), at + 76);
  out.writeUInt32LE(BLKSIZE, at + 80);
  out.writeUInt32LE(0, at + 84);
}

function putEntry(out: Buffer, entry: Entry, at: number): void {
  putU64(out, entry.nodeid, at);
  out.fill(0, at + 8, at + 40);
  putValid(out, entry.nameSeconds, at + 16, at + 32);
  putValid(out, entry.attrSeconds, at + 24, at + 36);
  putAttr(out, entry.attr, entry.ino, at + 40);
}

/** fuse_entry_out. */
export function entryOut(entry: Entry): Buffer {
  const out = Buffer.allocUnsafe(Size.entry_out);
  putEntry(out, entry, 0);
  return out;
}

/** A name that leads to nothing, for as long as the kernel may believe it. */
export function noEntryOut(seconds: number): Buffer {
  const out = Buffer.alloc(Size.entry_out);
  putValid(out, seconds, 16, 32);
  return out;
}

/** fuse_attr_out. */
export function attrOut(attr: ShownAttr, ino: U64, seconds: number): Buffer {
  const out = Buffer.allocUnsafe(Size.attr_out);
  out.fill(0, 8, 16);
  putValid(out, seconds, 0, 8);
  putAttr(out, attr, ino, 16);
  return out;
}

/** fuse_statx_out: like attrOut, with the birth time. */
export function statxOut(attr: ShownAttr, ino: U64, seconds: number): Buffer {
  const out = Buffer.alloc(Size.statx_out);
  const stat = 32;
  putValid(out, seconds, 0, 8);
  out.writeUInt32LE(0xfff, stat); // STATX_BASIC_STATS | STATX_BTIME
  out.writeUInt32LE(BLKSIZE, stat + 4);
  out.writeUInt32LE(attr.nlink, stat + 16);
  out.writeUInt32LE(attr.uid, stat + 20);
  out.writeUInt32LE(attr.gid, stat + 24);
  out.writeUInt16LE(attr.mode, stat + 28);
  putU64(out, ino, stat + 32);
  putNumber(out, attr.size, stat + 40);
  putNumber(out, Math.ceil((attr.held ?? attr.size) / BLOCK), stat + 48);
  [attr.atime, attr.btime, attr.ctime, attr.mtime].forEach((time, i) => {
    const { seconds: whole, nanos } = split(time);
    out.writeBigInt64LE(whole, stat + 64 + i * 16);
    out.writeUInt32LE(nanos, stat + 72 + i * 16);
  });
  out.writeUInt32LE(major(attr.rdev), stat + 128);
  out.writeUInt32LE(minor(attr.rdev), stat + 132);
  return out;
}

/** fuse_statfs_out: a file system without room, with names of 255 bytes. */
export function statfsOut(): Buffer {
  const out = Buffer.alloc(Size.kstatfs);
  out.writeUInt32LE(4096, 40); // bsize
  out.writeUInt32LE(NAME_MAX, 44);
  out.writeUInt32LE(4096, 48); // frsize
  return out;
}

/** fuse_getxattr_out, fuse_lseek_out: one number in eight bytes. */
export function numberOut(value: number): Buffer {
  const out = Buffer.allocUnsafe(8);
  putNumber(out, value, 0);
  return out;
}

/** One page of a directory listing: names are added until one does not fit. */
export class DirectoryPage {
  private readonly bytes: Buffer;
  private at = 0;

  /** plus: with entries (READDIRPLUS). */
  constructor(size: number, private readonly plus: boolean) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  /** next: the offset of the entry that follows. entry: null tells the kernel to look the name up itself. */
  add(name: Name, ino: U64, mode: number, next: number, entry: Entry | null): boolean {
    const head = this.plus ? Size.entry_out : 0;
    const padded = (Size.dirent + name.length + 7) & ~7;
    if (this.at + head + padded > this.bytes.length) return false;
    if (this.plus) {
      if (entry) putEntry(this.bytes, entry, this.at);
      else this.bytes.fill(0, this.at, this.at + head);
    }
    const start = this.at + head;
    putU64(this.bytes, ino, start);
    putNumber(this.bytes, next, start + 8);
    this.bytes.writeUInt32LE(name.length, start + 16);
    this.bytes.writeUInt32LE((mode & S_IFMT) >>> 12, start + 20);
    this.bytes.write(name, start + Size.dirent, 'latin1');
    this.bytes.fill(0, start + Size.dirent + name.length, start + padded);
    this.at += head + padded;
    return true;
  }

  done(): Buffer {
    return this.bytes.subarray(0, this.at);
  }
}
