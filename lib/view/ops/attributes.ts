/** GETATTR, STATX, READLINK, STATFS. */
import type { NodeAttr, NodeId, Seq } from '../../history/types.js';
import { attrOut, statfsOut, statxOut, type ShownAttr } from '../encode.js';
import { LruMap } from '../lru.js';
import { inoOf, syntheticIno, type Place, type Synthetic } from '../nodes.js';
import { objectKey, type View } from '../view.js';
import { FOREVER, S_IFDIR, S_IFMT, S_IFREG, type U64 } from '../wire.js';
import { ENOENT, EINVAL, type Operation } from './answer.js';
import { readable } from './data.js';

/** Every path through the view asks for its root: so long a listing of points may be out of date. */
const SYNTHETIC_SECONDS = 0.1;

/** Holes of smaller files are not worth a search. */
const HOLES_FROM_BYTES = 1 << 20;

/** An object's attributes, its inode number, and the seconds for which they hold. */
export interface Status {
  attr: ShownAttr;
  ino: U64;
  seconds: number;
}

/**
 * A directory of the view itself. That of a path shows names whatever the directories above permitted at the time, so
 * only the view's owner may enter it (invariant I8). Its times are those of the newest record, so that the kernel sees
 * when a listing that it keeps is out of date.
 */
export async function syntheticStatus(view: View, directory: Synthetic): Promise<Status> {
  const time = (await view.history.range())?.last.timeNs ?? 0n;
  const mode = S_IFDIR | (directory.path ? 0o500 : 0o555);
  const attr = { mode, ...view.owner, nlink: 2, size: 0, rdev: 0n, atime: time, mtime: time, ctime: time, btime: time };
  return { attr, ino: syntheticIno(directory.key), seconds: SYNTHETIC_SECONDS };
}

/** The data of a file with holes is counted, so that `du`, `cp --sparse` and `tar -S` see holes as such. */
export async function shown(view: View, node: NodeId, seq: Seq, attr: NodeAttr): Promise<ShownAttr> {
  if ((attr.mode & S_IFMT) !== S_IFREG || attr.size < HOLES_FROM_BYTES) return attr;
  const ranges = await LruMap.remember(view.dataRanges, objectKey(seq, node), () => view.history.dataRanges(node, seq));
  return { ...attr, held: ranges.reduce((sum, { offset, length }) => sum + Math.min(length, attr.size - offset), 0) };
}

/** What is known of a place, or null when history has nothing there. */
export async function statusOf(view: View, place: Place): Promise<Status | null> {
  if (place.kind === 'synthetic') return syntheticStatus(view, place.directory);
  const attr = await view.history.attr(place.node, place.slot.seq);
  return attr && { attr: await shown(view, place.node, place.slot.seq, attr), ino: inoOf(place.node, place.slot.seq), seconds: FOREVER };
}

export const getattr: Operation = async (view, place) => {
  const status = await statusOf(view, place);
  return status ? attrOut(status.attr, status.ino, status.seconds) : ENOENT;
};

export const statx: Operation = async (view, place) => {
  const status = await statusOf(view, place);
  return status ? statxOut(status.attr, status.ino, status.seconds) : ENOENT;
};

export const readlink: Operation = (view, place) => {
  if (place.kind !== 'object') return EINVAL;
  const { slot, node } = place;
  const target = () => view.history.readlink(node, slot.seq);
  return slot.lens ? readable(slot.lens, node, target) : target();
};

export const statfs: Operation = () => statfsOut();
