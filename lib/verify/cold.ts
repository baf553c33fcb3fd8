/**
 * Checks of cold files and of what names them. Guarantees: a file that is not there is one finding, however much it holds; no
 * frame is read here (the contents themselves are, of a deep look, in contents.ts).
 */
import { META_COLD, type ColdBook } from '../history/cold/book.js';
import { isAway } from '../history/cold/files.js';
import { coldPlaceOf } from '../history/cold/place.js';
import type { History } from '../history/history.js';
import { getU64 } from '../history/keys.js';
import type { Entry } from '../history/rocks.js';
import type { Finding } from './findings.js';

/** Files that are not there, or are none of this store. */
export async function* coldFindings(history: History): AsyncGenerator<Finding> {
  for (const [file, error] of await history.rocks.cold.missing()) {
    yield { kind: isAway(error) ? 'cold-away' : 'cold-damaged', family: 'meta', key: META_COLD, what: `file ${file} of cold content: ${error.message}` };
  }
}

/** Does a content lie in a file, and no file is known at all? Where they are is to be said in the policy. */
export const isUnplaced = ({ value }: Entry, { files }: ColdBook): boolean => files.size === 0 && coldPlaceOf(value) !== null;

/** Why a content cannot lie where it says; null when it can, and for one that is not cold. */
export function misplaced({ key, value }: Entry, { files }: ColdBook): string | null {
  const place = coldPlaceOf(value);
  if (place === null) return null;
  const known = files.get(place.file);
  const what = `content ${getU64(key, 0)} lies in file ${place.file} of cold content, at byte ${place.at}`;
  if (known === undefined) return `${what}, which history knows nothing of`;
  return place.at + place.length > known.bytes ? `${what}, which ends at byte ${known.bytes}` : null;
}
