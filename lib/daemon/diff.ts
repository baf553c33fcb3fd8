/** The method `diff`. */
import { diffTrees } from '../recovery/diff.js';
import { diffMembers } from '../recovery/members.js';
import { unifiedDiff } from '../recovery/textdiff.js';
import { stateAt, validPath } from './ask.js';
import { gapsBetween } from './gaps.js';
import { membersOf } from './groups.js';
import type { Methods, PatchFields } from './protocol.js';
import { diffRow, instantRow } from './rows.js';
import type { Session } from './session.js';
import type { HistoryReader } from '../history/reader.js';
import type { Seq } from '../history/types.js';
import type { DiffEntry } from '../recovery/types.js';

export async function* diff(session: Session, args: Methods['diff']['args'], signal: AbortSignal): AsyncGenerator<Methods['diff']['item']> {
  const { history } = session;
  const path = validPath(args.path);
  const to = await stateAt(session, args.to, args, [args.path]);
  const from = await stateAt(session, args.from, args, [args.path]);
  const met = await gapsBetween(history, [path], from.seq, to.seq);
  yield { from: instantRow(from), to: instantRow(to), ...met && { gaps: met } };
  const members = membersOf(session, args.group);
  const options = { paths: path.length === 0 ? undefined : [path] };
  for await (const entry of members ? diffMembers(history, from.seq, to.seq, members, options) : diffTrees(history, from.seq, to.seq, options)) {
    if (signal.aborted) return;
    yield { ...diffRow(entry), ...args.patch && await patchOf(history, entry, from.seq, to.seq, args.terminal ?? false) };
  }
}

/** Text stays text; what is no UTF-8 crosses as base64, so that the patch is exact. */
export async function patchOf(history: HistoryReader, entry: DiffEntry, from: Seq, to: Seq, terminal: boolean): Promise<PatchFields> {
  const content = await unifiedDiff(history, entry, from, to, { terminal });
  if (content === null) return { patch: null };
  if (content.kind !== 'text') return { patch: null, omitted: content.kind };
  const text = content.patch.toString('utf8');
  return Buffer.from(text).equals(content.patch) ? { patch: text } : { patch_base64: content.patch.toString('base64') };
}
