/**
 * What happened to a path: its saves, or every record. Guarantees: newest first; a deleted path too; the path's object is
 * followed back through its earlier names; `ver` counts from 1 within one life of the path, so that the same path made
 * anew begins again with 1. For a directory: what changed under it, whatever its name was then. The newest saves of a path cost
 * what they are made of, however long it was written to before.
 */
import type { HistoryReader } from '../history/reader.js';
import { ROOT, type Change, type Name, type NodeId, type Seq } from '../history/types.js';
import { livesOf, type Life } from '../view/lives.js';
import { isDir, isFile } from './compare.js';
import { Grouper, isBirth, isFileKind, isNamed, runOf, runsOf, YOUNG_NS, type Group, type Run } from './grouping.js';
import { neverExisted } from './nearest.js';
import { mapParallel, mapStream } from './parallel.js';
import { portionsOf, type Portion } from './portions.js';
import { madeDirectory, nameTold } from './told.js';
import { Tracks } from './tracks.js';
import type { ListOptions, Save, WriteEntry } from './types.js';
import { WriterCache } from './writers.js';

/**
 * The saves of a path, newest first.
 * @throws ERR_NEVER_EXISTED naming the nearest path that did.
 */
export async function* listSaves(history: HistoryReader, path: Name[], options: ListOptions = {}): AsyncGenerator<Save> {
  const subject = await subjectOf(history, path);
  let left = options.limit ?? Infinity;
  for await (const save of subject.isDir ? directorySaves(history, subject, options) : pathSaves(history, path, subject, options)) {
    if (left <= 0) return;
    if (await options.wanted?.(save) === false) continue;
    left--;
    yield save;
  }
}

/**
 * Every record of a path, newest first; for a directory of what lies under it.
 * @throws ERR_NEVER_EXISTED naming the nearest path that did.
 */
export async function* listWrites(history: HistoryReader, path: Name[], options: ListOptions = {}): AsyncGenerator<WriteEntry> {
  const subject = await subjectOf(history, path);
  const writers = new WriterCache(history);
  const tracks = new Tracks(history, subject.tops);
  let left = options.limit ?? Infinity;
  const changes = subject.isDir ? backwards(history, options) : ownChanges(history, subject, options);
  for await (const { item: change, answer: place } of mapStream(changes, (one) => placeOf(tracks, one, path))) {
    if (left <= 0) return;
    const mine = subject.isDir ? place.inside : concerns(subject, change, place, path, true);
    if (!mine) continue;
    const writer = await writers.get(change.writer);
    const { seq, timeNs, kind, marker, node, offset, length, size, save, givenUp, writeback, unmounted } = change;
    const from = place.from === null ? {} : { from: place.from };
    if (await options.wanted?.({ marker, writer, path: place.path, ...from, node, seq }) === false) continue;
    left--;
    yield { seq, timeNs, kind, marker, path: place.path, ...from, node, offset, length, size, save, givenUp: givenUp?.count ?? 0, writer, writeback, unmounted };
  }
}

interface Subject {
  lives: Life[];
  /** Objects whose changes are the path's. */
  tops: Set<NodeId>;
  isDir: boolean;
}

async function subjectOf(history: HistoryReader, path: Name[]): Promise<Subject> {
  const known = await livesOf(history, path);
  const lives = known.length > 0 ? known : await livesOf(history, path, (parent, name) => nameTold(history, parent, name));
  const last = lives.at(-1);
  if (!last) throw await neverExisted(history, path) ?? new Error(`no life of a path that existed: ${path.join('/')}`);
  const attr = await history.attr(last.node, last.from);
  return { lives, tops: new Set(path.length === 0 ? [ROOT] : lives.map((life) => life.node)), isDir: attr === null ? await madeDirectory(history, last.node) : isDir(attr) };
}

const backwards = (history: HistoryReader, { since, until }: ListOptions): AsyncIterable<Change> =>
  history.changes(since ?? 0, until ?? history.watermark(), { reverse: true });

async function* ownChanges(history: HistoryReader, subject: Subject, { since, until, limit }: ListOptions): AsyncGenerator<Change> {
  let listed = 0;
  for await (const { changes } of portionsOf(history, subject.tops, { after: since, upTo: until, growing: limit !== undefined })) {
    const all = new Map(changes.flat().map((change) => [change.record, change]));
    yield* [...all.values()].sort((a, b) => b.seq - a.seq || b.record - a.record).slice(listed);
    listed = all.size;
  }
}

async function* directorySaves(history: HistoryReader, subject: Subject, options: ListOptions): AsyncGenerator<Save> {
  const grouper = new Grouper(options.raw === true);
  const tracks = new Tracks(history, subject.tops);
  const writers = new WriterCache(history);
  const insiders = new Map<Change, Located>();
  const flush = async function* (cursor: Change | null): AsyncGenerator<Save> {
    yield* await mapParallel(grouper.ready(cursor), async (group) => {
      const place = insiders.get(group.last) ?? (group.named && insiders.get(group.named)) ?? await placeNow(history, tracks, group.last);
      insiders.delete(group.last);
      return await saveOf(history, group, group.marker === 'rename' || place.from === null ? place : { ...place, from: null }, writers);
    });
  };
  /** Of a change of the whole tree that named nothing, once it is known what save it belongs to. */
  const isLater = (change: Change): boolean => subject.tops.has(ROOT) && !isNamed(change);
  const seen = mapStream(backwards(history, options), async (change) => ({
    place: isLater(change) ? null : await placeOf(tracks, change, null), young: await isYoung(history, change),
  }));
  let passed = 0;
  for await (const { item: change, answer: { place, young } } of seen) {
    if (isLater(change) || place?.inside === true) {
      if (place) insiders.set(change, place);
      grouper.add(runOf(change), young);
    }
    if (++passed % 256 !== 0) continue;
    yield* flush(change);
    const waiting = grouper.waiting();
    for (const known of insiders.keys()) if (!waiting.has(known)) insiders.delete(known);
  }
  yield* flush(null);
}

async function* pathSaves(history: HistoryReader, path: Name[], subject: Subject, { since = 0, until = Infinity, limit, raw = false }: ListOptions): AsyncGenerator<Save> {
  const tracks = new Tracks(history, subject.tops);
  const writers = new WriterCache(history);
  let listed = 0;
  for await (const portion of portionsOf(history, subject.tops, { growing: limit !== undefined })) {
    const found = await mapParallel(await groupsIn(history, portion, raw), async (group) => {
      const place = await placeOf(tracks, group.named ?? group.last, path);
      if (!concerns(subject, group.last, place, path, raw)) return null;
      const left = place.from?.join('/') === path.join('/');
      return await saveOf(history, left ? { ...group, marker: 'rename' } : group, left || group.marker === 'rename' ? place : { ...place, from: null }, writers);
    });
    const saves = found.filter((save) => save !== null);
    if (portion.from === null) {
      const first = await foundAtFirstMount(history, path, subject, saves);
      if (first) saves.push(first);
      number(saves, path);
    }
    yield* saves.slice(listed).filter((save) => save.seq > since && save.seq <= until);
    listed = saves.length;
  }
}

/** The saves that all of is in a portion, newest first. */
async function groupsIn(history: HistoryReader, { changes, from }: Portion, raw: boolean): Promise<Group[]> {
  const runs = new Map<Seq, Run>();
  for (const own of changes) for (const run of runsOf(own)) runs.set(run.last.record, run);
  const sorted = [...runs.values()].sort((a, b) => b.last.seq - a.last.seq || b.last.record - a.last.record);
  const young = await mapParallel(sorted, (run) => isYoung(history, run.last));
  const grouper = new Grouper(raw);
  for (const [i, run] of sorted.entries()) grouper.add(run, young[i]!);
  const groups = [...grouper.ready(from)];
  const cut = from === null ? -1 : groups.findIndex(({ key }) => key !== 0 && key <= from.seq);
  return cut < 0 ? groups : groups.slice(0, cut);
}

/** Of a change of the whole tree that named nothing. */
async function placeNow(history: HistoryReader, tracks: Tracks, { node, seq }: Change): Promise<Located> {
  return { path: await history.pathOf(node, seq) ?? (await tracks.places(node, seq))[0]?.path ?? null, from: null, inside: true };
}

/** Counts the saves of each life, oldest first, up to one that stands for others. */
function number(saves: Save[], path: Name[]): void {
  const here = path.join('/');
  let ver: number | null = 0;
  for (const save of [...saves].reverse()) {
    if (save.marker === 'create') ver = 0;
    const leaves = save.marker === 'delete' || (save.marker === 'rename' && save.from?.join('/') === here);
    if (save.givenUp > 0) ver = null;
    save.ver = leaves || ver === null ? null : ++ver;
    if (leaves) ver = 0;
  }
}

/** What the first mount found is a version, too; no record of the timeline made it. */
async function foundAtFirstMount(history: HistoryReader, path: Name[], { lives, tops }: Subject, saves: Save[]): Promise<Save | null> {
  const range = await history.range();
  const first = lives[0];
  if (!range || !first) return null;
  const { seq, timeNs } = range.first;
  const earliest = first.from === seq ? first.node : saves.at(-1)?.node;
  if (earliest === undefined || !tops.has(earliest) || saves.some((save) => save.seq === seq && save.node === earliest)) return null;
  const [attr, place] = await Promise.all([history.attr(earliest, seq), history.pathOf(earliest, seq)]);
  if (!attr || !place) return null;
  return {
    seq, firstSeq: seq, timeNs, marker: 'create', ver: null, size: isFile(attr) ? attr.size : null, path: first.from === seq ? path : place, node: earliest,
    records: 0, givenUp: 0, writer: null, writeback: false, unmounted: true,
  };
}

/**
 * Does a change of one of the path's objects belong to the path? While the object lay there; when it came or left; and
 * before it came, under its earlier names, if there was nothing at the path that it took the place of (raw: always).
 */
function concerns({ lives }: Subject, change: Change, { path: at, from }: Located, path: Name[], raw: boolean): boolean {
  const here = path.join('/');
  const isHere = (place: Name[] | null): boolean => place?.join('/') === here;
  for (const [i, life] of lives.entries()) {
    if (life.node !== change.node) continue;
    const within = change.seq >= life.from && change.seq < life.until;
    const otherName = isNamed(change) && !isHere(at) && !isHere(from);
    if (within && !otherName) return true;
    if (change.seq === life.until && (isHere(at) || isHere(from))) return true;
    const before = lives[i - 1];
    const replaced = !raw && before !== undefined && before.until === life.from;
    const firstOfNode = !lives.slice(0, i).some((other) => other.node === life.node);
    if (change.seq < life.from && firstOfNode && !replaced && (change.marker === 'modify' || change.marker === 'rename' || isBirth(change))) return true;
  }
  return false;
}

interface Located {
  path: Name[] | null;
  from: Name[] | null;
  inside: boolean;
}

/** Where a change took place. With several names: the one asked for. */
async function placeOf(tracks: Tracks, change: Change, preferred: Name[] | null): Promise<Located> {
  const { seq, parent, name, parent2, name2 } = change;
  const own = parent === undefined || name === undefined || name === '' ? null : { parent, name };
  if (own && change.marker === 'rename' && parent2 !== undefined && name2 !== undefined) {
    const [to, from] = [await tracks.slot(parent2, name2, seq), await tracks.slot(own.parent, own.name, seq)];
    return { path: to?.path ?? null, from: from?.path ?? null, inside: to?.inside === true || from?.inside === true || tracks.isTop(change.node) };
  }
  if (own) {
    const place = await tracks.slot(own.parent, own.name, seq);
    return { path: place?.path ?? null, from: null, inside: place?.inside === true || tracks.isTop(change.node) };
  }
  const places = await tracks.places(change.node, seq);
  const here = preferred?.join('/');
  const chosen = places.find((place) => place.path.join('/') === here) ?? places.find((place) => place.inside) ?? places[0];
  return { path: chosen?.path ?? null, from: null, inside: chosen?.inside === true };
}

/** Was the object made shortly before it got this name? */
async function isYoung(history: HistoryReader, change: Change): Promise<boolean> {
  if (change.marker !== 'rename') return false;
  const attr = await history.attr(change.node, change.seq);
  return attr !== null && isFile(attr) && attr.btime > 0n && change.timeNs - attr.btime < YOUNG_NS;
}

async function saveOf(history: HistoryReader, group: Group, place: Located, writers: WriterCache): Promise<Save> {
  const { first, last, marker, node, records, givenUp } = group;
  return {
    seq: last.seq, firstSeq: first.seq, timeNs: last.timeNs, marker, ver: null, size: await sizeOf(history, group),
    path: place.path, ...(place.from === null ? {} : { from: place.from }), node, records, givenUp,
    writer: await writers.get(last.writer), writeback: last.writeback, unmounted: last.unmounted,
  };
}

async function sizeOf(history: HistoryReader, { marker, last, first, node }: Group): Promise<number | null> {
  if (marker === 'delete') return null;
  const known = isFileKind(last.kind) ?? isFileKind(first.kind);
  if (known !== null) return known ? last.size : null;
  const attr = await history.attr(node, last.seq);
  return attr && isFile(attr) ? attr.size : null;
}
