/**
 * The control socket's wire: HTTP over a unix socket, POST /v1/<method> with JSON arguments. The answer is a line of
 * JSON for each item (or bytes), and ends with the trailer `rewind-end`: `ok`, or the error as JSON. An answer
 * without it was cut off. What fails before the first item has no status of success, and the error as its body, too.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { dirname, basename } from 'node:path';
import { RewindError, type ErrorCode } from '../errors.js';

/** Name of the trailer that closes every answer. */
export const END_TRAILER = 'rewind-end';
/** Longest path that sockaddr_un takes (unix(7)), without its final zero. */
const MAX_SOCKET_PATH = 107;

/** An error as it crosses the socket. */
export interface WireError { code: string; message: string; hint: string }

export function toWire(error: unknown): WireError {
  if (error instanceof RewindError) return { code: error.code, message: error.message, hint: error.hint };
  const { code, message } = error as NodeJS.ErrnoException;
  return { code: 'ERR_IO', message: `${message ?? String(error)}${code !== undefined && !message?.includes(code) ? ` (${code})` : ''}`, hint: '' };
}

export function fromWire(error: WireError): RewindError {
  return new RewindError(error.code as ErrorCode, error.message, error.hint);
}

/** Header values are latin1 without line ends: JSON with everything else escaped. */
export function encodeTrailer(error: WireError): string {
  return JSON.stringify(error).replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The status of an answer that is nothing but an error (RFC 9110). */
export function httpStatus(code: string): number {
  switch (code) {
    case 'ERR_USAGE': case 'ERR_TIME_SYNTAX': case 'ERR_POINT_NAME': case 'ERR_POLICY': case 'ERR_DAEMON_TALK':
      return 400;
    case 'ERR_NO_PERMISSION':
      return 403;
    case 'ERR_NEVER_EXISTED': case 'ERR_NOT_THEN': case 'ERR_TIME_RANGE': case 'ERR_POINT_UNKNOWN': case 'ERR_WRITER_UNKNOWN': case 'ERR_SESSION_UNKNOWN':
    case 'ERR_FORK_UNKNOWN': case 'ERR_TRANSACTION_UNKNOWN': case 'ERR_NOT_FOUND': case 'ERR_NOT_CAPTURED':
      return 404;
    case 'ERR_NOT_MOUNTED': case 'ERR_BUSY': case 'ERR_NEWER_CHANGES': case 'ERR_CONFLICTS': case 'ERR_INCOMPLETE': case 'ERR_REFUSED': case 'ERR_EXISTS':
    case 'ERR_NOTHING_TO_UNDO':
      return 409;
    case 'ERR_DISK_FULL':
      return 507;
    default:
      return 500;
  }
}

/** Gives `use` a path to the socket that is short enough, however deep the store lies. */
export async function withSocketPath<T>(socket: string, use: (path: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(socket) <= MAX_SOCKET_PATH) return await use(socket);
  const directory = openSync(dirname(socket), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return await use(`/proc/self/fd/${directory}/${basename(socket)}`);
  } finally {
    closeSync(directory);
  }
}
