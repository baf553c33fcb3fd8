/**
 * The frames of a cold file, one after the other, and which of them history still has. Guarantee: a frame is told as dead only
 * when it was read whole, and the content that it holds lies elsewhere or nowhere; a walk that cannot go on is an error.
 */
import type { FileHandle } from 'node:fs/promises';
import { decodeContentFrame, decodeContentHead, MOST_FRAME } from '../history/cold/file.js';
import { damagedCold, readAt } from '../history/cold/files.js';
import { coldPlaceOf, type ColdPlace } from '../history/cold/place.js';
import { Broken, FRAME_HEAD } from '../history/frame.js';
import type { History } from '../history/history.js';
import { u64Key } from '../history/keys.js';

/** Bytes that are read at a time. */
const READ_BYTES = 4 << 20;

/** A cold file that is open. */
export interface WalkedFile { handle: FileHandle; path: string; file: number }

/** A frame of a content. */
export interface WalkedFrame extends ColdPlace { id: number; value: Buffer; live: boolean }

/** The frames from `at` on that a read brings, and where the next begins; at `end` there is none. What is erased is left out. @throws ERR_HISTORY_CORRUPT */
export async function walkFrames(history: History, { handle, path, file }: WalkedFile, at: number, end: number): Promise<{ frames: WalkedFrame[]; next: number }> {
  const { buffer, bytesRead } = await readAt(handle, path, at, Math.min(READ_BYTES + MOST_FRAME, end - at));
  const read = buffer.subarray(0, bytesRead);
  const found: { id: number; value: Buffer; at: number; length: number }[] = [];
  let next = at;
  try {
    while (next < end && next - at < READ_BYTES) {
      const rest = read.subarray(next - at);
      if (rest.length < FRAME_HEAD) throw new Broken('a frame that is cut short');
      const length = FRAME_HEAD + decodeContentHead(rest, file).stored;
      const content = decodeContentFrame(rest.subarray(0, length), file);
      if (content !== null) found.push({ ...content, at: next, length });
      next += length;
    }
  } catch (error) {
    if (error instanceof Broken) throw damagedCold(path, next, error.message);
    throw error;
  }
  const values = await history.rocks.getMany('content', found.map(({ id }) => u64Key(id)));
  const frames = found.map((one, i) => {
    const place = values[i] == null ? null : coldPlaceOf(values[i]!);
    return { ...one, file, live: place !== null && place.file === file && place.at === one.at };
  });
  return { frames, next };
}
