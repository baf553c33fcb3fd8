/**
 * A database that RocksDB does not open, or not read to its end, read file by file into a new one. Guarantees: the old one
 * is not written to; an entry is taken only with right checksums, and of equal keys the newest; what may be lost is told.
 */
import type { Family } from '../history/families.js';
import { FAMILIES } from '../history/families.js';
import { META_FOLD } from '../history/meta.js';
import type { Rocks } from '../history/rocks.js';
import { Bulk } from './bulk.js';
import type { Losses } from './losses.js';
import { reason } from './raw/bytes.js';
import { RawDirectory, type Logged } from './raw/directory.js';
import { Type, type RawEntry } from './raw/entry.js';
import type { Table } from './raw/table.js';

export interface Salvaged {
  entries: number;
  /** The newest `fold` of which everything before it is there; null when there is none, or no cut has to be made. */
  fold: Buffer | null;
  /** Why the newest changes may be missing. */
  cut: string | null;
}

export async function salvage(from: string, into: Rocks, storeId: Buffer, losses: Losses): Promise<Salvaged> {
  const directory = await RawDirectory.open(from);
  try {
    const tables = await directory.tables(losses);
    const logged = await directory.logged(storeId);
    const families = familyIds(directory, tables);
    const bulk = new Bulk(into);
    let entries = 0;
    for (const family of FAMILIES) {
      const ofLogs = fromLogs(logged, families.get(family)!, directory.manifest?.logs.get(families.get(family)!) ?? 0);
      for await (const entry of newest([...(tables.get(family) ?? []).map((table) => ofTable(table, family, losses)), ofLogs])) {
        if (entry.type === Type.Deletion) continue;
        const value = entry.type === Type.BlobIndex ? await directory.blob(entry).catch((error: unknown) => {
          losses.add(family, entry.key, entry.key, reason(error));
          return null;
        }) : entry.value;
        if (value === null) continue;
        entries++;
        await bulk.put(family, entry.key, value);
      }
    }
    await bulk.end();
    return { entries, cut: logged.why, fold: logged.brokenAt === null ? null : await foldBefore(logged.brokenAt, tables.get('meta') ?? [], logged, families.get('meta')!) };
  } finally {
    await directory.close();
  }
}

/** What tables and manifest say; else families have the numbers in which they were made. */
function familyIds({ manifest }: RawDirectory, tables: Map<Family, Table[]>): Map<Family, number> {
  const ids = new Map<Family, number>(FAMILIES.map((family, i) => [family, i + 1]));
  for (const [id, name] of manifest?.families ?? []) if (ids.has(name as Family)) ids.set(name as Family, id);
  for (const [family, some] of tables) ids.set(family, some[0]!.family.id);
  return ids;
}

async function* ofTable(table: Table, family: Family, losses: Losses): AsyncGenerator<RawEntry> {
  for await (const entry of table.entries()) {
    if ('why' in entry) losses.add(family, entry.after, entry.upTo, entry.why);
    else yield entry;
  }
}

/** Of one family, in the order of keys, the newest first; what is in tables by now is left out. */
async function* fromLogs({ batches }: Logged, id: number, since: number): AsyncGenerator<RawEntry> {
  const entries = batches.filter(({ file }) => file >= since).flatMap(({ batch }) => batch.operations.filter(({ family }) => family === id).map(({ entry }) => entry));
  yield* entries.sort(inOrder);
}

const inOrder = (a: RawEntry, b: RawEntry): number => a.key.compare(b.key) || b.sequence - a.sequence;

interface Source { entry: RawEntry; rest: AsyncGenerator<RawEntry> }

/** Several sources as one in the order of keys, each key with its newest entry only. */
async function* newest(generators: readonly AsyncGenerator<RawEntry>[]): AsyncGenerator<RawEntry> {
  const sources: Source[] = [];
  const enter = async (rest: AsyncGenerator<RawEntry>): Promise<void> => {
    const next = await rest.next();
    if (next.done === true) return;
    // Sorted, the first last: what comes next is popped.
    let [low, high] = [0, sources.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (inOrder(sources[middle]!.entry, next.value) > 0) low = middle + 1;
      else high = middle;
    }
    sources.splice(low, 0, { entry: next.value, rest });
  };
  for (const generator of generators) await enter(generator);
  let last: Buffer | null = null;
  for (let source = sources.pop(); source !== undefined; source = sources.pop()) {
    const { entry, rest } = source;
    if (last === null || !entry.key.equals(last)) yield entry;
    last = entry.key;
    await enter(rest);
  }
}

/** The newest state of the fold that was written before a sequence. */
async function foldBefore(sequence: number, tables: readonly Table[], { batches }: Logged, meta: number): Promise<Buffer | null> {
  let best: RawEntry | null = null;
  const consider = (entry: RawEntry): void => {
    if (entry.key.equals(META_FOLD) && entry.type === Type.Value && entry.sequence < sequence && entry.sequence >= (best?.sequence ?? 0)) best = entry;
  };
  for (const table of tables) for await (const entry of table.entries()) if (!('why' in entry)) consider(entry);
  for (const { batch } of batches) for (const { family, entry } of batch.operations) if (family === meta) consider(entry);
  return (best as RawEntry | null)?.value ?? null;
}
