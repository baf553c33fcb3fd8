/** Exit codes: one switch, never reused for another meaning (docs/cli.md lists them). */
import { RewindError } from '../lib/errors.js';

export const EXIT_OK = 0;
export const EXIT_PARTLY = 3;
export const EXIT_INTEGRITY = 14;
export const EXIT_INTERRUPTED = 130;

/** The exit code that an error ends the program with. */
export function exitCode(error: unknown): number {
  if (!(error instanceof RewindError)) return 1;
  if (error.code === 'ERR_COMMAND') return commandExitCode(error.cause);
  switch (error.code) {
    case 'ERR_USAGE': case 'ERR_TIME_SYNTAX': case 'ERR_POINT_NAME': case 'ERR_POLICY':
      return 2;
    case 'ERR_PARTLY_DONE': case 'ERR_CONFLICTS':
      return EXIT_PARTLY;
    case 'ERR_NO_STORE':
      return 10;
    case 'ERR_STORE_LOCKED':
      return 11;
    case 'ERR_NEWER_CHANGES': case 'ERR_INCOMPLETE':
      return 13;
    case 'ERR_STORE_CORRUPT': case 'ERR_JOURNAL_CORRUPT': case 'ERR_HISTORY_CORRUPT': case 'ERR_HISTORY_BEHIND': case 'ERR_ARCHIVE_CORRUPT': case 'ERR_ARCHIVE_CUT':
      return EXIT_INTEGRITY;
    default:
      return 1;
  }
}

/** As shells say it. */
function commandExitCode(cause: unknown): number {
  if ((cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return 127;
  return 126;
}
