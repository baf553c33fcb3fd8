/**
 * The files of a RocksDB directory, opened to be read as far as they can be. Guarantees: nothing is written; a table that
 * the manifest says is not in use, or that another database wrote, is left out; one that is missing or cannot be opened is
 * told with the keys that it held, where that is known.
 */
import { open, readdir, readFile, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { FAMILIES, type Family } from '../../history/families.js';
import type { Losses } from '../losses.js';
import { readBatch, type LoggedBatch } from './batch.js';
import { blobPlace, readBlob } from './blob.js';
import { Damaged, reason } from './bytes.js';
import type { RawEntry } from './entry.js';
import { readLog } from './logfile.js';
import { strangerIn } from './owner.js';
import { readManifest, type Manifest } from './manifest.js';
import { Table } from './table.js';

/** What the write-ahead logs hold, up to where they can be read one after the other. */
export interface Logged {
  batches: { file: number; batch: LoggedBatch }[];
  /** First sequence that is not there, when more was. */
  brokenAt: number | null;
  /** Why it goes no further. */
  why: string | null;
}

export class RawDirectory {
  private readonly handles: FileHandle[] = [];
  private readonly blobs = new Map<number, FileHandle | null>();

  private constructor(private readonly path: string, private readonly names: readonly string[], readonly manifest: Manifest | null, private readonly identity: string) {}

  static async open(path: string): Promise<RawDirectory> {
    const names = await readdir(path);
    const identity = await readFile(join(path, 'IDENTITY'), 'latin1').then((text) => text.trim(), () => '');
    return new RawDirectory(path, names, await newestManifest(path, names, identity), identity);
  }

  /** Tables by family. */
  async tables(losses: Losses): Promise<Map<Family, Table[]>> {
    const found = new Map<Family, Table[]>();
    const sizes = new Map<number, number>();
    for (const number of this.numbersOf('sst')) {
      if (this.manifest?.gone.has(number) === true) continue;
      sizes.set(number, number);
      const opened = await this.table(number);
      if (typeof opened !== 'string') found.set(opened.family, [...found.get(opened.family) ?? [], opened.table]);
      else this.lose(number, opened, losses);
    }
    for (const number of this.manifest?.whole === true ? this.manifest.tables.keys() : []) if (!sizes.has(number)) this.lose(number, 'it is missing', losses);
    return found;
  }

  private async table(number: number): Promise<{ family: Family; table: Table } | string> {
    const name = this.names.find((one) => one.endsWith('.sst') && Number.parseInt(one, 10) === number)!;
    try {
      const known = this.manifest?.tables.get(number);
      if (known !== undefined && (await stat(join(this.path, name))).size !== known.size) throw new Damaged('it has not the size that it had');
      const table = await Table.open(await this.file(name));
      if (this.identity !== '' && table.database !== '' && table.database !== this.identity && this.manifest?.id !== table.database) throw new Damaged('another database wrote it');
      const family = familyOf(table.family.name || this.manifest?.families.get(table.family.id));
      if (family === null) throw new Damaged(`it is of a family ${table.family.name}, which history has not`);
      return { family, table };
    } catch (error) {
      return reason(error);
    }
  }

  private lose(number: number, why: string, losses: Losses): void {
    const known = this.manifest?.tables.get(number);
    const family = known === undefined ? null : familyOf(this.manifest!.families.get(known.family));
    // The default family is never written to.
    if (known !== undefined && family === null) return;
    losses.add(family, known?.smallest ?? null, known?.largest ?? null, `table ${number}: ${why}`);
  }

  /** @param storeId a batch of another store ends them */
  async logged(storeId: Buffer): Promise<Logged> {
    const logged: Logged = { batches: [], brokenAt: null, why: null };
    const numbers = this.numbersOf('log');
    const expected = Math.max(0, ...this.manifest?.logs.values() ?? []);
    const isUsed = this.manifest !== null || this.numbersOf('sst').length > 0;
    if (isUsed && numbers.every((number) => number < expected)) logged.why = 'the newest write-ahead log is missing';
    let next: number | null = null;
    for (const number of numbers) {
      const { records, ended } = readLog(await this.whole(`${String(number).padStart(6, '0')}.log`));
      for (const record of records) {
        try {
          const batch = readBatch(record);
          const stranger = strangerIn(batch, storeId);
          if (stranger !== null) throw new Damaged(`a batch of store ${stranger}`);
          if (next !== null && batch.sequence !== next) throw new Damaged(`a batch ${batch.sequence} where ${next} was expected`);
          logged.batches.push({ file: number, batch });
          next = batch.sequence + batch.count;
        } catch (error) {
          return { ...logged, brokenAt: next, why: `write-ahead log ${number}: ${reason(error)}` };
        }
      }
      if (ended !== 'whole') return { ...logged, brokenAt: next, why: `write-ahead log ${number}: ${ended === 'cut' ? 'it ends within a batch' : ended.why}` };
    }
    return logged;
  }

  private async whole(name: string): Promise<Buffer> {
    return await readFile(join(this.path, name)).catch(() => Buffer.alloc(0));
  }

  /** The value of an entry that lies in a blob file. @throws Damaged */
  async blob({ key, value }: RawEntry): Promise<Buffer> {
    const place = blobPlace(value);
    let file = this.blobs.get(place.file);
    if (file === undefined) {
      const name = this.names.find((one) => one.endsWith('.blob') && Number.parseInt(one, 10) === place.file);
      file = name === undefined ? null : await this.file(name);
      this.blobs.set(place.file, file);
    }
    if (file === null) throw new Damaged(`blob file ${place.file} is missing`);
    return await readBlob(file, key, place);
  }

  private async file(name: string): Promise<FileHandle> {
    const handle = await open(join(this.path, name), 'r').catch((error: NodeJS.ErrnoException) => { throw new Damaged(`it cannot be opened (${error.code})`); });
    this.handles.push(handle);
    return handle;
  }

  private numbersOf(kind: string): number[] {
    return this.names.filter((name) => new RegExp(`^\\d+\\.${kind}$`).test(name)).map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b);
  }

  async close(): Promise<void> {
    await Promise.all(this.handles.map((handle) => handle.close()));
  }
}

const familyOf = (name: string | undefined): Family | null => FAMILIES.find((family) => family === name) ?? null;

/** The newest manifest of this database from which anything can be read. */
async function newestManifest(path: string, names: readonly string[], identity: string): Promise<Manifest | null> {
  const numbered = names.filter((name) => /^MANIFEST-\d+$/.test(name)).sort((a, b) => Number(b.slice(9)) - Number(a.slice(9)));
  for (const name of numbered) {
    const manifest = readManifest(await readFile(join(path, name)).catch(() => Buffer.alloc(0)));
    const own = manifest.id === '' || identity === '' || manifest.id === identity;
    if (manifest.families.size > 1 && own) return manifest;
  }
  return null;
}
