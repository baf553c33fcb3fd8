/**
 * Names over all of history, deleted ones too. Guarantees: content is never read; the cost is one pass over the names of
 * history and a look at each that matches; a path that something was put in place of without a gap (a save by rename, an
 * exchange) is one hit as long as its type stays.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Name, NodeAttr, NodeId, Seq } from '../history/types.js';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from './compare.js';
import { compileGlob } from '../glob.js';
import { neverExisted } from './nearest.js';
import { mapParallel } from './parallel.js';
import { isUnder } from './places.js';
import { staysOf, Whereabouts } from './whereabouts.js';

/** What is looked for. */
export interface FindOptions {
  /** Only at or under this path. */
  path?: Name[];
  /** Only what came or went after this seq ... */
  since?: Seq;
  /** ... and came (with `deleted`: went) not after this one. Default: all of history. */
  until?: Seq;
  /** Only what was gone at `until`. */
  deleted?: boolean;
  type?: 'f' | 'd' | 'l';
}

/** One life of a path: from when it came to when it went. */
export interface Found {
  path: Name[];
  /** What lay there last. */
  node: NodeId;
  from: Seq;
  /** When it went; null when it is still there. */
  until: Seq | null;
  /** The last seq at which it was there, not beyond the question's `until`. */
  last: Seq;
  attr: NodeAttr;
}

interface Piece {
  path: Name[];
  node: NodeId;
  from: Seq;
  until: Seq;
}

const TYPES = { f: S_IFREG, d: S_IFDIR, l: S_IFLNK };

/**
 * Lives of paths that match, sorted by path and time.
 * @throws ERR_USAGE for a pattern, ERR_NEVER_EXISTED for a path
 */
export async function* findNames(history: HistoryReader, pattern: string, options: FindOptions = {}, signal?: AbortSignal): AsyncGenerator<Found> {
  const glob = compileGlob(pattern);
  const { path = [], since = 0, until = history.watermark() } = options;
  const unknown = path.length > 0 ? await neverExisted(history, path) : null;
  if (unknown) throw unknown;
  const whereabouts = new Whereabouts(history);
  const pieces: Piece[] = [];
  for await (const spans of history.sweepNames()) {
    if (signal?.aborted) return;
    const candidates = spans.filter((span) => glob.mayEnd(span.name));
    const parents = [...new Set(candidates.map(({ parent }) => parent))];
    const directories = new Map((await mapParallel(parents, (parent) => whereabouts.directory(parent))).map((stays, i) => [parents[i]!, stays]));
    for (const span of candidates) {
      for (const stay of staysOf(span, directories.get(span.parent)!)) {
        if (isUnder(stay.path, path) && glob.matches(stay.path)) pieces.push({ ...stay, node: span.node });
      }
    }
  }
  for (const found of await joined(history, pieces, until)) {
    if (found.from > until) continue;
    const went = found.until !== null && found.until <= until ? found.until : null;
    if (options.type && (found.attr.mode & S_IFMT) !== TYPES[options.type]) continue;
    if (options.deleted ? went !== null && went > since : found.from > since || (went !== null && went > since)) yield found;
  }
}

/** Pieces of one path that follow each other without a gap and are of one type become one life, as it looked last at `until`. */
async function joined(history: HistoryReader, pieces: Piece[], until: Seq): Promise<Found[]> {
  const keyed = pieces.map((piece) => ({ piece, key: piece.path.join('/') }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.piece.from - b.piece.from));
  const lastOf = (piece: Piece): Seq => Math.max(piece.from, Math.min(piece.until - 1, until));
  const attrs = await history.attrsAt(keyed.map(({ piece }) => ({ node: piece.node, seq: lastOf(piece) })));
  const lives: Found[] = [];
  let lastKey = '';
  for (const [i, { piece, key }] of keyed.entries()) {
    const attr = attrs[i];
    if (!attr) continue;
    const went = piece.until === Infinity ? null : piece.until;
    const end = { node: piece.node, until: went, last: lastOf(piece), attr };
    const before = lastKey === key ? lives.at(-1) : undefined;
    if (before?.until === piece.from && (before.attr.mode & S_IFMT) === (attr.mode & S_IFMT)) Object.assign(before, piece.from > until ? { until: went } : end);
    else lives.push({ path: piece.path, from: piece.from, ...end });
    lastKey = key;
  }
  return lives;
}
