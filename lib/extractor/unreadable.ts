/**
 * Content that history holds, and that the fold can go on without: one that cannot be read must not keep out of history
 * all that comes later.
 */
import type { RewindError } from '../errors.js';
import { isAway } from '../history/cold/files.js';
import { isDamage } from '../history/values.js';

/** null where it takes what nobody can read (now): what is damaged is told to `damaged`, what is cold comes back with its disk. */
export async function unlessUnreadable<T>(reading: Promise<T>, damaged: (error: RewindError) => void): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    if (isAway(error)) return null;
    if (!isDamage(error)) throw error;
    damaged(error);
    return null;
  }
}
