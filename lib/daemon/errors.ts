/** What the native layer and RocksDB reject with, as errors that a person can act on. */
import { getSystemErrorName } from 'node:util';
import { RewindError } from '../errors.js';
import type { JournalStats } from '../native.js';
import type { MountPlan } from '../store/prepare.js';
import type { StoreLayout } from '../store/layout.js';
import { formatTimeUtc } from '../time/format.js';

/** An error of opening journal or history. */
export function storeOpenError(error: unknown, layout: StoreLayout): Error {
  if (error instanceof RewindError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ERR_JOURNAL_CORRUPT') {
    return new RewindError('ERR_JOURNAL_CORRUPT', `${layout.journal}: ${message}`, 'What lies before the place named is whole: `rewind repair` brings it into history and goes on without the rest.', { cause: error });
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new RewindError('ERR_DISK_FULL', `${layout.root}: ${message}`, 'Free space on the disk of the store.', { cause: error });
  }
  if (/corrupt|checksum mismatch|Bad table magic|MANIFEST|CURRENT/i.test(message)) {
    return new RewindError('ERR_HISTORY_CORRUPT', `${layout.history}: ${message}`, '`rewind repair` reads what can be read into a new database; nothing was changed.', { cause: error });
  }
  return error as Error;
}

/** Why the walk of a mounted tree did not come to its end. */
export function walkError(error: NodeJS.ErrnoException, mountpoint: string): RewindError {
  if (error.code === 'ECANCELED') return new RewindError('ERR_NOT_MOUNTED', `${mountpoint} was unmounted before all of it was in history`, 'Mount it again: it goes on.', { cause: error });
  return new RewindError('ERR_BASELINE_FAILED', `What lay in ${mountpoint} at the mount could not be brought into history: ${error.message}`,
    'Mend the cause, unmount and mount again: it goes on where it ended. Earlier instants can be asked for.', { cause: error });
}

/** Why changes are made and not recorded; null while they are. */
export function gapFailure({ gap }: Pick<JournalStats, 'gap'>): RewindError | null {
  if (gap === null) return null;
  const error = getSystemErrorName(-gap.errno);
  return new RewindError(error === 'ENOSPC' || error === 'EDQUOT' ? 'ERR_DISK_FULL' : 'ERR_IO',
    `Changes are NOT RECORDED since ${formatTimeUtc(gap.sinceNs)} (${error}; ${gap.records} so far): the policy says on_full = "work"`,
    'Make room on the disk of the store, or mend it: recording goes on by itself, and begins with what has changed. Where that disk was away, `rewind unmount` and `rewind mount` the tree.');
}

/** Why no change is taken any more; null while all is well, or changes are made unrecorded. */
export function journalFailure({ failedErrno, gap }: Pick<JournalStats, 'failedErrno' | 'gap'>): RewindError | null {
  if (failedErrno === 0 || gap !== null) return null;
  return new RewindError('ERR_IO', `The journal cannot be written (${getSystemErrorName(-failedErrno)}): every change of the tree fails with EIO`,
    'Look at the disk of the store, then unmount and mount again: what was acknowledged is kept.');
}

/** Why changes are refused for now; null while they are taken. */
export function refusal({ refusedErrno, gap }: Pick<JournalStats, 'refusedErrno' | 'gap'>): RewindError | null {
  if (refusedErrno === 0 || gap !== null) return null;
  const name = getSystemErrorName(-refusedErrno);
  if (name === 'ENOSPC' || name === 'EDQUOT') {
    return new RewindError('ERR_DISK_FULL', `The disk of the store has no room for changes (${name}): they fail with ENOSPC`, 'Make room on that disk: changes are taken again by themselves.');
  }
  return new RewindError('ERR_IO', `The disk of the store takes no changes (${name}): they fail with EIO`, 'Mend that disk: changes are taken again by themselves.');
}

/** An error of mounting. */
export function mountError(error: unknown, plan: MountPlan): Error {
  const known = storeOpenError(error, plan.store.layout);
  if (known instanceof RewindError) return known;
  const { syscall, message } = error as NodeJS.ErrnoException;
  const reason = message.replace(/^ERR_\w+: /, '');
  return new RewindError('ERR_MOUNT_FAILED', `${plan.mountpoint} cannot be mounted: ${syscall ? `${syscall}: ` : ''}${reason}`,
    'As another user than root the mountpoint must be yours and /etc/fuse.conf may matter; `dmesg` may say more.', { cause: error });
}
