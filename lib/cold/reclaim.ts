/**
 * Gives back what is dead in cold files: of a file of which less than half is needed the rest is written anew elsewhere, and it
 * is removed. Guarantees: a file goes when every frame of it was read and nothing names any of them, on stable storage; stopped
 * at any point it leaves what can be read, and begins again.
 */
import { rm, stat } from 'node:fs/promises';
import type { ColdFile } from '../history/cold/book.js';
import { MOST_FILE_HEAD } from '../history/cold/file.js';
import { encodeCold } from '../history/cold/place.js';
import type { History } from '../history/history.js';
import type { ColdRules } from '../policy/cold.js';
import { commitBook } from './commit.js';
import { walkFrames, type WalkedFrame } from './walk.js';
import { written, type ColdWriter } from './writer.js';

/** Is less than half of what a file holds needed? */
const isWaste = ({ bytes, live }: ColdFile): boolean => live <= 0 || live * 2 < bytes - MOST_FILE_HEAD;

export class Reclaim {
  private place: { file: number; at: number } | null = null;
  /** Files that could not be read to their end: they stay. */
  private readonly left = new Set<number>();

  constructor(private readonly history: History, private readonly writer: ColdWriter) {}

  /** Goes on a step. Answers whether there was anything to do. @throws ERR_COLD_AWAY, ERR_HISTORY_CORRUPT, ERR_DISK_FULL, ERR_IO */
  async step(rules: ColdRules): Promise<boolean> {
    const { cold } = this.history.rocks;
    const { files } = await cold.book();
    for (const [file, { gone }] of files) if (gone === true && await this.remove(file)) return true;
    this.place ??= [...files].filter(([file, known]) => known.gone !== true && isWaste(known) && !this.left.has(file)).map(([file]) => ({ file, at: 0 }))[0] ?? null;
    if (this.place === null) return false;
    const { file, at } = this.place;
    const known = files.get(file);
    if (known === undefined) {
      this.place = null;
      return true;
    }
    // One that was begun, and never written to, has nothing.
    const next = known.bytes === 0 ? 0 : await this.empty(rules, file, at || await cold.beginOf(file, known), known).catch((error: unknown) => {
      this.left.add(file);
      this.place = null;
      throw error;
    });
    this.place = next < known.bytes ? { file, at: next } : null;
    if (this.place === null) {
      known.gone = true;
      known.live = 0;
      await commitBook(this.history);
      await this.history.rocks.sync();
    }
    return true;
  }

  /** Moves what is needed of the next frames. Answers how far it is. */
  private empty(rules: ColdRules, file: number, at: number, { bytes }: ColdFile): Promise<number> {
    return this.history.rocks.cold.within(file, async (handle, path) => {
      const { frames, next } = await walkFrames(this.history, { handle, path, file }, at, bytes);
      const live = frames.filter((frame) => frame.live);
      if (live.length > 0) await this.move(rules, file, live);
      return next;
    }, { frames: true });
  }

  private async move({ directory }: ColdRules, file: number, frames: readonly WalkedFrame[]): Promise<void> {
    const places = await this.writer.append(directory, frames, file);
    await this.history.rocks.cold.drop(frames);
    await commitBook(this.history, frames.map(({ id, value }) => ({ id, value: encodeCold(value, places.get(id)!) })));
  }

  /** Nothing names it any more: it goes only if it is the one that is meant. Answers whether its directory is there. */
  private async remove(file: number): Promise<boolean> {
    const { cold } = this.history.rocks;
    const book = await cold.book();
    const { directory } = book.files.get(file)!;
    if (await stat(await cold.directoryIn(directory)).then(() => false, () => true)) return false;
    const path = await cold.pathOf(directory, file);
    const isOurs = await cold.within(file, async () => true).catch(() => false);
    if (isOurs) await written(path, () => rm(path));
    book.files.delete(file);
    await commitBook(this.history);
    return true;
  }
}
