/** Points that we make: a record of kind `mark` in the journal, like every other change. */
import { formatTimeUtc } from '../time/format.js';
import type { PointRow } from './protocol.js';
import { pointRow } from './rows.js';
import type { LiveTree, Session } from './session.js';

/** Number of native/journal/format.h `Kind`. */
const KIND_MARK = 5;

/** Appends a point, and waits until history shows it. */
export async function addMark(session: Session, live: LiveTree, kind: PointRow['kind'], name: string, note: string): Promise<PointRow> {
  const { seq, timeNs } = await live.journal.append(KIND_MARK, Buffer.from(JSON.stringify({ kind, name, note })));
  await session.settle();
  const point = (await session.history.points()).find((candidate) => candidate.seq === seq);
  return point ? pointRow(point) : { id: 0, seq, time: formatTimeUtc(timeNs), kind, name, note };
}
