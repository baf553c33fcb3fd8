/**
 * Checks of content: what blocks name is there, chains of dictionaries end and lead to older contents only, hashes lead to
 * what has them; `deep`: every content decodes to the bytes whose hash is kept with it.
 */
import { decodeBlock } from '../history/blocks.js';
import { depthOf, dictionaryOf } from '../history/codec.js';
import { isAway } from '../history/cold/files.js';
import { Contents } from '../history/contents.js';
import type { History } from '../history/history.js';
import { IdSet } from '../history/idset.js';
import { getU64, seqInKey, u64Key } from '../history/keys.js';
import { MERGED_CONTENT } from '../history/retained.js';
import type { Entry } from '../history/rocks.js';
import { CONTENT_HEAD } from '../history/values.js';
import type { Check, Suspicion } from './check.js';
import { isUnplaced, misplaced } from './cold.js';

/** Which contents there are, and which of them do not decode: found by the pass over contents, asked by the one over blocks. */
export class KnownContents {
  readonly present = new IdSet();
  readonly damaged = new IdSet();
}

/** Which ids were given to contents so far? Those of merges lie in a range of their own. */
function givenIds(history: History): (id: number) => boolean {
  const [own, merged] = [history.meta().nextContent, history.retention().nextContent];
  return (id) => id > 0 && id < (id >= MERGED_CONTENT ? merged : own);
}

export function contentCheck(history: History, known: KnownContents, deep: boolean): Check {
  const contents = new Contents(history.rocks);
  /** The first content of which nobody knows where it lies: it speaks for all. */
  let unplaced: number | null = null;
  /** Content of bases that came before this page is known; a larger id can only be damage. */
  const chain = (entry: Entry): string | null => {
    const id = getU64(entry.key, 0);
    const base = dictionaryOf(entry.value);
    if (base === 0) return null;
    if (base >= id) return `content ${id} is based on content ${base}, which came later`;
    if (!known.present.has(base)) return `content ${id} is based on content ${base}, which is not there`;
    if (depthOf(entry.value) === 0) return `content ${id} is based on content ${base}, and says that it is based on none`;
    return null;
  };
  return {
    family: 'content',
    async page(entries) {
      const found: Suspicion[] = [];
      const whole: Entry[] = [];
      const isGiven = givenIds(history);
      const book = await history.rocks.cold.book();
      for (const entry of entries) {
        const id = getU64(entry.key, 0);
        if (!isGiven(id)) {
          found.push({ kind: 'beyond-watermark', entry, what: `content ${id}, an id that history has not given yet` });
          continue;
        }
        known.present.add(id);
        const broken = chain(entry);
        if (isUnplaced(entry, book)) {
          unplaced ??= id;
          if (id === unplaced) found.push({ kind: 'cold-away', entry, what: 'where the files of cold content lie is not known any more' });
          continue;
        }
        const astray = misplaced(entry, book);
        if (astray !== null) {
          known.damaged.add(id);
          found.push({ kind: 'content-damaged', entry, what: astray });
        } else if (broken === null) whole.push(entry);
        else {
          known.damaged.add(id);
          found.push({ kind: 'content-chain', entry, what: broken });
        }
      }
      for (const [entry, what] of deep ? await undecodable(contents, whole) : []) {
        known.damaged.add(getU64(entry.key, 0));
        found.push({ kind: 'content-damaged', entry, what });
      }
      return found;
    },
  };
}

/** Those that do not decode, and why. Of what is away it is said once, elsewhere. */
async function undecodable(contents: Contents, entries: readonly Entry[]): Promise<[Entry, string][]> {
  const decode = (some: readonly Entry[]) => contents.get(some.map(({ key }) => getU64(key, 0)));
  try {
    await decode(entries);
    return [];
  } catch {
    const bad: [Entry, string][] = [];
    for (const entry of entries) {
      await decode([entry]).catch((error: Error) => {
        if (!isAway(error)) bad.push([entry, `content ${getU64(entry.key, 0)}: ${error.message}`]);
      });
    }
    return bad;
  }
}

export function blockCheck(history: History, known: KnownContents): Check {
  return {
    family: 'blocks',
    async page(entries) {
      const named = entries.flatMap((entry) => decodeBlock(entry.value, seqInKey(entry.key)).patches.map(({ content }) => ({ entry, content }))).filter(({ content }) => content !== 0);
      const place = ({ key }: Entry): string => `block ${getU64(key, 8)} at #${seqInKey(key)}`;
      const damaged = named.filter(({ content }) => known.damaged.has(content));
      const unseen = named.filter(({ content }) => !known.present.has(content));
      // It may have come since the pass over contents.
      const values = await history.rocks.getMany('content', unseen.map(({ content }) => u64Key(content)));
      return [
        ...damaged.map(({ entry, content }): Suspicion => ({ kind: 'block-damaged', entry, what: `${place(entry)} names content ${content}, which cannot be read` })),
        ...unseen.filter((_, i) => values[i] === null).map(({ entry, content }): Suspicion => ({ kind: 'content-missing', entry, what: `${place(entry)} names content ${content}, which is not there` })),
      ];
    },
  };
}

export function hashCheck(history: History): Check {
  return {
    family: 'hashes',
    async page(entries) {
      const values = await history.rocks.getMany('content', entries.map(({ value }) => value));
      return entries.flatMap((entry, i): Suspicion[] => {
        const value = values[i];
        const id = getU64(entry.value, 0);
        if (value == null) return [{ kind: 'hash-astray', entry, what: `a hash leads to content ${id}, which is not there` }];
        return value.subarray(1, CONTENT_HEAD).equals(entry.key) ? [] : [{ kind: 'hash-astray', entry, what: `a hash leads to content ${id}, which has another` }];
      });
    },
  };
}
