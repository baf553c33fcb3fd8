/** The method `summary`: what changed since an instant, by path and by writer. */
import { summarize } from '../recovery/summary.js';
import { stateAt, validPath } from './ask.js';
import type { Methods, SummaryRow } from './protocol.js';
import { diffRow, instantRow, writerRow } from './rows.js';
import type { Session } from './session.js';

export async function* summary(session: Session, args: Methods['summary']['args']): AsyncGenerator<SummaryRow> {
  const path = validPath(args.path);
  const to = await stateAt(session, 'now', args);
  const from = await stateAt(session, args.since, args);
  yield { from: instantRow(from), to: instantRow(to) };
  const { entries, writers, records } = await summarize(session.history, from.seq, to.seq, path);
  const count = (...statuses: string[]): number => entries.filter(({ entry }) => statuses.includes(entry.status)).length;
  for (const { entry, writers: own } of entries) yield { type: 'path', ...diffRow(entry), writers: own.map(writerRow) };
  for (const sum of writers) yield { type: 'writer', ...sum, writer: sum.writer && writerRow(sum.writer) };
  yield {
    type: 'sum', created: count('created'), modified: count('modified', 'type'), deleted: count('deleted'), renamed: count('renamed'),
    records, writers: writers.length,
  };
}
