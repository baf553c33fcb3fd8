/** What is known at the beginning of a mount to be missing from history, or to become so: each is a gap (invariant I10). */
import type { Journal, JournalState } from '../native.js';
import type { User } from '../store/users.js';

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

/** Programs that have a file of the tree open since before the mount write to it past us: what they write is a gap. */
export async function noteUsers(users: User[], journal: Pick<Journal, 'append'>): Promise<void> {
  const writing = users.filter((user) => user.writing);
  if (writing.length === 0) return;
  const programs = writing.map(({ pid, command }) => ({ pid, command }));
  await journal.append(KIND_GAP, Buffer.from(JSON.stringify({ reason: 'past-the-mount', note: 'files that were open for writing before the mount', programs })));
}
