/**
 * RocksDB as history needs it: families by name, atomic batches over several families, batched gets, bounded scans.
 * Guarantees: a batch is applied wholly or not at all; `sync` returns after every write acknowledged before it is on
 * stable storage; errors of RocksDB come out as RewindErrors that name the directory. Who reads while it is opened anew waits.
 */
import { existsSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import RocksDB from 'rocksdb-native';
import { RewindError } from '../errors.js';
import { native } from '../native.js';
import { ColdFiles } from './cold/files.js';
import { FAMILIES, familyOptions, type Family } from './families.js';
import { META_DICTIONARY, Zip } from './zip.js';

/** rocksdb-native's constants for a compaction that leaves nothing deleted behind. */
const BLOB_COLLECTION_FORCED = 1;
const BOTTOM_FORCED = 2;

/** What to do about damage. */
const REPAIR = 'Nothing was changed: `rewind repair --dry-run` says what can be saved, `rewind repair` saves it.';

/** A key range; both ends optional. */
export interface Range { gt?: Buffer; gte?: Buffer; lt?: Buffer; lte?: Buffer }
export interface Entry { key: Buffer; value: Buffer }

/** Puts and deletes over several families that take effect together. */
export class Batch {
  bytes = 0;
  count = 0;
  private readonly batch;

  constructor(private readonly root: RocksDB, private readonly sessions: Opened['sessions'], capacity: number) {
    this.batch = root.write({ capacity });
  }

  /**
   * rocksdb-native gives every operation a family of its own, but takes it from the batch's session: the session is
   * changed for the call. test/lib/history/history.ts checks that it still holds and that such a batch is atomic.
   */
  put(family: Family, key: Buffer, value: Buffer): void {
    this.batch._db = this.sessions[family]!;
    this.batch.tryPut(key, value);
    this.bytes += key.length + value.length;
    this.count++;
  }

  /** For who forgets (lib/retention): nothing else of history is ever deleted. */
  delete(family: Family, key: Buffer): void {
    this.batch._db = this.sessions[family]!;
    this.batch.tryDelete(key);
    this.bytes += key.length;
    this.count++;
  }

  /** Applies all of it. The batch cannot be used again. */
  async commit(): Promise<void> {
    this.batch._db = this.root;
    try {
      await this.batch.flush();
    } finally {
      this.end();
    }
  }

  /** Every batch is ended, applied or not, as often as one likes: the database waits for it before it closes. */
  end(): void {
    this.batch._db = this.root;
    this.batch.destroy();
  }
}

/** Without a session: a family that an older program did not make, in a database that is only read. */
interface Opened { db: RocksDB; sessions: Record<Family, RocksDB | null> }

/** Families that databases of older formats do not have. */
const YOUNGEST: readonly Family[] = ['chain'];

interface How { readOnly: boolean; create: boolean }

async function open(directory: string, how: How): Promise<Opened> {
  await expectCurrent(directory);
  try {
    return await openFamilies(directory, how, FAMILIES);
  } catch (error) {
    if (!how.readOnly || !/column family not found/i.test(String((error as Error).cause))) throw error;
    return openFamilies(directory, how, FAMILIES.filter((name) => !YOUNGEST.includes(name)));
  }
}

async function openFamilies(directory: string, { readOnly, create }: How, names: readonly Family[]): Promise<Opened> {
  const families = names.map((name) => new RocksDB.ColumnFamily(name, familyOptions(name)));
  const db = new RocksDB(directory, {
    columnFamilies: families, readOnly, createIfMissing: create,
    createMissingColumnFamilies: !readOnly, maxBackgroundJobs: 2, maxOpenFiles: 1000, writeBufferSize: 1 << 20,
  });
  try {
    await db.ready();
  } catch (error) {
    throw translate(error, directory);
  }
  if (!readOnly) await dropOldLogs(directory);
  const sessions = Object.fromEntries(FAMILIES.map((name): [Family, RocksDB | null] => {
    const i = names.indexOf(name);
    return [name, i < 0 ? null : db.session({ columnFamily: families[i]! })];
  })) as Record<Family, RocksDB | null>;
  return { db, sessions };
}

/** Without CURRENT RocksDB takes a directory for an empty one: it would make a database there, and delete what lies in it. */
async function expectCurrent(directory: string): Promise<void> {
  const names = await readdir(directory).catch((): string[] => []);
  if (names.includes('CURRENT') || !names.some((name) => /^MANIFEST-|\.(sst|blob|log)$/.test(name))) return;
  throw new RewindError('ERR_HISTORY_CORRUPT', `history in ${directory} is damaged: CURRENT is missing`, REPAIR);
}

/** What RocksDB said while it was open before: it would keep a thousand of these. */
async function dropOldLogs(directory: string): Promise<void> {
  const old = (await readdir(directory)).filter((name) => name.startsWith('LOG.old.'));
  await Promise.all(old.map((name) => rm(join(directory, name), { force: true })));
}

/** An opened RocksDB with all families of history. */
export class Rocks {
  /** Pending while it is opened anew, rejected when that failed. */
  private opened: Promise<Opened>;
  private refused = false;
  /** Reads unzip by themselves. */
  zip = new Zip();
  /** What is read is what lies in the database: of content that is cold its place (contents.ts reads what is there). */
  readonly cold = new ColdFiles(this);

  private constructor(readonly directory: string, private current: Opened) {
    this.opened = Promise.resolve(current);
  }

  /** @throws RewindError ERR_NO_STORE, ERR_STORE_LOCKED, ERR_HISTORY_CORRUPT, ERR_DISK_FULL, ERR_IO */
  static async open(directory: string, options: { readOnly: boolean }): Promise<Rocks> {
    const rocks = new Rocks(directory, await open(directory, { readOnly: options.readOnly, create: !options.readOnly }));
    try {
      await rocks.learn();
      return rocks;
    } catch (error) {
      await rocks.close();
      throw error;
    }
  }

  private async learn(): Promise<void> {
    const zip = new Zip();
    for await (const { key, value } of this.scan('meta', { gte: Buffer.from(META_DICTIONARY), lt: Buffer.from(`${META_DICTIONARY}~`) })) zip.learn(key, value);
    this.zip = zip;
  }

  /** The disk was full, or did not answer: RocksDB takes no write any more until it is opened anew, whatever the disk does. */
  get stopped(): boolean {
    return this.refused;
  }

  /** How often it was opened anew. */
  reopened = 0;

  /** Closes and opens; what was read page by page meanwhile fails. Nobody may hold a batch. */
  async reopen(): Promise<void> {
    this.opened = this.opened.catch(() => null).then(async (opened) => {
      await opened?.db.close({ force: true }).catch(() => undefined);  // of a disk that is gone, nothing can be closed in order
      return open(this.directory, { readOnly: false, create: false });
    });
    this.current = await this.opened;
    this.reopened++;
    this.refused = false;
    this.cold.forget();
    await this.learn();
  }

  /** Bytes that RocksDB may write while it opens: what its logs hold goes to tables. @throws ERR_IO when there is nothing to open */
  async reopenBytes(): Promise<number> {
    if (!existsSync(join(this.directory, 'CURRENT'))) throw notThere(this.directory);
    const logs = await Promise.all((await this.logs()).map((name) => stat(join(this.directory, name))));
    return logs.reduce((sum, { size }) => sum + size, 0);
  }

  batch(capacity = 1024): Batch {
    return new Batch(this.current.db, this.current.sessions, capacity);
  }

  async commit(batch: Batch): Promise<void> {
    await this.writing(() => batch.commit());
  }

  private async writing(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      throw this.failed(error);
    }
  }

  private failed(error: unknown): RewindError {
    const translated = translate(error, this.directory);
    this.refused ||= translated.code === 'ERR_DISK_FULL' || translated.code === 'ERR_IO';
    return translated;
  }

  async get(family: Family, key: Buffer): Promise<Buffer | null> {
    return (await this.getMany(family, [key]))[0]!;
  }

  /** Values in the order of their keys, null where there is none; one trip for all. */
  async getMany(family: Family, keys: Buffer[]): Promise<(Buffer | null)[]> {
    if (keys.length === 0) return [];
    const session = (await this.opened).sessions[family];
    if (session === null) return keys.map(() => null);
    const batch = session.read({ capacity: keys.length });
    const values = keys.map((key) => batch.get(key));
    batch.tryFlush();
    try {
      return (await Promise.all(values)).map((value) => value && this.zip.unzip(family, value));
    } catch (error) {
      await Promise.allSettled(values);
      throw this.failed(error);
    } finally {
      batch.destroy();
    }
  }

  /** The first entry of a range (the last with reverse), or null. */
  async peek(family: Family, range: Range, reverse = false): Promise<Entry | null> {
    let first: Entry | null = null;
    // To its end, which comes with the entry: a scan that is left before is an error to rocksdb-native, with a stack of its own.
    for await (const entry of this.scan(family, range, { reverse, limit: 1, capacity: 2 })) first = entry;
    return first;
  }

  /** The entries of a range in order; breaking out of the loop ends the scan. `stored`: values as they lie there (zip.ts). */
  async *scan(
    family: Family, range: Range, options: { reverse?: boolean; limit?: number; capacity?: number; values?: boolean; stored?: boolean } = {},
  ): AsyncGenerator<Entry> {
    try {
      const session = (await this.opened).sessions[family];
      if (session === null) return;
      for await (const entry of session.iterator(range, { capacity: 256, ...options })) {
        if (options.values !== false && options.stored !== true) entry.value = this.zip.unzip(family, entry.value);
        yield entry;
      }
    } catch (error) {
      throw this.failed(error);
    }
  }

  /**
   * Returns after all that was committed before is on stable storage. Every write-ahead log is synced, not only the
   * newest: an older one still counts until all families that it covers are flushed.
   */
  async sync(): Promise<void> {
    const gone = (error: NodeJS.ErrnoException & { errno?: number }) => { if (error.errno !== 2 && error.code !== 'ENOENT') throw error; };
    // After a sync that failed the kernel holds for clean what is not on the disk: only what is read and written anew gets there.
    await this.writing(async () => {
      await Promise.all([...(await this.logs()).map((name) => native.syncPath(join(this.directory, name)).catch(gone)), native.syncPath(this.directory)]);
    });
  }

  private async logs(): Promise<string[]> {
    return (await readdir(this.directory)).filter((name) => name.endsWith('.log'));
  }

  /** Writes all families' buffers to tables, so that the write-ahead logs stay short. */
  async flush(): Promise<void> {
    await this.writing(async () => {
      for (const name of FAMILIES) await this.current.sessions[name]!.flush();
    });
  }

  /** Rewrites a family without what was deleted from it, its blob files too: the room comes back. Reads go on. */
  async compact(family: Family): Promise<void> {
    await this.writing(async () => {
      await this.current.sessions[family]!.flush();
      await this.current.sessions[family]!.compactRange(null, null, { blobGarbageCollectionPolicy: BLOB_COLLECTION_FORCED, blobGarbageCollectionAgeCutoff: 1, bottommostLevelCompaction: BOTTOM_FORCED });
    });
  }

  async property(family: Family, name: string): Promise<string | number | null> {
    return (await this.opened).sessions[family]?.getProperty(name) ?? null;
  }

  async close(): Promise<void> {
    await this.opened.then(({ db }) => db.close({ force: true }), () => undefined);
  }
}

function notThere(directory: string, cause?: unknown): RewindError {
  return new RewindError('ERR_IO', `there is no history in ${directory} any more`, 'Bring back the disk of the store.', { cause });
}

function ioError(directory: string, text: string, cause: unknown): RewindError {
  return new RewindError('ERR_IO', `history in ${directory}: ${text}`, 'Check the disk that holds the store.', { cause });
}

/** How RocksDB ends what it says when the disk has not done what it was to do; names of files before it mean nothing. */
const DISK_FAILED = /: (input\/output error|read-only file system|stale file handle|remote i\/o error|no such device( or address)?)$/i;

/** What RocksDB says, as an error that a person can act on. */
function translate(error: unknown, directory: string): RewindError {
  if (error instanceof RewindError) return error;
  const cause = (error as { cause?: unknown }).cause ?? (error as AggregateError).errors?.find((one: unknown) => one) ?? error;
  const text = cause instanceof Error ? cause.message : String(cause);
  const options = { cause };
  if (/no space left|quota exceeded/i.test(text)) return new RewindError('ERR_DISK_FULL', `no room left for history in ${directory}: ${text}`, 'Make room on that disk.', options);
  if (DISK_FAILED.test(text)) return ioError(directory, text, cause);
  if (/LOCK|lock hold/.test(text)) return new RewindError('ERR_STORE_LOCKED', `history in ${directory} is open in another process: ${text}`, 'Use the daemon that holds it, or stop that first.', options);
  if (/CURRENT: No such file|does not exist \(create_if_missing/.test(text)) return new RewindError('ERR_NO_STORE', `there is no history in ${directory}`, 'Name the store with --store.', options);
  if (/No such file/.test(text) && !existsSync(directory)) return notThere(directory, cause);
  if (/permission denied/i.test(text)) return new RewindError('ERR_NO_PERMISSION', `history in ${directory} cannot be opened: ${text}`, 'Run as the owner of the store.', options);
  if (/corrupt|checksum|does not end with newline|MANIFEST|mismatch|truncated|bad magic|No such file/i.test(text)) {
    return new RewindError('ERR_HISTORY_CORRUPT', `history in ${directory} is damaged: ${text}`, REPAIR, options);
  }
  return ioError(directory, text, cause);
}
