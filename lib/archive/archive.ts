/**
 * An archive on disk, read as it is asked: its end, the top of its tables, and of all else only the pages and blocks that an
 * answer needs. Guarantees: whatever is answered had the checksum that it was written with; memory is bounded, whatever
 * the archive says of itself; one that is cut short is told from one that is damaged, with what of it is whole.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { RewindError } from '../errors.js';
import type { NodeId } from '../history/types.js';
import { safeForTerminal } from '../paths.js';
import { LruMap } from '../view/lru.js';
import { BlockCache } from './cache.js';
import { damaged, reading } from './errors.js';
import { BLOCK_BYTES, decodeEnd, decodeFrame, decodeFrameHead, END_BYTES, FIRST_LINE, formatOf, FRAME_HEAD, Kind, mostFrameBytes, type End } from './format.js';
import { decodeHead, type Head } from './head.js';
import { unpackNode, type ArchiveNode } from './records.js';
import { scan, tellCut } from './scan.js';
import { decodePlaces, decodeTop, IndexPage, PAGE, type Place, type Top } from './tables.js';

/** What is kept: bytes of blocks, and pages of each table, of 64 KiB. */
const KEPT_BYTES = 32 << 20;
const KEPT_PAGES = 128;

/** Which frame is expected at a place. */
type Expected = Place & { kind: Kind; number: number };

export class Archive {
  private readonly places = new LruMap<number, Promise<Place[]>>(KEPT_PAGES);
  private readonly index = new LruMap<number, Promise<IndexPage>>(KEPT_PAGES);
  private readonly blocks = new BlockCache(KEPT_BYTES);
  private readonly content = new BlockCache(KEPT_BYTES);
  /** Blocks of content that were read from the file so far. */
  loaded = 0;

  private constructor(
    /** What errors call it. */
    readonly file: string,
    private readonly handle: FileHandle, readonly head: Head, readonly end: End, private readonly top: Top,
  ) {}

  /** @param file what errors call it @throws ERR_NOT_FOUND, ERR_ARCHIVE_FORMAT, ERR_ARCHIVE_CUT, ERR_ARCHIVE_CORRUPT */
  static async open(path: string, file = path): Promise<Archive> {
    const handle = await openFile(path, file);
    try {
      const { size } = await handle.stat();
      await expectFormat(file, handle);
      const end = size < END_BYTES ? null : decodeEnd(await readExactly(file, handle, size - END_BYTES, END_BYTES));
      if (!end || end.length !== size) throw tellCut(file, await scan(handle, size));
      const first = await readExactly(file, handle, FIRST_LINE.length, FRAME_HEAD);
      const length = FRAME_HEAD + reading(file, FIRST_LINE.length, () => decodeFrameHead(first)).stored;
      const head = await readFrame(file, handle, { at: FIRST_LINE.length, length, kind: Kind.Head, number: 0 });
      const top = await readFrame(file, handle, { at: end.top, length: size - END_BYTES - end.top, kind: Kind.Top, number: 0 });
      return new Archive(file, handle, reading(file, FIRST_LINE.length, () => decodeHead(head)), end, reading(file, end.top, () => decodeTop(top, end.top)));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  /** What it says of an object; null when that is not in it. @throws ERR_ARCHIVE_CORRUPT */
  async node(node: NodeId): Promise<ArchiveNode | null> {
    const page = this.pageOf(node);
    if (page < 0) return null;
    const described = (await LruMap.remember(this.index, page, () => this.readIndex(page))).find(node);
    if (!described) return null;
    const { block, at } = described;
    const bytes = await this.blocks.get(block, () => this.readBlock(block, Kind.Nodes));
    const found = reading(this.file, null, () => unpackNode(bytes, at));
    if (found.node !== node) throw damaged(this.file, null, `its index says that block ${block} describes object ${node}, which it does not`);
    return found;
  }

  /** Bytes of a run of blocks that begins with this one. @throws ERR_ARCHIVE_CORRUPT when there are not so many */
  async bytes(block: number, at: number, length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let from = at; from < at + length;) {
      const number = block + Math.floor(from / BLOCK_BYTES);
      const inside = from % BLOCK_BYTES;
      const wanted = Math.min(BLOCK_BYTES - inside, at + length - from);
      const part = (await this.content.get(number, () => this.readBlock(number, Kind.Content))).subarray(inside, inside + wanted);
      if (part.length < wanted) throw damaged(this.file, null, `block ${number} lacks bytes that a file has in it`);
      parts.push(part);
      from += wanted;
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** The last page whose first object is not after this one; -1 without. */
  private pageOf(node: NodeId): number {
    let [low, high] = [0, this.top.index.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.top.index[middle]!.first <= node) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  private async readIndex(page: number): Promise<IndexPage> {
    const place = this.top.index[page]!;
    const bytes = await readFrame(this.file, this.handle, { ...place, kind: Kind.Index, number: page });
    return reading(this.file, place.at, () => new IndexPage(bytes, Math.min(PAGE, this.top.nodes - page * PAGE), this.top.blocks));
  }

  private async readBlock(block: number, kind: Kind.Content | Kind.Nodes): Promise<Buffer> {
    const bytes = await readFrame(this.file, this.handle, { ...await this.placeOf(block), kind, number: block });
    if (kind === Kind.Content) this.loaded++;
    return bytes;
  }

  private async placeOf(block: number): Promise<Place> {
    const page = Math.floor(block / PAGE);
    const place = this.top.places[page];
    if (!place || block >= this.top.blocks) throw damaged(this.file, null, `it has no block ${block}, which a file has content in`);
    const places = await LruMap.remember(this.places, page, async () => {
      const bytes = await readFrame(this.file, this.handle, { ...place, kind: Kind.Places, number: page });
      return reading(this.file, place.at, () => decodePlaces(bytes, Math.min(PAGE, this.top.blocks - page * PAGE), place.at));
    });
    return places[block % PAGE]!;
  }
}

async function openFile(path: string, file: string): Promise<FileHandle> {
  try {
    const handle = await open(path, 'r');
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new RewindError('ERR_NOT_FOUND', `${safeForTerminal(file)} does not exist`, 'Name a file that `rewind export` has made.', { cause });
    throw new RewindError('ERR_IO', `${safeForTerminal(file)} cannot be read: ${message}`, '', { cause });
  }
  throw new RewindError('ERR_ARCHIVE_FORMAT', `${safeForTerminal(file)} is no regular file`, 'Of a stream, write a file first: an archive is read from its end on.');
}

async function expectFormat(file: string, handle: FileHandle): Promise<void> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(40), 0, 40, 0);
  const format = formatOf(buffer.subarray(0, bytesRead));
  if (format === null) throw new RewindError('ERR_ARCHIVE_FORMAT', `${safeForTerminal(file)} is no archive of rewindfs`, 'Name a file that `rewind export` has made.');
  if (format !== 1) throw new RewindError('ERR_ARCHIVE_FORMAT', `${safeForTerminal(file)} is an archive of format ${format}; this version reads format 1`, 'Use the version of rewindfs that made it, or a newer one.');
}

async function readExactly(file: string, handle: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, at);
  if (bytesRead < length) throw damaged(file, at, `it ends after ${bytesRead} of ${length} bytes`);
  return buffer;
}

async function readFrame(file: string, handle: FileHandle, { at, length, kind, number }: Expected): Promise<Buffer> {
  if (length < FRAME_HEAD || length > mostFrameBytes(kind)) throw damaged(file, at, `a frame of ${length} bytes`);
  const frame = await readExactly(file, handle, at, length);
  return reading(file, at, () => {
    const head = decodeFrameHead(frame);
    const bytes = decodeFrame(frame, head);
    if (head.kind !== kind || head.number !== number) throw damaged(file, at, `frame ${head.number} of kind ${head.kind}, ${number} of kind ${kind} was expected`);
    return bytes;
  });
}
