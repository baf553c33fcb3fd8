/**
 * Searches what files held. Guarantees: each distinct content is searched once, a binary one is named only; answers come
 * as they are found, the newest first; memory does not grow with the size of files, but by 16 bytes for each distinct
 * content and each line told. A line longer than a piece is searched in pieces.
 */
import { createHash } from 'node:crypto';
import { RewindError, type ErrorCode } from '../../errors.js';
import type { HistoryReader } from '../../history/reader.js';
import type { Name, Seq } from '../../history/types.js';
import { hasNoContent, isFile } from '../compare.js';
import { mapParallel } from '../parallel.js';
import { isBinary } from '../textdiff.js';
import { contentsBack, type Version } from './contents.js';
import { compilePattern, type GrepPattern, type PieceHits } from './pattern.js';
import { Searcher } from './searcher.js';

export interface GrepOptions extends GrepPattern {
  path?: Name[];
  /** Only what was saved after this seq ... */
  since?: Seq;
  /** ... and not after this one. */
  until?: Seq;
  /** Each file's path once. */
  namesOnly?: boolean;
  /** Each version that matches, also content that was told, and lines that a newer version of the path has. */
  allVersions?: boolean;
}

/** A line that matches, or with `line` 0 a file: a binary one, or with namesOnly any. */
export interface Match {
  path: Name[];
  seq: Seq;
  /** From 1. */
  line: number;
  text: Buffer;
}

/** What could not be searched. */
export interface Searched {
  versions: number;
  contents: number;
  /** Versions whose content history does not have: it was not captured, or is kept no longer. */
  uncaptured: number;
}

const GROUP = 64;
const PIECE_BYTES = 1 << 20;
/** What is said of content that history does not have. */
const NOT_THERE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['ERR_NOT_CAPTURED', 'ERR_TIME_THINNED', 'ERR_PURGED']);
type Sized = Version & { size: number };

/** @throws ERR_USAGE for a pattern, ERR_NEVER_EXISTED for a path */
export async function* grep(history: HistoryReader, options: GrepOptions, signal?: AbortSignal): AsyncGenerator<Match | { searched: Searched }> {
  const { pattern, ignoreCase, fixed } = options;
  compilePattern(options);
  const searcher = new Searcher({ pattern, ignoreCase, fixed }, signal);
  const run = new Run(history, options, searcher);
  try {
    let group: Version[] = [];
    for await (const version of contentsBack(history, options.path ?? [], options.since ?? 0, options.until ?? history.watermark())) {
      if (signal?.aborted) return;
      if (group.push(version) < GROUP) continue;
      yield* run.search(group);
      group = [];
    }
    yield* run.search(group);
    yield { searched: run.searched };
  } finally {
    await searcher.close();
  }
}

class Run {
  readonly searched: Searched = { versions: 0, contents: 0, uncaptured: 0 };
  private readonly contents = new Set<string>();
  private readonly told = new Set<string>();

  constructor(private readonly history: HistoryReader, private readonly options: GrepOptions, private readonly searcher: Searcher) {}

  /** Small files together, a large one piece by piece. */
  async *search(group: Version[]): AsyncGenerator<Match> {
    const attrs = await this.history.attrsAt(group.map(({ node, state }) => ({ node, seq: state })));
    const sized: Sized[] = [];
    group.forEach((version, i) => {
      const attr = attrs[i];
      if (!attr || !isFile(attr) || attr.size === 0) return;
      this.searched.versions++;
      if (hasNoContent(attr)) this.searched.uncaptured++;
      else sized.push({ ...version, size: attr.size });
    });
    let small: Sized[] = [];
    for (const version of sized) {
      if (version.size <= PIECE_BYTES && small.reduce((sum, { size }) => sum + size, 0) <= 8 * PIECE_BYTES) {
        small.push(version);
        continue;
      }
      yield* this.together(small);
      small = [];
      if (version.size <= PIECE_BYTES) small.push(version);
      else if (await this.has(version) && await this.isNew(version)) yield* this.byPieces(version);
    }
    yield* this.together(small);
  }

  private async *together(versions: Sized[]): AsyncGenerator<Match> {
    const read = await mapParallel(versions, (version) => this.read(version, version.size));
    const files = versions.flatMap((version, i) => (read[i] == null ? [] : [{ version, bytes: read[i], binary: isBinary(read[i]) }])).filter(({ bytes }) => this.first(createHash('sha1').update(bytes).digest()));
    if (files.length === 0) return;
    const found = await this.searcher.search(files);
    for (const [i, { version, bytes, binary }] of files.entries()) yield* this.matches(version, bytes, binary, 0, found[i]!);
  }

  private async has(version: Sized): Promise<boolean> {
    return await this.read(version, 1) !== null;
  }

  /** null: history does not have it. */
  private async read({ node, size, state }: Sized, length: number): Promise<Buffer | null> {
    try {
      return await this.history.read(node, 0, length, state, size);
    } catch (error) {
      if (!(error instanceof RewindError) || !NOT_THERE.has(error.code)) throw error;
      this.searched.uncaptured++;
      return null;
    }
  }

  private async *byPieces(version: Sized): AsyncGenerator<Match> {
    const { node, size, state } = version;
    let rest: Buffer = Buffer.alloc(0);
    let lines = 0;
    let binary: boolean | null = null;
    for (let offset = 0; offset < size; offset += PIECE_BYTES) {
      const next = await this.history.read(node, offset, Math.min(PIECE_BYTES, size - offset), state, size);
      binary ??= isBinary(next);
      const bytes = Buffer.concat([rest, next]);
      const feed = bytes.lastIndexOf(10);
      const end = offset + PIECE_BYTES >= size || bytes.length > 2 * PIECE_BYTES ? bytes.length : feed + 1;
      const piece = bytes.subarray(0, end);
      rest = Buffer.from(bytes.subarray(end));
      const [found] = await this.searcher.search([{ bytes: piece, binary }]);
      yield* this.matches(version, piece, binary, lines, found!);
      lines += found!.lines;
      if (found!.hits.length > 0 && (binary || this.options.namesOnly)) return;
    }
  }

  private async isNew({ node, size, state }: Sized): Promise<boolean> {
    if (this.options.allVersions) return true;
    const hash = createHash('sha1');
    for (let offset = 0; offset < size; offset += PIECE_BYTES) hash.update(await this.history.read(node, offset, Math.min(PIECE_BYTES, size - offset), state, size));
    return this.first(hash.digest());
  }

  private first(digest: Buffer): boolean {
    const key = digest.toString('latin1', 0, 16);
    if (!this.options.allVersions && this.contents.has(key)) return false;
    this.contents.add(key);
    this.searched.contents = this.contents.size;
    return true;
  }

  private *matches({ path, seq }: Version, bytes: Buffer, binary: boolean, lines: number, { hits }: PieceHits): Generator<Match> {
    if (binary || this.options.namesOnly) {
      if (hits.length > 0 && this.isTold(path, null)) yield { path, seq, line: 0, text: Buffer.alloc(0) };
      return;
    }
    for (const { line, start, end } of hits) {
      const text = bytes.subarray(start, end);
      if (this.isTold(path, text)) yield { path, seq, line: lines + line + 1, text };
    }
  }

  /** Is it to be told? A line of a path once, unless all versions are asked for; with namesOnly a path once. */
  private isTold(path: Name[], text: Buffer | null): boolean {
    if (this.options.allVersions && !this.options.namesOnly) return true;
    const key = createHash('sha1').update(path.join('/'), 'latin1').update('\0').update(text ?? '\0').digest().toString('latin1', 0, 16);
    if (this.told.has(key)) return false;
    this.told.add(key);
    return true;
  }
}
