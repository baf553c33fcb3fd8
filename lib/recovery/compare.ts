/** What differs between two objects, exactly: a write that put back the same bytes is no difference. */
import type { HistoryReader } from '../history/reader.js';
import type { Name, NodeAttr, NodeId, Seq } from '../history/types.js';
import { aclWithMode } from '../view/acl.js';
import type { ByteRange, DiffWhat } from './types.js';

export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;
/** Permission, set-id and sticky bits. */
export const MODE_BITS = 0o7777;
export const ACL_ACCESS = 'system.posix_acl_access';
export const ACL_DEFAULT = 'system.posix_acl_default';

const CHUNK_BYTES = 1 << 20;
const GRAIN_BYTES = 64 << 10;

export const isDir = (attr: NodeAttr): boolean => (attr.mode & S_IFMT) === S_IFDIR;
export const isFile = (attr: NodeAttr): boolean => (attr.mode & S_IFMT) === S_IFREG;
export const isLink = (attr: NodeAttr): boolean => (attr.mode & S_IFMT) === S_IFLNK;
export const sameType = (a: NodeAttr, b: NodeAttr): boolean => (a.mode & S_IFMT) === (b.mode & S_IFMT);
export const isAcl = (name: Name): boolean => name === ACL_ACCESS || name === ACL_DEFAULT;

/** A file whose content history does not have. An empty one has none to miss. */
export const hasNoContent = (attr: NodeAttr): boolean => attr.uncaptured === true && attr.size > 0;

/** Why history does not have it. */
export function whyNoContent({ thinned }: NodeAttr): string {
  if (thinned === undefined) return 'its content was not captured';
  return `its content is kept no longer: ${thinned.from === 0 ? `the oldest instant that is kept of it is #${thinned.to}` : `the nearest instants that are kept of it are #${thinned.from} and #${thinned.to}`}`;
}

/** One object at one instant. */
export interface At {
  node: NodeId;
  seq: Seq;
  attr: NodeAttr;
}

/** Nothing differs. */
export function noDifference(): DiffWhat {
  return { content: false, type: false, mode: false, owner: false, group: false, xattr: false, acl: false, time: false };
}

/** Does anything differ (but the modification time, unless asked for)? */
export function differs(what: DiffWhat, times = false): boolean {
  return what.content || what.type || what.mode || what.owner || what.group || what.xattr || what.acl || (times && what.time);
}

/** Extended attributes of an object, its ACL as its mode says: a chmod changes both, the mode is what history has first. */
export async function xattrsOf(history: HistoryReader, { node, seq, attr }: At): Promise<Map<Name, Buffer>> {
  const xattrs = await history.xattrs(node, seq);
  const acl = xattrs.get(ACL_ACCESS);
  return acl ? new Map(xattrs).set(ACL_ACCESS, aclWithMode(acl, attr.mode)) : xattrs;
}

/** Compares two objects, or one at two instants. */
export async function compareObjects(history: HistoryReader, a: At, b: At): Promise<DiffWhat> {
  const what = noDifference();
  what.type = !sameType(a.attr, b.attr);
  what.mode = !isLink(a.attr) && (a.attr.mode & MODE_BITS) !== (b.attr.mode & MODE_BITS);
  what.owner = a.attr.uid !== b.attr.uid;
  what.group = a.attr.gid !== b.attr.gid;
  what.time = a.attr.mtime !== b.attr.mtime;
  const [xa, xb] = await Promise.all([xattrsOf(history, a), xattrsOf(history, b)]);
  for (const name of new Set([...xa.keys(), ...xb.keys()])) {
    const va = xa.get(name);
    const vb = xb.get(name);
    if (va && vb && va.equals(vb)) continue;
    if (isAcl(name)) what.acl = true;
    else what.xattr = true;
  }
  what.content = what.type || !(await sameContent(history, a, b));
  return what;
}

async function sameContent(history: HistoryReader, a: At, b: At): Promise<boolean> {
  if (isLink(a.attr)) {
    return a.node === b.node || (await history.readlink(a.node, a.seq)).equals(await history.readlink(b.node, b.seq));
  }
  if (!isFile(a.attr)) return isDir(a.attr) || a.attr.rdev === b.attr.rdev;
  if (a.attr.size !== b.attr.size) return false;
  // What was not captured is the same only if nothing says otherwise.
  if (hasNoContent(a.attr) || hasNoContent(b.attr)) return a.node === b.node && a.attr.mtime === b.attr.mtime;
  for await (const range of differingRanges(history, a, b)) return range.length === 0;
  return true;
}

/** Where the bytes of two files differ, up to the end of the longer one (the shorter one counts as zeroes), in order. */
export async function* differingRanges(history: HistoryReader, a: At, b: At): AsyncGenerator<ByteRange> {
  const end = Math.max(a.attr.size, b.attr.size);
  const candidates = a.node === b.node ? await suspectRanges(history, a, b) : [{ offset: 0, length: end }];
  let open: ByteRange | null = null;
  for (const candidate of candidates) {
    const stop = Math.min(candidate.offset + candidate.length, end);
    for (let offset = candidate.offset; offset < stop; offset += CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, stop - offset);
      const [da, db] = await Promise.all([readPadded(history, a, offset, length), readPadded(history, b, offset, length)]);
      for (let at = 0; at < length; at += GRAIN_BYTES) {
        const to = Math.min(at + GRAIN_BYTES, length);
        if (da.compare(db, at, to, at, to) === 0) continue;
        if (open && open.offset + open.length === offset + at) {
          open.length += to - at;
        } else {
          if (open) yield open;
          open = { offset: offset + at, length: to - at };
        }
      }
    }
  }
  if (open) yield open;
}

async function suspectRanges(history: HistoryReader, a: At, b: At): Promise<ByteRange[]> {
  const [early, late] = a.seq <= b.seq ? [a, b] : [b, a];
  return early.seq === late.seq ? [] : history.changedRanges(a.node, early.seq, late.seq);
}

async function readPadded(history: HistoryReader, { node, seq, attr }: At, offset: number, length: number): Promise<Buffer> {
  const there = Math.max(0, Math.min(length, attr.size - offset));
  const bytes = there > 0 ? await history.read(node, offset, there, seq) : Buffer.alloc(0);
  return bytes.length === length ? bytes : Buffer.concat([bytes], length);
}
