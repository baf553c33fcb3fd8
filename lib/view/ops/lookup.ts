/** LOOKUP, by the three kinds of directory: the list of points, what a path ever was, a directory of the past. */
import { ROOT, type Name, type NodeId } from '../../history/types.js';
import { nameAt } from '../decode.js';
import { entryOut, noEntryOut } from '../encode.js';
import { instantNamed } from '../instants.js';
import type { ViewGroup } from '../lens.js';
import { livesOf, versionName, versionsIn } from '../lives.js';
import { inoOf, nodeidOf, syntheticNodeid, type Place, type Slot } from '../nodes.js';
import { rememberSize, type Grants, type View } from '../view.js';
import { FOREVER, NAME_MAX } from '../wire.js';
import { ENAMETOOLONG, ENOENT, type Answer, type Operation } from './answer.js';
import { shown, syntheticStatus } from './attributes.js';

/** The name, in the view's root, under which each path shows what it ever was. */
export const PATHS = '~';
/** What the slots of versions, which have no place in a past tree, are named. */
const VERSIONS = '~';
/** For how long the kernel may believe that a group is what it was. */
const GROUP_SECONDS = 1;

export const lookup: Operation = (view, place, request, grants) => {
  const name = nameAt(request.body, 0);
  if (name.length > NAME_MAX) return ENAMETOOLONG;
  if (place.kind === 'object') return inThePast(view, place, name, grants);
  const { path } = place.directory;
  return path ? inPath(view, path, name, grants) : inRoot(view, name, grants);
};

async function inThePast(view: View, place: Extract<Place, { kind: 'object' }>, name: Name, grants: Grants): Promise<Answer> {
  const found = await view.history.lookup(place.node, name, place.slot.seq);
  if (!found) return noEntryOut(FOREVER);
  const { lens } = place.slot;
  if (lens && !(await lens.shows(place.node, [{ name, node: found.node }]))[0]) return noEntryOut(FOREVER);
  grants.add(view.nodes.hold(place.slot));
  return object(view, place.slot, found.node, FOREVER);
}

async function inRoot(view: View, name: Name, grants: Grants): Promise<Answer> {
  if (name === PATHS) return pathDirectory(view, [], grants);
  const { group, instant: expression } = throughGroup(view, name);
  const instant = group === undefined ? null : await instantNamed(view, expression);
  if (!instant) return ENOENT;
  const slot = view.holdSlot(name, instant.seq, group);
  grants.add(slot);
  return object(view, slot, ROOT, group ? Math.min(instant.seconds, GROUP_SECONDS) : instant.seconds);
}

/** `%NAME@TIME`: the instant as that group shows it; undefined: there is no such group. */
function throughGroup(view: View, name: Name): { group: ViewGroup | null | undefined; instant: Name } {
  const parts = /^%([^@]+)(@.*)$/s.exec(name);
  if (!parts) return { group: null, instant: name };
  const group = view.source.group?.(Buffer.from(parts[1]!, 'latin1').toString('utf8'));
  return { group: group ?? undefined, instant: parts[2]! };
}

async function inPath(view: View, path: readonly Name[], name: Name, grants: Grants): Promise<Answer> {
  await view.source.settle();
  if ((await livesOf(view.history, [...path, name])).length > 0) return pathDirectory(view, [...path, name], grants);
  if (!/#\d{1,15}$/.test(name)) return ENOENT;
  const versions = await versionsIn(view.history, await livesOf(view.history, path));
  const version = versions.find((candidate) => versionName(candidate) === name);
  if (!version) return ENOENT;
  const slot = view.holdSlot(VERSIONS, version.seq);
  grants.add(slot);
  return object(view, slot, version.node, view.provisional(version.seq) ? 0 : FOREVER);
}

async function pathDirectory(view: View, path: readonly Name[], grants: Grants): Promise<Answer> {
  const directory = view.nodes.holdPath(path);
  grants.add(directory);
  const { attr, ino, seconds } = await syntheticStatus(view, directory);
  return entryOut({ nodeid: syntheticNodeid(directory), ino, attr, nameSeconds: FOREVER, attrSeconds: seconds });
}

async function object(view: View, slot: Slot, node: NodeId, nameSeconds: number): Promise<Answer> {
  const attr = await view.history.attr(node, slot.seq);
  if (!attr) return ENOENT;
  if (!attr.uncaptured) rememberSize(view, slot.seq, node, attr.size);
  return entryOut({ nodeid: nodeidOf(slot, node), ino: inoOf(node, slot.seq), attr: await shown(view, node, slot.seq, attr), nameSeconds, attrSeconds: FOREVER });
}
