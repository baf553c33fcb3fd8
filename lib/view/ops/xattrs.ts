/**
 * GETXATTR and LISTXATTR. The kernel decides who may read an attribute, and asks for the access ACL itself before it
 * grants anything (invariant I8); it leaves only the list of names to us.
 */
import type { Name } from '../../history/types.js';
import { ACCESS_ACL, aclWithMode } from '../acl.js';
import { getxattrIn, listxattrIn } from '../decode.js';
import { numberOut } from '../encode.js';
import { LruMap } from '../lru.js';
import type { Place } from '../nodes.js';
import { objectKey, type View } from '../view.js';
import { ENODATA, ERANGE, type Answer, type Operation } from './answer.js';

function xattrsOf(view: View, place: Place): Promise<Map<Name, Buffer>> {
  if (place.kind !== 'object') return Promise.resolve(new Map());
  const { slot, node } = place;
  return LruMap.remember(view.xattrs, objectKey(slot.seq, node), () => view.history.xattrs(node, slot.seq));
}

/** The value, or its length when there is no room for one. */
function sized(value: Buffer, room: number): Answer {
  if (room === 0) return numberOut(value.length);
  return value.length > room ? ERANGE : value;
}

export const getxattr: Operation = async (view, place, request) => {
  const { room, name } = getxattrIn(request.body);
  const value = (await xattrsOf(view, place)).get(name);
  if (!value || place.kind !== 'object') return ENODATA;
  if (name !== ACCESS_ACL) return sized(value, room);
  const attr = await view.history.attr(place.node, place.slot.seq);
  return attr ? sized(aclWithMode(value, attr.mode), room) : ENODATA;
};

export const listxattr: Operation = async (view, place, request) => {
  const room = listxattrIn(request.body);
  const names = [...(await xattrsOf(view, place)).keys()].filter((name) => request.uid === 0 || !name.startsWith('trusted.'));
  return sized(Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1'), room);
};
