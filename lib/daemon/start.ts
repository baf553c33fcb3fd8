/** What a mount may be told that it is for. */
import { RewindError } from '../errors.js';
import { readsAsTime } from '../time/resolve.js';

const MAX_LENGTH = 128;
const TAG = /^[\p{L}\p{N}_][\p{L}\p{N}_.:-]{0,63}$/u;
const MAX_TAGS = 32;

/** @throws ERR_POINT_NAME for a purpose that could not be asked for as a time, ERR_USAGE for a tag */
export async function startOptions(purpose: string | undefined, tags: readonly string[]): Promise<{ purpose?: string; tags: readonly string[] }> {
  const wrong = tags.find((tag) => !TAG.test(tag));
  if (wrong !== undefined) throw new RewindError('ERR_USAGE', `${JSON.stringify(wrong)} is no tag`, 'A tag is one word of letters, digits and . _ : -');
  if (tags.length > MAX_TAGS) throw new RewindError('ERR_USAGE', `${tags.length} tags are more than a mount takes (${MAX_TAGS})`, 'Say more in --purpose.');
  if (purpose === undefined) return { tags };
  const text = purpose.trim().replace(/\s+/g, ' ');
  if (text === '' || text.length > MAX_LENGTH || /[\p{Cc}/]/u.test(text) || await readsAsTime(text) || /^(before|after|last)[:-]/i.test(text)) {
    throw new RewindError('ERR_POINT_NAME', `${JSON.stringify(purpose)} cannot be the purpose of a mount`, `One line of at most ${MAX_LENGTH} characters, without "/", that does not read as a time: it names the point of the mount.`);
  }
  return { purpose: text, tags };
}
