/**
 * Cold files that lie elsewhere than they did: whoever moves them names the directory in the policy. Guarantee: a file counts as
 * found only when it says itself that it is the one, and has all that was written to it; nothing on the disk is changed.
 */
import { open, readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { decodeFileHead, MOST_FILE_HEAD, type ColdOwner } from '../history/cold/file.js';
import type { History } from '../history/history.js';
import { COLD_FORMAT, META_FORMAT } from '../history/meta.js';

/** Notes in the book what is found in a directory of the policy. Answers whether that was anything new. */
export async function foundIn(history: History, directory: string): Promise<boolean> {
  const { cold } = history.rocks;
  const { files } = await cold.book();
  const store = await cold.store();
  let isNew = false;
  for (const [file, known] of files) {
    if (known.directory === directory) continue;
    const there = await ownerOf(await cold.pathOf(directory, file));
    if (there === null || there.store !== store || there.file !== file || there.tag !== known.tag || there.size < known.bytes) continue;
    known.directory = directory;
    isNew = true;
  }
  return await isLost(history, files.size) ? await anew(history, directory) || isNew : isNew;
}

/** Is there cold content, and no file of it is known? So it is when what history knows of itself had to be repaired. */
async function isLost(history: History, known: number): Promise<boolean> {
  if (known > 0) return false;
  return ((await history.rocks.get('meta', META_FORMAT))?.readUInt32BE(0) ?? 0) >= COLD_FORMAT;
}

/** All files of this store that lie there; how much of them is needed is not known, and taken to be all. */
async function anew(history: History, directory: string): Promise<boolean> {
  const { cold } = history.rocks;
  const { files } = await cold.book();
  const store = await cold.store();
  const own = await cold.directoryIn(directory);
  for (const name of await readdir(own).catch((): string[] => [])) {
    const there = await ownerOf(`${own}/${name}`);
    if (there !== null && there.store === store && basename(await cold.pathOf(directory, there.file)) === name) files.set(there.file, { directory, tag: there.tag, bytes: there.size, live: there.size });
  }
  return files.size > 0;
}

async function ownerOf(path: string): Promise<ColdOwner & { size: number } | null> {
  const handle = await open(path, 'r').catch(() => null);
  if (handle === null) return null;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MOST_FILE_HEAD), 0, MOST_FILE_HEAD, 0);
    return { ...decodeFileHead(buffer.subarray(0, bytesRead)), size: (await handle.stat()).size };
  } catch {
    return null;
  } finally {
    await handle.close();
  }
}
