/**
 * What a path ever was. A path leads to one object after another, each for a stretch of time, a *life*; a path's lives
 * follow from those of its directory, so a name counts only for the time at which its directory lay at that path.
 */
import type { HistoryReader } from '../history/reader.js';
import { ROOT, type Change, type Name, type NodeId, type Seq } from '../history/types.js';
import { formatTimeUtc } from '../time/format.js';
import { S_IFDIR, S_IFMT, S_IFREG } from './wire.js';

/** A path led to `node` from `from` until just before `until`. */
export interface Life {
  node: NodeId;
  from: Seq;
  until: Seq;
}

/** A state of a path that can be looked at: right after `seq`. */
export interface Version {
  node: NodeId;
  seq: Seq;
  timeNs: bigint;
}

/** A version as a file name: when it was saved, and the seq that tells it from others of the same time. */
export const versionName = ({ seq, timeNs }: Version): Name => `${formatTimeUtc(timeNs)}#${seq}`;

/** Kinds of native/journal/format.h that change a file's content: write, truncate, fallocate, base-data. */
const CONTENT_KINDS = new Set([24, 25, 26, 43]);

/** What a name of a directory led to, oldest first. */
export type NameStates = (parent: NodeId, name: Name) => Promise<{ since: Seq; node: NodeId | null }[]>;

/** All lives of a path, oldest first. */
export async function livesOf(history: HistoryReader, path: readonly Name[], statesOf: NameStates = (parent, name) => history.nameHistory(parent, name)): Promise<Life[]> {
  const range = await history.range();
  if (!range) return [];
  let lives: Life[] = [{ node: ROOT, from: range.first.seq, until: Infinity }];
  for (const name of path) lives = await livesIn(statesOf, lives, name);
  return lives;
}

async function livesIn(statesOf: NameStates, directories: Life[], name: Name): Promise<Life[]> {
  const lives: Life[] = [];
  for (const directory of directories) {
    const states = await statesOf(directory.node, name);
    states.forEach(({ since, node }, i) => {
      const from = Math.max(since, directory.from);
      const until = Math.min(states[i + 1]?.since ?? Infinity, directory.until);
      if (node !== null && from < until) lives.push({ node, from, until });
    });
  }
  return lives.sort((a, b) => a.from - b.from);
}

/** Every name that the directories of these lives ever held while they lay at that path, sorted by bytes. */
export async function namesIn(history: HistoryReader, lives: Life[]): Promise<Name[]> {
  const names = new Set<Name>();
  const directories = await ofType(history, lives, (type) => type === S_IFDIR);
  for (const name of await everyName(history, directories)) {
    if ((await livesIn((parent, one) => history.nameHistory(parent, one), directories, name)).length > 0) names.add(name);
  }
  return [...names].sort((a, b) => (a < b ? -1 : 1));
}

async function everyName(history: HistoryReader, directories: Life[]): Promise<Set<Name>> {
  const nodes = new Set(directories.map(({ node }) => node));
  const lists = await Promise.all([...nodes].map((node) => history.namesEver(node)));
  return new Set(lists.flat());
}

/** Every version of what is no directory in these lives, oldest first. */
export async function versionsIn(history: HistoryReader, lives: Life[]): Promise<Version[]> {
  const versions: Version[] = [];
  for (const life of await ofType(history, lives, (type) => type !== S_IFDIR)) {
    for (const seq of await savesOf(history, life)) {
      versions.push({ node: life.node, seq, timeNs: (await history.timeOf(seq)) ?? 0n });
    }
  }
  return versions;
}

async function ofType(history: HistoryReader, lives: Life[], wanted: (type: number) => boolean): Promise<Life[]> {
  const attrs = await Promise.all(lives.map(({ node, from }) => history.attr(node, from)));
  return lives.filter((_, i) => {
    const attr = attrs[i];
    return attr != null && wanted(attr.mode & S_IFMT);
  });
}

/** The last seq of each save in a life; the first is how the life began. */
async function savesOf(history: HistoryReader, life: Life): Promise<Seq[]> {
  const attr = await history.attr(life.node, life.from);
  const ends: Seq[] = [life.from];
  if (!attr || (attr.mode & S_IFMT) !== S_IFREG) return ends;
  const upTo = Math.min(life.until - 1, history.watermark());
  let save: Seq = 0;
  for await (const change of history.nodeChanges(life.node, life.from - 1, upTo)) {
    if (change.seq === life.from) save = change.save || save;
    else if (CONTENT_KINDS.has(change.kind)) {
      if (goesOn(change, save)) ends[ends.length - 1] = change.seq;
      else ends.push(change.seq);
      save = change.save;
    }
  }
  return ends;
}

/** Part of the save before it; what belongs to no open (truncate of a path) is a save of its own. */
const goesOn = (change: Change, save: Seq): boolean => change.save !== 0 && change.save === save;
