/**
 * Destroys what is dead in cold files, for a purge. Guarantee: when it returns no file of cold content holds bytes of anything
 * that history has no more, and that is on stable storage; all else reads as before. Doing it again does no harm.
 */
import { erasedFrame } from '../history/cold/file.js';
import { isAway } from '../history/cold/files.js';
import type { History } from '../history/history.js';
import { walkFrames, type WalkedFile } from './walk.js';
import { put, written } from './writer.js';

/** Bytes behind the end that are overwritten at a time. */
const ZERO_BYTES = 1 << 20;

/** Every file of this history must be there. @throws ERR_COLD_AWAY */
export async function expectCold(history: History): Promise<void> {
  for (const error of (await history.rocks.cold.missing()).values()) if (isAway(error)) throw error;
}

/** @throws ERR_COLD_AWAY, ERR_HISTORY_CORRUPT, ERR_IO */
export async function wipeDead(history: History): Promise<void> {
  const { cold } = history.rocks;
  for (const [file, { gone }] of (await cold.book()).files) {
    const wiping = cold.within(file, async (handle, path, known) => wipe(history, { handle, path, file }, await cold.beginOf(file, known), known.bytes), { flags: 'r+', frames: true });
    // One that is being removed may be so already.
    await (gone === true ? wiping.catch((error: unknown) => { if (!isAway(error)) throw error; }) : wiping);
  }
}

async function wipe(history: History, walked: WalkedFile, begin: number, bytes: number): Promise<void> {
  const { handle, path, file } = walked;
  for (let at = begin; at < bytes;) {
    const { frames, next } = await walkFrames(history, walked, at, bytes);
    for (const frame of frames) if (!frame.live) await written(path, () => put(handle, erasedFrame(file, frame.length), frame.at));
    at = next;
  }
  // What a crash left behind the end was content, too.
  const { size } = await handle.stat();
  for (let at = Math.max(begin, bytes); at < size; at += ZERO_BYTES) await written(path, () => put(handle, Buffer.alloc(Math.min(ZERO_BYTES, size - at)), at));
  await written(path, () => handle.sync());
}
