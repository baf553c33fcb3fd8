/** What is known at the beginning of a mount to be missing from history, or to become so: each is a gap (invariant I10). */
import type { Journal, JournalState } from '../native.js';
import type { HistoryReader } from '../history/reader.js';
import { safeForTerminal, showPath } from '../paths.js';
import type { User } from '../store/users.js';
import type { LostFiles } from './on-disk.js';

/** Number of native/journal/format.h `Kind`. */
const KIND_GAP = 4;

/**
 * Tells of what the end of the last session left in the journal. Whole records that could not be reached are a gap: they
 * were changes of the tree, and history does not have them.
 */
export async function noteCut({ lastSeq, cutBytes, stranded }: JournalState, journal: Pick<Journal, 'append'>, tell?: (what: string, error: unknown) => void): Promise<void> {
  if (stranded === null) {
    if (cutBytes > 0) tell?.('The journal ended in a record that was not whole', new Error(`${cutBytes} bytes were cut behind #${lastSeq}`));
    return;
  }
  const { kept, lastSeq: last } = stranded;
  tell?.('The machine stopped before all of the journal was on the disk', new Error(`what lay behind #${lastSeq}, up to #${last}, is kept in ${kept}`));
  await journal.append(KIND_GAP, Buffer.from(JSON.stringify({ reason: 'crash', note: 'changes that the disk has only in part', first: lastSeq + 1, last, kept })));
}

/** So many are named. */
const MOST_NAMED = 10;

/** Files that hold less than was written to them, since the machine stopped before their content was on the disk: history has it. */
export async function noteLost({ nodes, seq }: LostFiles, history: HistoryReader, journal: Pick<Journal, 'append'>, tell?: (what: string, error: unknown) => void): Promise<void> {
  if (nodes.length === 0) return;
  const paths = await Promise.all(nodes.slice(0, MOST_NAMED).map((node) => history.pathOf(node, seq)));
  const files = paths.map((path) => (path === null ? 'unknown' : showPath(path)));
  tell?.('The machine stopped before all content was on the disk of the tree', new Error(`${nodes.length} files, among them ${files.map(safeForTerminal).join(', ')}; what was written to them is in history, up to #${seq}`));
  await journal.append(KIND_GAP, Buffer.from(JSON.stringify({ reason: 'lost-content', note: 'content that had not reached the disk of the tree', count: nodes.length, files, last: seq })));
}

/** Programs that have a file of the tree open since before the mount write to it past us: what they write is a gap. */
export async function noteUsers(users: User[], journal: Pick<Journal, 'append'>): Promise<void> {
  const writing = users.filter((user) => user.writing);
  if (writing.length === 0) return;
  const programs = writing.map(({ pid, command }) => ({ pid, command }));
  await journal.append(KIND_GAP, Buffer.from(JSON.stringify({ reason: 'past-the-mount', note: 'files that were open for writing before the mount', programs })));
}
