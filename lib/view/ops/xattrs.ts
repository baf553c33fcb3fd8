/**
 * GETXATTR and LISTXATTR. The kernel decides who may read an attribute, and asks for the access ACL itself before it
 * grants anything (invariant I8); it leaves only the list of names to us.
 */
import type { Name, NodeId, Seq } from '../../history/types.js';
import { ACCESS_ACL, aclWithMode } from '../acl.js';
import { getxattrIn, listxattrIn } from '../decode.js';
import { numberOut } from '../encode.js';
import { LruMap } from '../lru.js';
import type { Place } from '../nodes.js';
import { objectKey, type View } from '../view.js';
import { ENODATA, ERANGE, type Answer, type Operation } from './answer.js';

/** `ls -l` asks for the ACL of each file: one search tells for this many nodes, neighbours in time of birth, that they have none. */
const NODES_AT_ONCE = 1024;
const NONE: ReadonlyMap<Name, Buffer> = new Map();

const stretchKey = (seq: Seq, node: NodeId): string => objectKey(seq, node - (node % NODES_AT_ONCE));

/** Is it known already that it has none? Then the answer needs no waiting. */
function hasNone(view: View, place: Place): boolean {
  if (place.kind !== 'object') return true;
  const nodes = view.xattrNodes.get(stretchKey(place.slot.seq, place.node));
  return nodes !== undefined && nodes !== 'many' && !nodes.has(place.node);
}

async function xattrsOf(view: View, place: Place): Promise<ReadonlyMap<Name, Buffer>> {
  if (place.kind !== 'object') return NONE;
  const { slot, node } = place;
  await searchStretch(view, slot.seq, node);
  if (hasNone(view, place)) return NONE;
  return LruMap.remember(view.xattrs, `${slot.index}:${objectKey(slot.seq, node)}`, () => view.history.xattrs(node, slot.seq));
}

/** Not for a state that may still grow. */
async function searchStretch(view: View, seq: Seq, node: NodeId): Promise<void> {
  const key = stretchKey(seq, node);
  if (!view.history.xattrNodes || view.provisional(seq) || view.xattrNodes.get(key) !== undefined) return;
  const from = node - (node % NODES_AT_ONCE);
  view.xattrNodes.set(key, (await view.history.xattrNodes(from, from + NODES_AT_ONCE)) ?? 'many');
}

/** The value, or its length when there is no room for one. */
function sized(value: Buffer, room: number): Answer {
  if (room === 0) return numberOut(value.length);
  return value.length > room ? ERANGE : value;
}

export const getxattr: Operation = (view, place, request) => {
  const { room, name } = getxattrIn(request.body);
  return hasNone(view, place) ? ENODATA : getOne(view, place, room, name);
};

async function getOne(view: View, place: Place, room: number, name: Name): Promise<Answer> {
  const value = (await xattrsOf(view, place)).get(name);
  if (!value || place.kind !== 'object') return ENODATA;
  if (name !== ACCESS_ACL) return sized(value, room);
  const attr = await view.history.attr(place.node, place.slot.seq);
  return attr ? sized(aclWithMode(value, attr.mode), room) : ENODATA;
}

export const listxattr: Operation = async (view, place, request) => {
  const room = listxattrIn(request.body);
  const names = [...(await xattrsOf(view, place)).keys()].filter((name) => request.uid === 0 || !name.startsWith('trusted.'));
  return sized(Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1'), room);
};
