/**
 * Is the backing file what history says that was written to it last, and what has to be written where it is not.
 * Guarantees: only what was read twice as different, with nothing recorded of the file in between, counts as different;
 * what cannot be read counts at once. Nothing is changed here.
 */
import { constants } from 'node:os';
import type { HistoryReader } from '../history/reader.js';
import type { Name, NodeAttr, NodeId, Seq } from '../history/types.js';
import type { BackingPiece, TreeOp } from '../native.js';
import { pathBytes } from '../paths.js';
import { isFile } from './compare.js';
import type { ByteRange } from './types.js';

/** Reads the backing file at a path. Rejects with an `errno`. */
export type ReadBacking = (path: Buffer, offset: number, length: number) => Promise<BackingPiece>;

/** A file as history has it. */
export interface FileThen { path: Name[]; node: NodeId; attr: NodeAttr; seq: Seq }

/** What is wrong with a file. Ranges ascend, in units of PIECE_BYTES. */
export interface Damage {
  unreadable: ByteRange[];
  /** Readable, and other than what was written. */
  different: ByteRange[];
  /** Bytes that it has now, when that is wrong. */
  size: number | null;
}

const PIECE_BYTES = 64 << 10;
const READ_BYTES = 1 << 20;
const TRIES = 3;

export const isUnharmed = ({ unreadable, different, size }: Damage): boolean => unreadable.length === 0 && different.length === 0 && size === null;

/** The regular file at a path, when its content is known; else null. */
export async function fileAt(history: HistoryReader, path: Name[], seq: Seq): Promise<FileThen | null> {
  const node = await history.resolve(path, seq);
  const attr = node === null ? null : await history.attr(node, seq);
  return node !== null && attr && isFile(attr) && !attr.uncaptured ? { path, node, attr, seq } : null;
}

/**
 * `settle`: everything acknowledged is in history, up to the seq that it answers. null: it is being written, or is another
 * file by now, so that nothing can be said.
 */
export async function damageOf(history: HistoryReader, path: Name[], read: ReadBacking, settle: () => Promise<Seq>): Promise<Damage | null> {
  let before: { damage: Damage; node: NodeId; seq: Seq } | null = null;
  for (let turn = 0; turn < TRIES; turn++) {
    const file = await fileAt(history, path, await settle());
    if (!file) return null;
    const { damage, writers } = await compare(history, file, read);
    if (isUnharmed(damage) || (damage.different.length === 0 && damage.size === null)) return damage;
    if (before !== null && before.node === file.node && writers === 0 && !await changedSince(history, file, before.seq, settle)) return common(before.damage, damage);
    before = writers === 0 ? { damage, node: file.node, seq: file.seq } : null;
  }
  return null;
}

async function changedSince(history: HistoryReader, { node }: FileThen, since: Seq, settle: () => Promise<Seq>): Promise<boolean> {
  for await (const change of history.nodeChanges(node, since, await settle())) return change.seq > since;
  return false;
}

/** What both times was so. */
function common(first: Damage, second: Damage): Damage {
  const offsets = new Set(first.different.map(({ offset }) => offset));
  return { unreadable: second.unreadable, different: second.different.filter(({ offset }) => offsets.has(offset)), size: first.size === second.size ? second.size : null };
}

async function compare(history: HistoryReader, file: FileThen, read: ReadBacking): Promise<{ damage: Damage; writers: number }> {
  const damage: Damage = { unreadable: [], different: [], size: null };
  const path = pathBytes(file.path);
  const { size } = file.attr;
  let writers = 0;
  const note = (piece: BackingPiece): BackingPiece => {
    writers += piece.writers;
    if (piece.size !== size) damage.size = piece.size;
    return piece;
  };
  if (size === 0) note(await read(path, 0, PIECE_BYTES));
  for (let offset = 0; offset < size; offset += READ_BYTES) {
    const length = Math.min(READ_BYTES, size - offset);
    const wanted = await history.read(file.node, offset, length, file.seq, size);
    const whole = await readable(read(path, offset, length));
    if (whole && note(whole).data.equals(wanted)) continue;
    for (let at = 0; at < length; at += PIECE_BYTES) {
      const range = { offset: offset + at, length: Math.min(PIECE_BYTES, length - at) };
      const data = whole ? whole.data.subarray(at, at + range.length) : await readable(read(path, range.offset, range.length)).then((piece) => piece && note(piece).data);
      if (data === null) damage.unreadable.push(range);
      else if (!data.equals(wanted.subarray(at, at + range.length))) damage.different.push(range);
    }
  }
  return { damage, writers };
}

async function readable(piece: Promise<BackingPiece>): Promise<BackingPiece | null> {
  try {
    return await piece;
  } catch (error) {
    if ((error as { errno?: number }).errno === constants.errno.EIO) return null;
    throw error;
  }
}

/** Writes what lies there through the mount, so that history has it, too, before it is replaced. */
export async function* keepDifferent(file: FileThen, { different, size }: Damage, read: ReadBacking): AsyncGenerator<TreeOp[]> {
  const path = pathBytes(file.path);
  if (size !== null && size < file.attr.size) yield [{ op: 'truncate', path, size }];
  for (const { offset, length } of different) {
    const piece = await readable(read(path, offset, length));
    if (piece && piece.data.length > 0) yield [{ op: 'write', path, offset, data: piece.data }];
  }
  if (size === null) return;
  for (let offset = file.attr.size; offset < size; offset += READ_BYTES) {
    const piece = await readable(read(path, offset, Math.min(READ_BYTES, size - offset)));
    if (piece && piece.data.length > 0) yield [{ op: 'write', path, offset, data: piece.data }];
  }
}

/** The steps that make the file what history says: in place, so that whoever has it open goes on with it. */
export async function* putBackOps(history: HistoryReader, file: FileThen, { unreadable, different, size }: Damage): AsyncGenerator<TreeOp[]> {
  const path = pathBytes(file.path);
  if (size !== null) yield [{ op: 'truncate', path, size: file.attr.size }];
  for (const { offset, length } of [...unreadable, ...different]) {
    yield [{ op: 'write', path, offset, data: await history.read(file.node, offset, length, file.seq, file.attr.size) }];
  }
  yield [{ op: 'times', path, atimeNs: file.attr.atime, mtimeNs: file.attr.mtime }, { op: 'fsync', path }];
}

/** The same as a new file that takes the name of the old one: where the disk under that takes no writes any more. */
export async function* replaceOps(history: HistoryReader, file: FileThen, aside: Name): AsyncGenerator<TreeOp[]> {
  const { attr, node, seq } = file;
  const path = pathBytes([...file.path.slice(0, -1), aside]);
  yield [{ op: 'create', path, mode: 0o600 }];
  for (const { offset, length } of await history.dataRanges(node, seq)) {
    for (let at = offset; at < offset + length; at += READ_BYTES) {
      const data = await history.read(node, at, Math.min(READ_BYTES, offset + length - at), seq, attr.size);
      yield [{ op: 'write', path, offset: at, data }];
    }
  }
  const xattrs = [...await history.xattrs(node, seq)].map(([name, value]) => ({ op: 'setxattr' as const, path, name: Buffer.from(name, 'latin1'), value }));
  yield [
    { op: 'truncate', path, size: attr.size }, { op: 'chown', path, uid: attr.uid, gid: attr.gid }, ...xattrs, { op: 'chmod', path, mode: attr.mode & 0o7777 },
    { op: 'times', path, atimeNs: attr.atime, mtimeNs: attr.mtime }, { op: 'fsync', path }, { op: 'rename', path: pathBytes(file.path), from: path },
  ];
}
