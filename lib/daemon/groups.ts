/** Groups of the policy file, as methods ask for them. */
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { Name, NodeId, Seq } from '../history/types.js';
import { safeForTerminal } from '../paths.js';
import type { Group } from '../policy/groups.js';
import { isDir } from '../recovery/compare.js';
import { memberTree, type Members } from '../recovery/members.js';
import { nearestNames } from '../time/nearest.js';
import type { GroupRow } from './protocol.js';
import type { Session } from './session.js';

/** @throws ERR_GROUP_UNKNOWN naming the nearest */
export function groupNamed(session: Pick<Session, 'policy'>, name: string): Group {
  const { groups } = session.policy.policy;
  const found = groups.find((group) => group.name === name);
  if (found) return found;
  const near = nearestNames(name, groups.map((group) => group.name));
  const known = groups.length === 0 ? 'There is none: a [[group]] in the policy file makes one (rewind policy edit).' : `There are: ${groups.map((group) => group.name).join(', ')}.`;
  throw new RewindError('ERR_GROUP_UNKNOWN', `No group is named ${safeForTerminal(JSON.stringify(name))}`, near.length > 0 ? `Did you mean ${near.join(' or ')}?` : known);
}

/** null when no group is asked for: everything belongs to it. */
export function membersOf(session: Pick<Session, 'policy'>, name: string | undefined): Members | null {
  if (name === undefined) return null;
  const group = groupNamed(session, name);
  return (path, directory) => group.has(Buffer.from(path.join('/'), 'latin1'), directory);
}

/** Is what a listing shows of a node a member, at its path or at the one that it came from? */
export async function isMember(history: HistoryReader, members: Members, { path, from, node, seq }: { path: Name[] | null; from?: Name[]; node: NodeId; seq: Seq }): Promise<boolean> {
  for (const one of [path, from]) {
    if (!one) continue;
    const as = [members(one, false), members(one, true)];
    if (as[0] === as[1]) {
      if (as[0]) return true;
      continue;
    }
    const attr = await history.attr(node, seq);
    if (as[Number(attr !== null && isDir(attr))]) return true;
  }
  return false;
}

/** Of what lay at a path: the members, with the directories that lead to them. @throws ERR_NOT_THEN when there was none */
export async function membersThen(session: Session, name: string | undefined, path: Name[], at: Seq): Promise<ReadonlySet<string> | undefined> {
  const members = membersOf(session, name);
  if (!members) return undefined;
  const found = await memberTree(session.history, path, at, members);
  if (found.size > 0) return found;
  throw new RewindError('ERR_NOT_THEN', `The group ${safeForTerminal(String(name))} had no member there at #${at}`, '`rewind policy show` says what belongs to it.');
}

export function groupRow({ name, note, include, exclude, everyMs, view }: Group): GroupRow {
  return { name: safeForTerminal(name), note: safeForTerminal(note), include: include.map(safeForTerminal), exclude: exclude.map(safeForTerminal), every_s: everyMs === null ? null : everyMs / 1000, view };
}
