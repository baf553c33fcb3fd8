/**
 * Every error of rewindfs: a stable `code` (a heading in docs/errors.md, held together by a test), the path or place
 * concerned in the message, and a `hint` that says what to do.
 */
export type ErrorCode =
  | 'ERR_USAGE'
  | 'ERR_NOT_FOUND' | 'ERR_NOT_A_DIRECTORY' | 'ERR_NO_PERMISSION' | 'ERR_ALREADY_MOUNTED' | 'ERR_NOT_MOUNTED' | 'ERR_BUSY'
  | 'ERR_SNAPSHOTS_NAME_TAKEN' | 'ERR_UNSUPPORTED_FILE_SYSTEM' | 'ERR_MOUNT_INSIDE' | 'ERR_STORE_INSIDE_TREE' | 'ERR_TREE_INSIDE_STORE'
  | 'ERR_NO_STORE' | 'ERR_STORE_OF_OTHER_TREE' | 'ERR_STORE_FORMAT' | 'ERR_STORE_LOCKED' | 'ERR_STORE_CORRUPT'
  | 'ERR_JOURNAL_CORRUPT' | 'ERR_HISTORY_CORRUPT' | 'ERR_HISTORY_BEHIND' | 'ERR_NO_CHAIN' | 'ERR_COLD_AWAY'
  | 'ERR_TIME_SYNTAX' | 'ERR_TIME_RANGE' | 'ERR_TIME_THINNED' | 'ERR_POINT_UNKNOWN' | 'ERR_POINT_NAME'
  | 'ERR_NEVER_EXISTED' | 'ERR_NOT_THEN'
  | 'ERR_ARCHIVE_FORMAT' | 'ERR_ARCHIVE_CUT' | 'ERR_ARCHIVE_CORRUPT' | 'ERR_ARCHIVE_BASE'
  | 'ERR_NO_FUSE' | 'ERR_NO_FUSERMOUNT' | 'ERR_MOUNT_FAILED' | 'ERR_BASELINE_FAILED' | 'ERR_DAEMON_DEAD' | 'ERR_DAEMON_START' | 'ERR_DAEMON_TALK'
  | 'ERR_NO_OVERLAY' | 'ERR_FORK_UNKNOWN' | 'ERR_BISECT_ENDS' | 'ERR_BISECT_TEST' | 'ERR_BISECT_STATE'
  | 'ERR_POLICY' | 'ERR_GROUP_UNKNOWN' | 'ERR_NOT_CAPTURED' | 'ERR_PURGED' | 'ERR_PINNED' | 'ERR_NOT_RECOVERED'
  | 'ERR_WRITER_UNKNOWN' | 'ERR_SESSION_UNKNOWN' | 'ERR_TRANSACTION_UNKNOWN' | 'ERR_NOTHING_TO_UNDO' | 'ERR_NOT_INTERRUPTED' | 'ERR_CONFLICTS' | 'ERR_INCOMPLETE' | 'ERR_COMMAND'
  | 'ERR_DISK_FULL' | 'ERR_NEWER_CHANGES' | 'ERR_PARTLY_DONE' | 'ERR_REFUSED' | 'ERR_EXISTS' | 'ERR_IO';

/** An error that a person or program can act on. */
export class RewindError extends Error {
  override readonly name = 'RewindError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    /** What to do about it, in one sentence. */
    readonly hint: string = '',
    options: { cause?: unknown } = {},
  ) {
    super(message, options);
  }
}
