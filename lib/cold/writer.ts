/**
 * Writes cold content. Guarantees: what `append` answers lies on stable storage; nothing that is there already is ever written
 * over; a file is gone on with only if it ends where this history left it, else another is begun, so that a crash, or a copy
 * of the store that went on by itself, costs bytes that nobody names and nothing else.
 */
import { randomBytes } from 'node:crypto';
import { lstat, mkdir, open, type FileHandle } from 'node:fs/promises';
import { RewindError } from '../errors.js';
import type { ColdBook, ColdFile } from '../history/cold/book.js';
import { encodeContentFrame, encodeFileHead } from '../history/cold/file.js';
import type { ColdPlace } from '../history/cold/place.js';
import type { History } from '../history/history.js';
import { native } from '../native.js';
import { safeForTerminal } from '../paths.js';
import { commitBook } from './commit.js';

/** A file that has so many bytes is not gone on with, so that what is dead in it can be given back by and by. */
const FILE_BYTES = 256 << 20;
const TAG_BYTES = 6;

/** A content to be written. */
export interface Cooling { id: number; value: Buffer }

export class ColdWriter {
  /** @param fileBytes see FILE_BYTES */
  constructor(private readonly history: History, private readonly fileBytes = FILE_BYTES) {}

  /** Writes contents to a directory of the policy; `except`: a file that is not written to. The caller commits the book. @throws ERR_COLD_AWAY, ERR_DISK_FULL, ERR_IO */
  async append(directory: string, contents: readonly Cooling[], except: number | null = null): Promise<Map<number, ColdPlace>> {
    const { cold } = this.history.rocks;
    const file = await this.lastFile(directory, except) ?? await this.newFile(directory);
    const places = new Map<number, ColdPlace>();
    await cold.within(file, async (handle, path, known) => {
      const frames: Buffer[] = [];
      let at = known.bytes;
      for (const { id, value } of contents) {
        const frame = encodeContentFrame(file, id, value);
        places.set(id, { file, at, length: frame.length });
        frames.push(frame);
        at += frame.length;
      }
      await written(path, async () => {
        await put(handle, Buffer.concat(frames), known.bytes);
        await handle.sync();
      });
      known.live += at - known.bytes;
      known.bytes = at;
    }, { flags: 'r+' });
    return places;
  }

  /** The newest file there, if it can be gone on with. */
  private async lastFile(directory: string, except: number | null): Promise<number | null> {
    const { cold } = this.history.rocks;
    const own = [...(await cold.book()).files].filter(([number, file]) => number !== except && file.directory === directory && file.gone !== true);
    const last = own.sort(([a], [b]) => b - a)[0];
    if (last === undefined || last[1].bytes >= this.fileBytes) return null;
    const size = await cold.within(last[0], async (handle) => (await handle.stat()).size);
    return size === last[1].bytes ? last[0] : null;
  }

  /** It is in the book before it is on the disk, so that whatever becomes of it is known. */
  private async newFile(directory: string): Promise<number> {
    const { cold } = this.history.rocks;
    const book = await cold.book();
    await this.ready(directory, book);
    for (let number = Math.max(0, ...book.files.keys()) + 1; ; number++) {
      const file: ColdFile = { directory, tag: randomBytes(TAG_BYTES).toString('hex'), bytes: 0, live: 0 };
      book.files.set(number, file);
      await this.commitBook();
      const head = encodeFileHead({ store: await cold.store(), file: number, tag: file.tag });
      const path = await cold.pathOf(directory, number);
      const made = await written(path, () => create(path, head));
      if (!made) {
        book.files.delete(number);
        continue;
      }
      await native.syncPath(await cold.directoryIn(directory));
      file.bytes = head.length;
      await this.commitBook();
      return number;
    }
  }

  /** The directory of the policy is somebody's to make: an empty mount point must not be taken for the disk. */
  private async ready(directory: string, book: ColdBook): Promise<void> {
    const own = await this.history.rocks.cold.directoryIn(directory);
    const isKnown = [...book.files.values()].some((file) => file.directory === directory && file.bytes > 0);
    try {
      if (!isKnown) await mkdir(own, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => { if (error.code !== 'EEXIST') throw error; });
      if (!(await lstat(own)).isDirectory()) throw new Error('it is no directory');
      await native.syncPath(directory);
    } catch (cause) {
      throw new RewindError('ERR_COLD_AWAY', `${safeForTerminal(own)}, where cold content goes, cannot be used: ${(cause as Error).message.split(',')[0]}`, `Attach ${safeForTerminal(directory)}, or make it, or name another directory in [cold] of the policy.`, { cause });
    }
  }

  private async commitBook(): Promise<void> {
    await commitBook(this.history);
    await this.history.rocks.sync();
  }
}

/** Answers whether there was none. */
async function create(path: string, head: Buffer): Promise<boolean> {
  const handle = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return null;
    throw error;
  });
  if (handle === null) return false;
  try {
    await put(handle, head, 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return true;
}

/** All of these bytes. */
export async function put(handle: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
}

/** @throws ERR_DISK_FULL, ERR_IO, and RewindErrors as they are */
export async function written<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    if (cause instanceof RewindError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    const isFull = code === 'ENOSPC' || code === 'EDQUOT';
    throw new RewindError(isFull ? 'ERR_DISK_FULL' : 'ERR_IO', `${safeForTerminal(path)}, which cold content goes to, cannot be written: ${message}`, isFull ? 'Make room on that disk, or name another directory in [cold] of the policy.' : 'Check the disk that holds it.', { cause });
  }
}
