/**
 * A rollback that forgets what it rolled back. Guarantees: a pinned instant in it stops it before anything is done; what is
 * forgotten waits in the trash as all else that is; the instant that was gone back to, and all before it, stay.
 */
import { RewindError } from '../errors.js';
import type { Seq } from '../history/types.js';
import type { Part } from '../recovery/types.js';
import { discard, pinnedInstants } from '../retention/trash.js';
import { formatTimeUtc } from '../time/format.js';
import { pinPoint } from './mark.js';
import type { WorkRow } from './protocol.js';
import type { LiveTree, Session } from './session.js';

/** The instant that history is to end at. @throws ERR_USAGE, ERR_PINNED */
export async function discardedAfter({ keeper }: Session, parts: readonly Part[]): Promise<Seq> {
  const [part] = parts;
  if (part === undefined || parts.length > 1 || part.path.length > 0) throw new RewindError('ERR_USAGE', 'Only a rollback of the whole tree can forget what came later', 'Name no path, or leave out --discard-after.');
  const pinned = (await pinnedInstants(keeper.history)).find((seq) => seq > part.to);
  if (pinned !== undefined) throw new RewindError('ERR_PINNED', `#${pinned} is pinned, and lies in what would be forgotten`, `Let it go first: rewind unpin "#${pinned}"`);
  return part.to;
}

/** Forgets all between an instant and now. The point before the rollback goes with it: taking the rollback back would need it. */
export async function* discardAfter(session: Session, live: LiveTree, to: Seq): AsyncGenerator<WorkRow> {
  const { history } = session.keeper;
  for (const { id, seq, pinned } of await history.points()) if (pinned && seq > to) await pinPoint(session, live, id, false);
  const trashed = await discard(history, [{ from: to, to: await session.settle() }], 'rollback', Date.now(), session.keeper.rules.trashMs);
  if (trashed) yield { type: 'discarded', after: to, until: formatTimeUtc(trashed.untilNs) };
}
