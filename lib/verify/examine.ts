/**
 * One entry of history looked at by itself. Guarantee: an entry that docs/history.md does not allow is told, whatever its
 * bytes are; what decodes is answered with the newest instant that it speaks of and the object that it is about.
 */
import { decodeBlock } from '../history/blocks.js';
import { decodeLink, lastOf } from '../history/chain.js';
import { decodeBook, META_COLD } from '../history/cold/book.js';
import { coldPlaceOf } from '../history/cold/place.js';
import { statesIn } from '../history/attributes.js';
import { decodeChanges, decodeRefs } from '../history/changes.js';
import { depthOf, dictionaryOf, MOST_DEPTH } from '../history/codec.js';
import type { Family } from '../history/families.js';
import { getInverse, getU64, nameInKey, seqInKey } from '../history/keys.js';
import { decodeMeta, META_FOLD, META_FORMAT, META_STORE, NEWEST_FORMAT } from '../history/meta.js';
import { decodeRetention, META_RETENTION } from '../history/retained.js';
import { META_DICTIONARY } from '../history/zip.js';
import type { NodeId, Seq } from '../history/types.js';
import { Codec, CONTENT_HEAD, decodeAttr, decodeBinding, decodeTimes } from '../history/values.js';

/** `problem`: why it cannot be; else the newest seq that it speaks of (null: of none). */
export type Examined = { problem: string } | { problem: null; newest: Seq | null };

/** Bytes of a key, where all keys of a family are as long. */
const KEY_BYTES: Partial<Record<Family, number>> = {
  nodes: 16, inodes: 8, blocks: 24, cuts: 24, content: 8, hashes: 8, changes: 16, nodechanges: 24, clock: 16, times: 8, writers: 8, points: 8, gaps: 16, removed: 16, chain: 8,
};
/** Families whose keys begin with an object. */
const OF_NODES: ReadonlySet<Family> = new Set<Family>(['nodes', 'names', 'links', 'xattrs', 'blocks', 'cuts', 'nodechanges', 'removed']);

const S_IFMT = 0o170000;
const TYPES: ReadonlySet<number> = new Set([0o010000, 0o020000, 0o040000, 0o060000, 0o100000, 0o120000, 0o140000]);

/** What is wrong with an entry, as an exception that never leaves this file. */
class Malformed extends Error {}
function expect(condition: boolean, problem: string): void {
  if (!condition) throw new Malformed(problem);
}

/** `value` as it is read: unpacked. */
export function examine(family: Family, key: Buffer, value: Buffer): Examined {
  try {
    const bytes = KEY_BYTES[family];
    expect(bytes === undefined || key.length === bytes, `a key of ${key.length} bytes, expected ${bytes}`);
    return { problem: null, newest: EXAMINERS[family](key, value) };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

/** The object that a key begins with; undefined for families of other keys. */
export const nodeOfKey = (family: Family, key: Buffer): NodeId | undefined => (OF_NODES.has(family) && key.length >= 8 ? getU64(key, 0) : undefined);

const EXAMINERS: Record<Family, (key: Buffer, value: Buffer) => Seq | null> = {
  meta: examineMeta,
  nodes(key, value) {
    const states = statesIn(value, seqInKey(key));
    for (const state of states) {
      const { mode } = decodeAttr(state.value);
      expect(TYPES.has(mode & S_IFMT), `a state of mode 0${mode.toString(8)}, which is no type of object`);
    }
    expectAscending(states.map(({ seq }) => seq));
    return states.at(-1)!.seq;
  },
  names(key, value) {
    expectName(key, 8);
    expect(value.length === 0 || value.length === 8 || (value.length === 9 && value[8] === 1), `a name that leads to ${value.length} bytes`);
    return seqInKey(key);
  },
  links(key, value) {
    expectName(key, 16);
    expect(value.length === 0 || (value.length === 1 && value[0] === 1), `a link of ${value.toString('hex', 0, 16)}, expected 01 or nothing`);
    return seqInKey(key);
  },
  xattrs(key, value) {
    expectName(key, 8);
    expect(value.length === 0 || value[0] === 1, 'an extended attribute that does not begin with 01');
    return seqInKey(key);
  },
  inodes(_key, value) {
    decodeBinding(value);
    return null;
  },
  blocks(key, value) {
    const { patches } = decodeBlock(value, seqInKey(key));
    expectAscending(patches.map(({ seq }) => seq), 'not descending');
    return patches.at(-1)!.seq;
  },
  cuts(key, value) {
    expect(value.length === 8, `a cut of ${value.length} bytes, expected 8`);
    expect(getU64(value, 0) > getU64(key, 16), `a cut that ends at ${getU64(value, 0)}, before it begins`);
    return getInverse(key, 8);
  },
  content(_key, value) {
    expect(value.length >= CONTENT_HEAD, `content of ${value.length} bytes, expected ${CONTENT_HEAD} at least`);
    expect(value[0]! <= Codec.Cold, `content with codec ${value[0]}, at most ${Codec.Cold} is known`);
    dictionaryOf(value);
    coldPlaceOf(value);
    expect(depthOf(value) <= MOST_DEPTH, `content that lies ${depthOf(value)} dictionaries deep, at most ${MOST_DEPTH} are read`);
    return null;
  },
  hashes(_key, value) {
    expect(value.length === 8, `a hash that leads to ${value.length} bytes, expected 8`);
    return null;
  },
  changes: (key, value) => decodeChanges(key, value).at(-1)!.record,
  nodechanges: (key, value) => decodeRefs(key, value).at(-1)!.record,
  clock(key, value) {
    expect(value.length === 0, `a clock entry of ${value.length} bytes, expected none`);
    return getU64(key, 8);
  },
  times(key, value) {
    expect(value.length >= 12 && value.length % 4 === 0, `times of ${value.length} bytes`);
    return getU64(key, 0) + decodeTimes(value).count - 1;
  },
  writers(key, value) {
    parsed(value);
    return getU64(key, 0);
  },
  points(key, value) {
    expectTime(value);
    return getU64(key, 0);
  },
  gaps(key, value) {
    expectTime(value);
    return getU64(key, 0);
  },
  removed(_key, value) {
    expectTime(value);
    return null;
  },
  chain: (key, value) => lastOf(decodeLink(getU64(key, 0), value)),
};

function examineMeta(key: Buffer, value: Buffer): null {
  if (key.equals(META_FORMAT)) expect(value.length === 4 && value.readUInt32BE(0) <= NEWEST_FORMAT, `a format that cannot be (${value.toString('hex')})`);
  else if (key.equals(META_STORE)) expect(value.length === 16, `a store id of ${value.length} bytes, expected 16`);
  else if (key.equals(META_FOLD)) decodeMeta(value);
  else if (key.equals(META_RETENTION)) decodeRetention(value);
  else if (key.equals(META_COLD)) decodeBook(value);
  else if (!key.toString('latin1').startsWith(META_DICTIONARY)) parsed(value);
  return null;
}

/** A name, its 0 and a seq after so many bytes. */
function expectName(key: Buffer, before: number): void {
  expect(key.length > before + 9, `a key of ${key.length} bytes, which is too short for a name`);
  expect(key[key.length - 9] === 0 && !nameInKey(key, before).includes('\0'), 'a key whose name does not end where it should');
}

function expectAscending(seqs: readonly Seq[], how: 'ascending' | 'not descending' = 'ascending'): void {
  for (let i = 1; i < seqs.length; i++) {
    const [before, after] = [seqs[i - 1]!, seqs[i]!];
    expect(how === 'ascending' ? after > before : after >= before, `a run in which #${after} comes after #${before}`);
  }
}

function parsed(value: Buffer): Record<string, unknown> {
  const found: unknown = JSON.parse(value.toString('utf8'));
  expect(typeof found === 'object' && found !== null, 'a value that is no JSON object');
  return found as Record<string, unknown>;
}

function expectTime(value: Buffer): void {
  const { timeNs } = parsed(value);
  expect(typeof timeNs === 'string' && /^-?\d+$/.test(timeNs), 'a value without its time');
}
