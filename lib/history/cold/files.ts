/**
 * Cold content, read from its files. Guarantees: a value is answered only if its frame has the checksum that it was written
 * with, and is the content that was asked for; a file that is not there, or is none of this history, is told by
 * ERR_COLD_AWAY, one that is damaged by ERR_HISTORY_CORRUPT with the place; no file stays open, so that its disk can go.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { RewindError } from '../../errors.js';
import { safeForTerminal } from '../../paths.js';
import type { Family } from '../families.js';
import { Broken } from '../frame.js';
import { META_STORE } from '../meta.js';
import { corrupt } from '../values.js';
import { decodeBook, emptyBook, encodeBook, META_COLD, type ColdBook, type ColdFile } from './book.js';
import { decodeFileHead, encodeFileHead, LEAST_FRAME, MOST_FILE_HEAD, MOST_FRAME, valueIn, type ColdOwner } from './file.js';
import { coldPlaceOf, type ColdPlace } from './place.js';

/** What of a database is asked. */
interface Asked { get(family: Family, key: Buffer): Promise<Buffer | null> }
/** A content, and the reference that stands for it. */
export interface ColdWanted { id: number; reference: Buffer }

/** Of a history that was made without a store. */
const NO_STORE = '0'.repeat(32);
const DIGITS = 4;

export class ColdFiles {
  private known: Promise<ColdBook> | null = null;
  private owner: Promise<string> | null = null;

  constructor(private readonly rocks: Asked) {}

  /** Which files there are; whoever changes it writes it, too. */
  book(): Promise<ColdBook> {
    this.known ??= this.rocks.get('meta', META_COLD).then((value) => (value === null ? emptyBook() : decodeBook(value)));
    this.known.catch(() => { this.known = null; });
    return this.known;
  }

  /** The book as it is now, for a batch. */
  async encoded(): Promise<Buffer> {
    return encodeBook(await this.book());
  }

  /** What is known was read before the database was opened anew. */
  forget(): void {
    this.known = null;
  }

  /** Contents that are about to go: their bytes count no more. */
  async drop(places: readonly ColdPlace[]): Promise<void> {
    const { files } = await this.book();
    for (const { file, length } of places) {
      const known = files.get(file);
      if (known !== undefined) known.live -= length;
    }
  }

  /** Id of the store, in hexadecimal. */
  store(): Promise<string> {
    return this.owner ??= this.rocks.get('meta', META_STORE).then((id) => id?.toString('hex') ?? NO_STORE);
  }

  /** The directory of this store's files in one of the policy. */
  async directoryIn(directory: string): Promise<string> {
    return join(directory, await this.store());
  }

  async pathOf(directory: string, file: number): Promise<string> {
    return join(await this.directoryIn(directory), `${String(file).padStart(DIGITS, '0')}.rwc`);
  }

  /** Where the first frame of a content begins. */
  async beginOf(file: number, { tag }: Pick<ColdFile, 'tag'>): Promise<number> {
    return encodeFileHead({ store: await this.store(), file, tag }).length;
  }

  /** The values that references stand for. @throws ERR_COLD_AWAY, ERR_HISTORY_CORRUPT, ERR_IO */
  async values(wanted: readonly ColdWanted[]): Promise<Map<number, Buffer>> {
    const byFile = new Map<number, (ColdWanted & ColdPlace)[]>();
    for (const one of wanted) {
      const place = coldPlaceOf(one.reference)!;
      byFile.set(place.file, [...byFile.get(place.file) ?? [], { ...one, ...place }]);
    }
    const found = new Map<number, Buffer>();
    for (const [file, own] of byFile) {
      await this.within(file, async (handle, path) => {
        await Promise.all(own.map(async (one) => { found.set(one.id, await valueAt(handle, path, one)); }));
      }, { frames: true });
    }
    return found;
  }

  /**
   * Does something with an open file of this history. `frames`: only what tells itself what it is will be read, so that a damaged
   * beginning is no reason not to. @throws ERR_COLD_AWAY, ERR_HISTORY_CORRUPT and what `act` throws
   */
  async within<T>(file: number, act: (handle: FileHandle, path: string, known: ColdFile) => Promise<T>, { flags = 'r', frames = false } = {}): Promise<T> {
    const known = (await this.book()).files.get(file);
    if (known === undefined) throw away(`history does not know any more where file ${file} of its cold content lies`, 'the directory of the cold files', undefined);
    const path = await this.pathOf(known.directory, file);
    const handle = await open(path, flags).catch((cause: Error) => { throw away(`${safeForTerminal(path)}, which holds cold content, cannot be opened: ${cause.message.split(',')[0]}`, known.directory, cause); });
    try {
      await expectOwn(handle, path, known.directory, { store: await this.store(), file, tag: known.tag }, frames);
      return await act(handle, path, known);
    } finally {
      await handle.close();
    }
  }

  /** The numbers of files that are not there, and why. */
  async missing(): Promise<Map<number, RewindError>> {
    const missing = new Map<number, RewindError>();
    for (const [file, { gone }] of (await this.book()).files) {
      if (gone !== true) await this.within(file, async () => undefined).catch((error: RewindError) => missing.set(file, error));
    }
    return missing;
  }
}

async function valueAt(handle: FileHandle, path: string, { id, reference, file, at, length }: ColdWanted & ColdPlace): Promise<Buffer> {
  if (length < LEAST_FRAME || length > MOST_FRAME) throw corrupt(`content ${id} in a frame of ${length} bytes`);
  const { buffer, bytesRead } = await readAt(handle, path, at, length);
  if (bytesRead < length) throw damagedCold(path, at, `it ends after ${bytesRead} of ${length} bytes`);
  try {
    return valueIn(buffer, file, id, reference);
  } catch (error) {
    if (error instanceof Broken) throw damagedCold(path, at, error.message);
    throw error;
  }
}

/** @throws ERR_IO */
export async function readAt(handle: FileHandle, path: string, at: number, length: number): Promise<{ buffer: Buffer; bytesRead: number }> {
  try {
    return await handle.read(Buffer.allocUnsafe(length), 0, length, at);
  } catch (cause) {
    throw new RewindError('ERR_IO', `${safeForTerminal(path)}, which holds cold content, cannot be read at byte ${at}: ${(cause as Error).message}`, 'Check the disk that holds it.', { cause });
  }
}

/** @throws ERR_COLD_AWAY when it is another file; ERR_HISTORY_CORRUPT when it does not say which, unless frames tell */
async function expectOwn(handle: FileHandle, path: string, directory: string, owner: ColdOwner, frames: boolean): Promise<void> {
  const { buffer, bytesRead } = await readAt(handle, path, 0, MOST_FILE_HEAD);
  let there: ColdOwner;
  try {
    there = decodeFileHead(buffer.subarray(0, bytesRead));
  } catch (error) {
    if (frames) return;
    throw damagedCold(path, 0, error instanceof Broken ? error.message : 'its beginning cannot be read');
  }
  if (there.store !== owner.store) throw away(`${safeForTerminal(path)} belongs to store ${safeForTerminal(there.store)}, expected ${owner.store}`, directory, undefined);
  if (there.file !== owner.file || there.tag !== owner.tag) throw away(`${safeForTerminal(path)} is another file than this history wrote: a copy of the store went on by itself there`, directory, undefined);
}

/** Does a cold file lie where nobody can read it now, and nothing else is wrong? */
export const isAway = (error: unknown): boolean => error instanceof RewindError && error.code === 'ERR_COLD_AWAY';

function away(what: string, directory: string, cause: unknown): RewindError {
  return new RewindError('ERR_COLD_AWAY', what, `Attach ${safeForTerminal(directory)}, or name in [cold] of the policy where it is now. All else of history can be read.`, { cause });
}

/** What a cold file cannot hold. */
export const damagedCold = (path: string, at: number, what: string): RewindError => corrupt(`cold content that is damaged: ${safeForTerminal(path)} at byte ${at}: ${what}`);
