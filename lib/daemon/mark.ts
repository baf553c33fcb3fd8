/** Points that we make: a record of kind `mark` in the journal, like every other change. */
import type { HistoryReader } from '../history/reader.js';
import type { PointPhase, Seq } from '../history/types.js';
import type { Journal } from '../native.js';
import type { PointDraft } from '../states/recorder.js';
import { RewindError } from '../errors.js';
import { formatTimeUtc } from '../time/format.js';
import { readsAsTime } from '../time/resolve.js';
import type { PointRow } from './protocol.js';
import { pointRow } from './rows.js';
import type { LiveTree, Session } from './session.js';

/** Number of native/journal/format.h `Kind`. */
const KIND_MARK = 5;

const NAME = /^[\p{L}\p{N}_][\p{L}\p{N}_.-]{0,127}$/u;

/** @throws ERR_POINT_NAME for what could not be used in place of a time */
export async function checkPointName(name: string): Promise<void> {
  if (NAME.test(name) && !await readsAsTime(name)) return;
  throw new RewindError('ERR_POINT_NAME', `${JSON.stringify(name)} cannot name a point`, 'Use letters, digits and . _ - and nothing that reads as a time, like before-upgrade.');
}

/** A point of this instant. */
export interface Mark { kind: PointRow['kind']; name?: string; note: string; detail?: object; phase?: PointPhase; pinned?: boolean }

/** Where points are written, and what tells their times. */
export interface Points { journal: Journal; history: Pick<HistoryReader, 'timeOf'> }

/** Appends a point that names an instant of before; history shows it later. */
export async function appendPoint({ journal, history }: Points, { at, ...point }: PointDraft): Promise<void> {
  const timeNs = await history.timeOf(at);
  await journal.append(KIND_MARK, Buffer.from(JSON.stringify({ ...point, at, at_time: String(timeNs ?? 0n) })));
}

/** Appends a point, and waits until history shows it. */
export async function addMark(session: Session, live: LiveTree, { kind, name = '', note, ...more }: Mark): Promise<PointRow> {
  const { seq, timeNs } = await live.journal.append(KIND_MARK, Buffer.from(JSON.stringify({ kind, name, note, ...more })));
  live.pointMade(seq);
  await session.settle();
  const point = (await session.history.points()).find((candidate) => candidate.id === seq);
  return point ? pointRow(point) : { id: 0, seq, time: formatTimeUtc(timeNs), kind, name, note, ...more.pinned && { pinned: true } };
}

/** Says of a point whether it is kept whatever is forgotten, and waits until history shows it. */
export async function pinPoint(session: Session, { journal }: LiveTree, pins: Seq, pinned: boolean): Promise<void> {
  await journal.append(KIND_MARK, Buffer.from(JSON.stringify({ kind: 'pin', pins, pinned })));
  await session.settle();
}
