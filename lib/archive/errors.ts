/** Errors of archives: what was expected of which file, what is there, and where. */
import { RewindError } from '../errors.js';
import { isDamage } from '../history/values.js';
import { safeForTerminal } from '../paths.js';
import { Broken } from './format.js';

/** What lies in an archive cannot be what was written. */
export function damaged(file: string, at: number | null, what: string, cause?: unknown): RewindError {
  return new RewindError('ERR_ARCHIVE_CORRUPT', `${safeForTerminal(file)} is damaged: ${what}${at === null ? '' : `, at byte ${at}`}`,
    'Take another copy of it. What is not damaged can still be read: `rewind view` shows it.', { cause });
}

/** Runs what reads bytes at a place of an archive. @throws ERR_ARCHIVE_CORRUPT for whatever they cannot mean */
export function reading<T>(file: string, at: number | null, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Broken) throw damaged(file, at, error.message, error);
    if (isDamage(error)) throw damaged(file, at, 'what lies there ends too early, or is no number or name that can be', error);
    throw error;
  }
}
