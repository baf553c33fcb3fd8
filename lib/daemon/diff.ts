/** The method `diff`. */
import { diffTrees } from '../recovery/diff.js';
import { instantAt, validPath } from './ask.js';
import type { DiffRow, InstantRow, Methods } from './protocol.js';
import { diffRow, instantRow } from './rows.js';
import type { Session } from './session.js';

export async function* diff(session: Session, args: Methods['diff']['args'], signal: AbortSignal): AsyncGenerator<{ from: InstantRow; to: InstantRow } | DiffRow> {
  const { history } = session;
  const path = validPath(args.path);
  const to = await instantAt(session, args.to, args);
  const from = await instantAt(session, args.from, args);
  yield { from: instantRow(from), to: instantRow(to) };
  for await (const entry of diffTrees(history, from.seq, to.seq, { paths: path.length === 0 ? undefined : [path] })) {
    if (signal.aborted) return;
    yield diffRow(entry);
  }
}
