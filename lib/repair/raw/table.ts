/**
 * A RocksDB table (table/format.h, block-based, format 6, as history is written) read block by block. Guarantees: an entry
 * is answered only of a block whose checksum is right; a block that is damaged costs its own keys only, and the range that
 * these lie in is told.
 */
import type { FileHandle } from 'node:fs/promises';
import { Damaged, RawReader, safe } from './bytes.js';
import { blockChecksum } from './checksum.js';
import type { RawEntry } from './entry.js';
import { TRAILER_BYTES } from './manifest.js';

const FOOTER_BYTES = 53;
const MAGIC = 0x88e241b785f4cff7n;
const EXTENDED_MAGIC = Buffer.from('3e007a00', 'hex');
const FORMAT = 6;
const XXH3 = 4;
const BLOCK_TRAILER_BYTES = 5;
/** No block of ours is that long: who says so is damaged. */
const MOST_BLOCK_BYTES = 64 << 20;

/** Keys after `after` and not after `upTo`; null: without end. */
export interface KeyRange { after: Buffer | null; upTo: Buffer | null }
/** Keys that a damaged part held, and why they cannot be read. */
export interface LostRange extends KeyRange { why: string }

interface Handle { offset: number; size: number }
interface IndexEntry extends Handle { upTo: Buffer }

export class Table {
  private constructor(private readonly file: FileHandle, private readonly base: number, private readonly index: readonly IndexEntry[],
    /** Id and name of its family, and the identity of the database that wrote it. */
    readonly family: { id: number; name: string }, readonly database: string) {}

  /** @throws Damaged when its footer, index or properties cannot be read */
  static async open(file: FileHandle): Promise<Table> {
    const { size } = await file.stat();
    const footer = await readAt(file, size - FOOTER_BYTES, FOOTER_BYTES);
    if (footer.readBigUInt64LE(FOOTER_BYTES - 8) !== MAGIC || footer.readUInt32LE(FOOTER_BYTES - 12) !== FORMAT || footer[0] !== XXH3 || !footer.subarray(1, 5).equals(EXTENDED_MAGIC)) throw new Damaged('no footer of a table');
    const sealed = Buffer.from(footer);
    sealed.fill(0, 5, 9);
    const base = footer.readUInt32LE(9);
    if (footer.readUInt32LE(5) !== blockChecksum(sealed.subarray(0, -1), sealed.at(-1)!, base, size - FOOTER_BYTES)) throw new Damaged('a footer with a wrong checksum');
    const metaBytes = footer.readUInt32LE(13);
    const meta = namesIn(await readBlock(file, base, { offset: size - FOOTER_BYTES - BLOCK_TRAILER_BYTES - metaBytes, size: metaBytes }));
    const properties = namesIn(await readBlock(file, base, handleOf(meta, 'rocksdb.properties')));
    const text = (name: string): string => properties.get(name)?.toString('latin1') ?? '';
    const familyId = properties.get('rocksdb.column.family.id');
    if (familyId === undefined) throw new Damaged('no family named');
    const [userKeys, deltas] = ['rocksdb.index.key.is.user.key', 'rocksdb.index.value.is.delta.encoded'].map((name) => new RawReader(properties.get(name) ?? Buffer.from([0])).varint() === 1);
    const index = indexIn(await readBlock(file, base, handleOf(meta, 'rocksdb.index')), userKeys!, deltas!);
    return new Table(file, base, index, { id: new RawReader(familyId).varint(), name: text('rocksdb.column.family.name') }, text('rocksdb.creating.db.identity'));
  }

  /** Its entries in order; a range in place of a block that is damaged. */
  async *entries(): AsyncGenerator<RawEntry | LostRange> {
    let after: Buffer | null = null;
    for (const handle of this.index) {
      try {
        yield* entriesIn(await readBlock(this.file, this.base, handle));
      } catch (error) {
        if (!(error instanceof Damaged)) throw error;
        yield { after, upTo: handle.upTo, why: error.message };
      }
      after = handle.upTo;
    }
  }
}

async function readAt(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  if (at < 0 || bytes > MOST_BLOCK_BYTES) throw new Damaged(`${bytes} bytes at ${at}`);
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, at).catch((error: NodeJS.ErrnoException) => {
    throw new Damaged(`a read that fails (${error.code})`);
  });
  if (bytesRead < bytes) throw new Damaged(`only ${bytesRead} of ${bytes} bytes at ${at}`);
  return buffer;
}

/** A block without its trailer. */
async function readBlock(file: FileHandle, base: number, { offset, size }: Handle): Promise<Buffer> {
  const bytes = await readAt(file, offset, size + BLOCK_TRAILER_BYTES);
  const block = bytes.subarray(0, size);
  const compression = bytes[size]!;
  if (bytes.readUInt32LE(size + 1) !== blockChecksum(block, compression, base, offset)) throw new Damaged(`a block with a wrong checksum at ${offset}`);
  if (compression !== 0) throw new Damaged(`a block that is compressed as ${compression}, which history does not do`);
  return block;
}

/** Where the entries of a block end and its restart points begin. */
function entriesEnd(block: Buffer): number {
  if (block.length < 4) throw new Damaged(`a block of ${block.length} bytes`);
  const restarts = block.readUInt32LE(block.length - 4) & 0x7fff_ffff;
  const end = block.length - 4 - 4 * restarts;
  if (end < 0) throw new Damaged(`a block of ${restarts} restart points`);
  return end;
}

/** Keys with values of any length, each key given by what differs from the one before. */
function* pairsIn(block: Buffer, valueOf: (from: RawReader, bytes: number, isFirst: boolean) => Buffer, isSized: boolean): Generator<[Buffer, Buffer]> {
  const from = new RawReader(block, 0, entriesEnd(block));
  let last: Buffer = Buffer.alloc(0);
  while (from.more) {
    const [shared, own] = [from.varint(), from.varint()];
    const bytes = isSized ? from.varint() : 0;
    if (shared > last.length) throw new Damaged('a key that goes on from more than there is');
    const key = Buffer.concat([last.subarray(0, shared), from.take(own)]);
    yield [key, valueOf(from, bytes, shared === 0)];
    last = key;
  }
}

const sized = (from: RawReader, bytes: number): Buffer => from.take(bytes);

function namesIn(block: Buffer): Map<string, Buffer> {
  return new Map([...pairsIn(block, sized, true)].map(([key, value]) => [key.toString('latin1'), value]));
}

function handleOf(meta: Map<string, Buffer>, name: string): Handle {
  const value = meta.get(name);
  if (value === undefined) throw new Damaged(`no ${name}`);
  const from = new RawReader(value);
  return { offset: from.varint(), size: from.varint() };
}

function indexIn(block: Buffer, userKeys: boolean, deltas: boolean): IndexEntry[] {
  const entries: IndexEntry[] = [];
  let last: Handle = { offset: 0, size: 0 };
  const valueOf = (from: RawReader, bytes: number, isFirst: boolean): Buffer => {
    const value = deltas ? from : new RawReader(from.take(bytes));
    if (!deltas || isFirst) {
      last = { offset: value.varint(), size: value.varint() };
    } else {
      const step = value.varint();
      last = { offset: last.offset + last.size + BLOCK_TRAILER_BYTES, size: last.size + (step % 2 === 0 ? step / 2 : -(step + 1) / 2) };
    }
    return Buffer.alloc(0);
  };
  for (const [key] of pairsIn(block, valueOf, !deltas)) entries.push({ ...last, upTo: userKeys ? key : key.subarray(0, Math.max(0, key.length - TRAILER_BYTES)) });
  return entries;
}

function* entriesIn(block: Buffer): Generator<RawEntry> {
  for (const [internal, value] of pairsIn(block, sized, true)) {
    if (internal.length < TRAILER_BYTES) throw new Damaged(`a key of ${internal.length} bytes`);
    const at = internal.length - TRAILER_BYTES;
    const tail = internal.readBigUInt64LE(at);
    yield { key: internal.subarray(0, at), sequence: safe(tail >> 8n), type: Number(tail & 255n), value };
  }
}
