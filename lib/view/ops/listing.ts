/**
 * What a directory holds, in a stable order, with attributes fetched a stretch at a time. A listing of the past never
 * changes; one of the view's own directories is taken anew whenever somebody begins to read it.
 */
import { ROOT, type Name, type NodeAttr, type NodeId, type Seq } from '../../history/types.js';
import type { Entry, ShownAttr } from '../encode.js';
import { pointNames } from '../instants.js';
import { livesOf, namesIn, versionName, versionsIn } from '../lives.js';
import { LruMap } from '../lru.js';
import { inoOf, nodeidOf, pathKey, syntheticIno, type Place, type Slot } from '../nodes.js';
import { siblingsOf } from '../siblings.js';
import { objectKey, type View } from '../view.js';
import { FOREVER, S_IFDIR, S_IFMT, S_IFREG, type U64 } from '../wire.js';
import { shown } from './attributes.js';
import { PATHS } from './lookup.js';

/** One name of a directory. entry: what the kernel may take as looked up; null: it has to ask. */
export interface Listed {
  name: Name;
  ino: U64;
  mode: number;
  entry: Entry | null;
}

/** A directory's names. */
export interface Listing {
  readonly length: number;
  /** Those from `from` on, at most `count`. */
  slice(from: number, count: number): Promise<Listed[]>;
  /** What each entry that is handed out holds. */
  readonly slot: Slot | null;
}

/** The listing that a request at this offset goes on with. */
export function listingAt(view: View, place: Place, offset: number): Promise<Listing> {
  const key = listingKey(place);
  if (place.kind === 'object') return LruMap.remember(view.listings, key, () => pastListing(view, place.slot, place.node));
  if (offset === 0) view.listings.delete(key);
  const { path } = place.directory;
  return LruMap.remember(view.listings, key, () => (path ? pathListing(view, path) : rootListing(view)));
}

/** Somebody has read it to the end. */
export const endOfListing = (view: View, place: Place): void => view.listings.delete(listingKey(place));

const listingKey = (place: Place): string =>
  place.kind === 'object' ? `${place.slot.index}:${objectKey(place.slot.seq, place.node)}` : place.directory.key;

async function pastListing(view: View, slot: Slot, directory: NodeId): Promise<Listing> {
  const all = await view.history.list(directory, slot.seq);
  const there = await slot.lens?.shows(directory, all);
  const names = there ? all.filter((_, i) => there[i]) : all;
  return {
    length: names.length,
    slot,
    slice: async (from, count) => {
      const some = names.slice(from, from + count);
      const attrs = await view.history.attrs(some.map(({ node }) => node), slot.seq);
      if (!view.provisional(slot.seq)) rememberFiles(view, slot.seq, some.map(({ node }, i) => ({ node, attr: attrs[i] ?? null })));
      return Promise.all(some.map(async ({ name, node }, i) => {
        const attr = attrs[i];
        return listedObject(slot, name, node, attr ? await shown(view, node, slot.seq, attr) : null);
      }));
    },
  };
}

function rememberFiles(view: View, seq: Seq, objects: readonly { node: NodeId; attr: NodeAttr | null }[]): void {
  const files = objects.flatMap(({ node, attr }) => (attr && (attr.mode & S_IFMT) === S_IFREG && !attr.uncaptured ? [{ node, size: attr.size }] : []));
  const siblings = siblingsOf(seq, files);
  for (const { node, size } of files) view.files.set(objectKey(seq, node), { size });
  siblings.files.forEach(({ node, size }, index) => view.files.set(objectKey(seq, node), { size, among: { siblings, index } }));
}

function listedObject(slot: Slot, name: Name, node: NodeId, attr: ShownAttr | null): Listed {
  const ino = inoOf(node, slot.seq);
  const entry = attr && { nodeid: nodeidOf(slot, node), ino, attr, nameSeconds: FOREVER, attrSeconds: FOREVER };
  return { name, ino, mode: attr?.mode ?? 0, entry };
}

const fixed = (listed: Listed[]): Listing => ({
  length: listed.length,
  slot: null,
  slice: async (from, count) => listed.slice(from, from + count),
});

const directoryNamed = (name: Name, ino: U64): Listed => ({ name, ino, mode: S_IFDIR, entry: null });

async function rootListing(view: View): Promise<Listing> {
  const points = [...(await pointNames(view))].map(([name, seq]) => directoryNamed(name, inoOf(ROOT, seq)));
  return fixed([...points, directoryNamed(PATHS, syntheticIno(pathKey([])))]);
}

async function pathListing(view: View, path: readonly Name[]): Promise<Listing> {
  await view.source.settle();
  const lives = await livesOf(view.history, path);
  const names = await namesIn(view.history, lives);
  const versions = await versionsIn(view.history, lives);
  const attrs = await Promise.all(versions.map(({ node, seq }) => view.history.attr(node, seq)));
  return fixed([
    ...names.map((name) => directoryNamed(name, syntheticIno(pathKey([...path, name])))),
    ...versions.map((version, i): Listed => ({
      name: versionName(version), ino: inoOf(version.node, version.seq), mode: attrs[i]?.mode ?? 0, entry: null,
    })),
  ]);
}
