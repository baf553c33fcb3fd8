/**
 * Every content that files had, the newest first: one for each save (lib/view/lives.ts counts saves so, too) and one for
 * what was there before the first. Guarantees: the cost is the changes asked for, and without `since` one look at each
 * object; memory is a few words for each file that changed. What a save by rename wrote has the name it was saved under.
 */
import type { HistoryReader } from '../../history/reader.js';
import { ROOT, type Birth, type Change, type Name, type NodeId, type Seq } from '../../history/types.js';
import { livesOf } from '../../view/lives.js';
import { isContent } from '../ancestry.js';
import { isFile } from '../compare.js';
import { saveKey } from '../grouping.js';
import { neverExisted } from '../nearest.js';
import { mapParallel } from '../parallel.js';
import { Tracks } from '../tracks.js';

/** A file as it was. */
export interface Version {
  node: NodeId;
  /** The last change of its content. */
  state: Seq;
  /** The path leads to that content at this seq: at `state`, or when a rename gave it this name. */
  seq: Seq;
  path: Name[];
}

interface Place {
  path: Name[];
  seq: Seq;
  inside: boolean;
}

/** What is known of a file on the way back: the save that we are in, and the newest name of what was before it. */
interface Known {
  save: Seq;
  /** The oldest content that was told of; Infinity: none yet. */
  state: Seq;
  named: Place | null;
}

/** @throws ERR_NEVER_EXISTED */
export async function* contentsBack(history: HistoryReader, path: Name[], since: Seq, until: Seq): AsyncGenerator<Version> {
  const lives = await livesOf(history, path);
  const unknown = lives.length === 0 ? await neverExisted(history, path) : null;
  if (unknown) throw unknown;
  const tops = new Set(path.length === 0 ? [ROOT] : lives.map(({ node }) => node));
  const tracks = new Tracks(history, tops);
  const known = new Map<NodeId, Known>();
  for await (const change of history.changes(since, until, { reverse: true })) {
    const version = isContent(change) ? await ofContent(tracks, known, change) : null;
    if (!isContent(change)) await ofName(tracks, known, change);
    if (version) yield version;
  }
  yield* firstContents(history, known, tracks, since, until);
}

async function ofContent(tracks: Tracks, known: Map<NodeId, Known>, { node, seq, ...change }: Change): Promise<Version | null> {
  const save = saveKey({ node, seq, ...change });
  const now = known.get(node);
  const goesOn = now !== undefined && save !== 0 && now.save === save;
  known.set(node, { save, state: seq, named: null });
  if (goesOn || now?.state === seq) return null;
  const place = now?.named ?? await placeAt(tracks, node, seq);
  return place?.inside === true ? { node, state: seq, seq: place.seq, path: place.path } : null;
}

async function placeAt(tracks: Tracks, node: NodeId, seq: Seq): Promise<Place | null> {
  const places = await tracks.places(node, seq);
  const place = places.find(({ inside }) => inside) ?? places[0];
  return place ? { ...place, seq } : null;
}

/** A name that a file got is the newest name of the content that it had then; a name that it lost ends a save. */
async function ofName(tracks: Tracks, known: Map<NodeId, Known>, change: Change): Promise<void> {
  const { node, seq, parent, name, parent2, name2, target, exchange } = change;
  const ends = (gone: NodeId): void => { known.set(gone, { save: 0, state: known.get(gone)?.state ?? Infinity, named: null }); };
  const gets = async (got: NodeId, dir: NodeId | undefined, as: Name | undefined): Promise<void> => {
    const now = known.get(got);
    if (now?.named || dir === undefined || as === undefined || as === '') return;
    const slot = await tracks.slot(dir, as, seq);
    known.set(got, { save: now?.save ?? 0, state: now?.state ?? Infinity, named: slot && { path: slot.path, seq, inside: slot.inside || tracks.isTop(got) } });
  };
  if (change.marker === 'delete') ends(node);
  else if (change.marker === 'rename') await gets(node, parent2, name2);
  else if (change.marker === 'create') await gets(node, parent, name);
  if (target !== undefined && exchange) await gets(target, parent, name);
  else if (target !== undefined) ends(target);
}

/** What no change explains: files as history first saw them. */
async function* firstContents(history: HistoryReader, known: Map<NodeId, Known>, tracks: Tracks, since: Seq, until: Seq): AsyncGenerator<Version> {
  const range = await history.range();
  if (!range || since >= (range.last.seq)) return;
  const placeOf = async ({ node, seq }: Birth): Promise<Place | null> => known.get(node)?.named ?? await placeAt(tracks, node, seq);
  for await (const births of history.sweepBirths()) {
    const files = births.filter(({ node, seq, attr }) => isFile(attr) && attr.size > 0 && seq > since && seq <= until && (known.get(node)?.state ?? Infinity) > seq);
    const places = await mapParallel(files, placeOf);
    for (const [i, { node, seq }] of files.entries()) {
      const place = places[i];
      if (place?.inside) yield { node, state: seq, seq: place.seq, path: place.path };
    }
  }
}
