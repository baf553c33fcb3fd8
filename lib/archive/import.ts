/**
 * Archives as files. Guarantees: the directory is there whole, under its name, or not at all: it is made beside itself and
 * renamed; nothing is written outside of it, whatever an archive holds (the tree writer follows no link, and leaves no
 * directory); what an archive says to hold beyond what is in it is refused before anything is written.
 */
import { mkdir, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { Name, NodeAttr, NodeId, Seq } from '../history/types.js';
import { native } from '../native.js';
import { safeForTerminal } from '../paths.js';
import { applyPlan, gaveUp, type ApplyOptions, type Steps } from '../recovery/apply.js';
import { planRestore } from '../recovery/restore.js';
import { Through } from '../recovery/through.js';
import type { ApplyFailure } from '../recovery/types.js';
import type { Chain } from './chain.js';
import { damaged } from './errors.js';
import { ArchiveReader } from './reader.js';

/** Files up to this size are planned whole, holes too. */
const SMALL_BYTES = 64 << 10;

/** What to make of a chain of archives. */
export interface ImportOptions extends ApplyOptions {
  /** A directory that does not exist, or is empty: what the newest archive holds becomes its content. */
  into: string;
  /** Told of each file that the archive has without its content: its path. */
  onSkip?: (path: Name[]) => void;
}

/** What became of it. */
export interface Imported { seq: Seq; objects: number; bytes: number }

/**
 * Makes the tree that the newest archive of a chain holds.
 * @throws ERR_EXISTS, ERR_DISK_FULL, ERR_ARCHIVE_CORRUPT: nothing is there then; ERR_PARTLY_DONE: all is there but what it
 * names (another user's files, devices without the right to make them).
 */
export async function importArchive(chain: Chain, { into, onSkip, onProgress }: ImportOptions): Promise<Imported> {
  await expectFree(into);
  const history = new Importable(new ArchiveReader(chain));
  const seq = history.watermark();
  const staging = stagingOf(into);
  await inDirectory(staging, () => mkdir(staging, { mode: 0o700 }));
  try {
    const { objects, ...steps } = await planRestore(history, { path: [], at: seq, dest: staging, onSkip });
    await expectRoom(chain, staging, steps.bytes, objects);
    const failure = await make(steps, history, staging, onProgress);
    await native.syncFileSystem(staging);
    await place(staging, into);
    if (failure) throw new RewindError('ERR_PARTLY_DONE', `${safeForTerminal(into)} is there, but ${failure.message}`, 'As root, into another directory, nothing would be left out that its disk can hold.', { cause: failure.cause });
    return { seq, objects, bytes: steps.bytes };
  } catch (error) {
    await rm(staging, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
}

/** Where it is made before it has its name. */
export const stagingOf = (into: string): string => `${into}.${process.pid}.partial`;

/** What an archive has without its content is left out, whatever the reason. */
class Importable extends Through {
  constructor(private readonly reader: ArchiveReader) {
    super(reader);
  }

  override async attr(node: NodeId, seq: Seq): Promise<NodeAttr | null> {
    const attr = await this.reader.attr(node, seq);
    return attr && await this.reader.missing(node, seq) ? { ...attr, uncaptured: true } : attr;
  }
  override attrs(nodes: NodeId[], seq: Seq): Promise<(NodeAttr | null)[]> {
    return Promise.all(nodes.map((node) => this.attr(node, seq)));
  }
}

/** Answers what could not be made; null when all could. @throws when so much is left undone that it is of no use */
async function make(steps: Steps, history: HistoryReader, staging: string, onProgress: ApplyOptions['onProgress']): Promise<RewindError | null> {
  const tree = await native.openTree(staging);
  try {
    await applyPlan(steps, history, tree, { onProgress });
    return null;
  } catch (error) {
    if (error instanceof RewindError && error.code === 'ERR_PARTLY_DONE' && !gaveUp(error.cause as ApplyFailure[])) return error;
    throw error;
  } finally {
    tree.close();
  }
}

/** @throws ERR_EXISTS, ERR_NOT_A_DIRECTORY */
async function expectFree(into: string): Promise<void> {
  const there = await stat(into).catch(() => null);
  if (!there) return;
  if (!there.isDirectory()) throw new RewindError('ERR_NOT_A_DIRECTORY', `${safeForTerminal(into)} exists, and is no directory`, 'Name a directory that does not exist, or is empty.');
  if ((await readdir(into)).length > 0) throw new RewindError('ERR_EXISTS', `${safeForTerminal(into)} is not empty`, 'Name a directory that does not exist, or is empty.');
}

/** An archive has a file's bytes once: what comes to more than its blocks hold is made up. And there must be room for them. */
async function expectRoom(chain: Chain, staging: string, bytes: number, objects: number): Promise<void> {
  const held = chain.archives.reduce((sum, { end }) => sum + end.bytes, 0) + objects * SMALL_BYTES;
  if (bytes > held) throw damaged(chain.archives.at(-1)!.file, null, `its files come to ${bytes} bytes of content, of which it holds ${held}`);
  const { bavail, bsize } = await statfs(staging);
  if (bytes > bavail * bsize) throw new RewindError('ERR_DISK_FULL', `${bytes} bytes of content are to be written to ${safeForTerminal(dirname(staging))}, which has room for ${bavail * bsize}`, 'Make room, or name a directory on another disk.');
}

async function place(staging: string, into: string): Promise<void> {
  await inDirectory(into, async () => {
    await rename(staging, into);
    await native.syncPath(dirname(into));
  });
}

/** Says which directory it was. */
async function inDirectory<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new RewindError('ERR_NOT_FOUND', `${safeForTerminal(dirname(path))} does not exist`, 'Make it first, or correct the path.', { cause });
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') throw new RewindError('ERR_NO_PERMISSION', `${safeForTerminal(path)} cannot be made: ${message}`, 'Name a directory in one that you may write to.', { cause });
    if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'EBUSY') throw new RewindError('ERR_EXISTS', `${safeForTerminal(path)} is in use, or is not empty any more`, 'Name a directory that does not exist: one that something is mounted on cannot be replaced.', { cause });
    throw new RewindError('ERR_IO', `${safeForTerminal(path)} cannot be made: ${message}`, '', { cause });
  }
}
