/**
 * What a RocksDB manifest says of the files beside it (db/version_edit.h): which tables there are, of which family and with
 * which keys, which are there no more, and from which log on a family needs what is not in tables yet. Guarantee: of a
 * manifest that is damaged, what its whole records say is answered, and that it is not all.
 */
import { Damaged, RawReader } from './bytes.js';
import { readLog } from './logfile.js';

export interface TableMeta { number: number; family: number; size: number; smallest: Buffer; largest: Buffer }

export interface Manifest {
  /** All of it could be read. */
  whole: boolean;
  /** Identity of the database. */
  id: string;
  /** Names of families by id. */
  families: Map<number, string>;
  /** By number. */
  tables: Map<number, TableMeta>;
  /** Numbers of tables that are not in use any more. */
  gone: Set<number>;
  blobs: Set<number>;
  /** By family id. */
  logs: Map<number, number>;
}

const Tag = {
  Comparator: 1, LogNumber: 2, NextFile: 3, LastSequence: 4, CompactCursor: 5, DeletedFile: 6, PreviousLog: 9, OldestLog: 10, NewFile4: 103,
  Family: 200, FamilyAdd: 201, FamilyDrop: 202, LargestFamily: 203, Group: 300, BlobAdded: 400, BlobGarbage: 401, Id: 8193,
} as const;
/** Tags with this bit are of a length and so many bytes, and may be passed over. */
const IGNORABLE = 1 << 13;
/** Bytes of seq and type at the end of an internal key. */
export const TRAILER_BYTES = 8;

/** The records of one edit, gathered: its family may be named behind what is said of it. */
interface Edit { family: number; added: TableMeta[]; deleted: number[]; log: number | null; name: string | null }

export function readManifest(file: Buffer): Manifest {
  const manifest: Manifest = { whole: false, id: '', families: new Map([[0, 'default']]), tables: new Map(), gone: new Set(), blobs: new Set(), logs: new Map() };
  const { records, ended } = readLog(file);
  try {
    for (const record of records) apply(manifest, new RawReader(record));
    manifest.whole = ended === 'whole' && records.length > 0;
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
  }
  return manifest;
}

function apply(manifest: Manifest, from: RawReader): void {
  const edit: Edit = { family: 0, added: [], deleted: [], log: null, name: null };
  while (from.more) read(manifest, edit, from);
  if (edit.name !== null) manifest.families.set(edit.family, edit.name);
  if (edit.log !== null) manifest.logs.set(edit.family, edit.log);
  // A table that moves to another level is taken out and put in by one edit.
  for (const number of edit.deleted) {
    manifest.tables.delete(number);
    manifest.gone.add(number);
  }
  for (const table of edit.added) {
    manifest.tables.set(table.number, { ...table, family: edit.family });
    manifest.gone.delete(table.number);
  }
}

function read(manifest: Manifest, edit: Edit, from: RawReader): void {
  const tag = from.varint();
  switch (tag) {
    case Tag.Comparator: from.slice(); return;
    case Tag.LogNumber: edit.log = from.varint(); return;
    case Tag.NextFile: case Tag.LastSequence: case Tag.PreviousLog: case Tag.OldestLog: case Tag.LargestFamily: case Tag.Group: from.varint(); return;
    case Tag.CompactCursor: from.varint(); from.slice(); return;
    case Tag.DeletedFile: from.varint(); edit.deleted.push(from.varint()); return;
    case Tag.NewFile4: edit.added.push(newFile(from)); return;
    case Tag.Family: edit.family = from.varint(); return;
    case Tag.FamilyAdd: edit.name = from.slice().toString('latin1'); return;
    case Tag.FamilyDrop: return;
    case Tag.BlobAdded: manifest.blobs.add(from.varint()); from.varint(); from.varint(); from.slice(); from.slice(); fields(from, 0); return;
    case Tag.BlobGarbage: from.varint(); from.varint(); from.varint(); fields(from, 0); return;
    case Tag.Id: manifest.id = from.slice().toString('latin1'); return;
    default:
      if ((tag & IGNORABLE) === 0) throw new Damaged(`a manifest entry of unknown kind ${tag}`);
      from.slice();
  }
}

function newFile(from: RawReader): TableMeta {
  from.varint();
  const [number, size] = [from.varint(), from.varint()];
  const [smallest, largest] = [userKey(from.slice()), userKey(from.slice())];
  from.varint();
  from.varint();
  fields(from, 1);
  return { number, family: 0, size, smallest, largest };
}

/** Fields of later versions, up to the one that ends them. */
function fields(from: RawReader, last: number): void {
  while (from.varint() !== last) from.slice();
}

/** An internal key without what RocksDB adds to it. */
export function userKey(key: Buffer): Buffer {
  if (key.length < TRAILER_BYTES) throw new Damaged(`a key of ${key.length} bytes`);
  return key.subarray(0, key.length - TRAILER_BYTES);
}
