/**
 * What history knows of itself, mended first: all else is judged by it. Guarantees: a database of a newer format or of another
 * store is refused; ids are never given twice; where it is not known which instants were given up, none but the newest is
 * answered for.
 */
import { RewindError } from '../errors.js';
import { getU64, u64Key } from '../history/keys.js';
import { decodeMeta, EMPTY_META, encodeMeta, HISTORY_FORMAT, META_FOLD, META_FORMAT, META_STORE, type FoldMeta } from '../history/meta.js';
import { decodeRetention, encodeRetention, MERGED_CONTENT, META_RETENTION, NOTHING_MERGED, type Retention } from '../history/retained.js';
import type { Rocks } from '../history/rocks.js';
import { decodeTimes } from '../history/values.js';
import { META_PACK } from '../pack/progress.js';
import type { Seq } from '../history/types.js';
import { completeUpTo } from './complete.js';
import type { Losses } from './losses.js';
import type { Salvaged } from './salvage.js';

/** What was done, in words; empty when all was well. */
export type Mended = string[];

const META_SWEEP = Buffer.from('sweep');

/** @throws ERR_STORE_FORMAT, ERR_STORE_CORRUPT */
export async function mendMeta(rocks: Rocks, storeId: Buffer, losses: Losses, salvaged: Salvaged | null): Promise<Mended> {
  const mended: Mended = [];
  const batch = rocks.batch();
  const put = (key: Buffer, value: Buffer, what: string): void => {
    batch.put('meta', key, value);
    mended.push(what);
  };
  try {
    const [format, store, fold, retention] = await rocks.getMany('meta', [META_FORMAT, META_STORE, META_FOLD, META_RETENTION]);
    expectOurs(rocks.directory, format ?? null, store ?? null, storeId);
    if (format?.length !== 4) put(META_FORMAT, formatValue(), 'the format of history');
    if (store == null) put(META_STORE, storeId, 'the id of the store');
    const isLost = losses.in('meta').length > 0;
    const known = attempt(() => decodeMeta(fold!));
    if (salvaged?.fold != null && known !== null && !isLost) {
      if (!salvaged.fold.equals(fold!)) put(META_FOLD, salvaged.fold, `how far history goes: #${decodeMeta(salvaged.fold).watermark}, of #${known.watermark} not all is there`);
    } else if (known === null || isLost) {
      const guessed = await foldFromRest(rocks);
      // What a log says is newer than what tables held.
      if (known === null || known.watermark < guessed.watermark) put(META_FOLD, encodeMeta(guessed), `how far history goes: #${guessed.watermark}`);
    }
    if (salvaged?.cut != null && salvaged.fold === null && known !== null && !isLost) {
      const kept = retention == null ? NOTHING_MERGED : decodeRetention(retention);
      const watermark = await completeUpTo(rocks, kept, known.watermark);
      if (watermark < known.watermark) put(META_FOLD, encodeMeta({ ...known, watermark, timeNs: await timeOf(rocks, watermark) ?? known.timeNs }), `how far history goes: #${watermark}, of #${known.watermark} not all is there`);
    }
    if (isLost && retention == null || retention != null && attempt(() => decodeRetention(retention)) === null) {
      const { watermark } = await foldFromRest(rocks);
      // Where every change still has its effect, none was ever merged with others.
      if (await completeUpTo(rocks, NOTHING_MERGED, watermark) < watermark) put(META_RETENTION, encodeRetention(await everythingHidden(rocks, watermark)), 'which instants were given up: not known any more, so that only the newest is answered for');
      else if (retention != null) put(META_RETENTION, encodeRetention(NOTHING_MERGED), 'which instants were given up: none');
    }
    if (isLost) {
      const { nextContent } = await foldFromRest(rocks);
      put(META_PACK, Buffer.from(JSON.stringify({ next: nextContent, cold: nextContent })), 'how far packing has come');
    } else {
      for (const key of [META_PACK, META_SWEEP]) await dropUnreadable(rocks, key, () => { batch.delete('meta', key); mended.push(`how far packing has come`); });
    }
  } catch (error) {
    batch.end();
    throw error;
  }
  if (mended.length > 0) await rocks.commit(batch);
  else batch.end();
  return mended;
}

function expectOurs(directory: string, format: Buffer | null, store: Buffer | null, storeId: Buffer): void {
  const version = format?.length === 4 ? format.readUInt32BE(0) : HISTORY_FORMAT;
  if (version > HISTORY_FORMAT || version === 1) throw new RewindError('ERR_STORE_FORMAT', `history in ${directory} has format ${version}, this rewindfs knows up to ${HISTORY_FORMAT}`, 'Use the version of rewindfs that wrote it.');
  if (store !== null && store.length === 16 && !store.equals(storeId)) {
    throw new RewindError('ERR_STORE_CORRUPT', `history in ${directory} belongs to store ${store.toString('hex')}, expected ${storeId.toString('hex')}`, 'Put back the history directory of this store: `rewind repair` never joins two stores.');
  }
}

function formatValue(): Buffer {
  const value = Buffer.alloc(4);
  value.writeUInt32BE(HISTORY_FORMAT);
  return value;
}

/** null where it cannot be done. */
function attempt<T>(act: () => T): T | null {
  try {
    return act();
  } catch {
    return null;
  }
}

async function timeOf(rocks: Rocks, seq: Seq): Promise<bigint | null> {
  const run = await rocks.peek('times', { lte: u64Key(seq) }, true);
  return run === null ? null : decodeTimes(run.value).at(seq - getU64(run.key, 0));
}

async function dropUnreadable(rocks: Rocks, key: Buffer, drop: () => void): Promise<void> {
  const value = await rocks.get('meta', key);
  if (value !== null && attempt(() => JSON.parse(value.toString()) as unknown) === null) drop();
}

/** Where the fold stands, from what it has written. */
async function foldFromRest(rocks: Rocks): Promise<FoldMeta> {
  const meta: FoldMeta = { ...EMPTY_META, baselined: true, unmountedNoted: true };
  const first = await rocks.peek('times', {});
  for await (const { key, value } of rocks.scan('times', {})) {
    const times = attempt(() => decodeTimes(value));
    if (times === null || times.count < 1) continue;
    if (meta.watermark !== 0 && getU64(key, 0) !== meta.watermark + 1) break;
    meta.watermark = getU64(key, 0) + times.count - 1;
    meta.timeNs = times.at(times.count - 1);
  }
  if (first !== null) Object.assign(meta, { first: getU64(first.key, 0), firstTimeNs: decodeTimes(first.value).first });
  Object.assign(meta, { mount: meta.first, mountTimeNs: meta.firstTimeNs });
  for await (const { key, value } of rocks.scan('points', {})) {
    const point = attempt(() => JSON.parse(value.toString()) as { kind?: string; timeNs?: string });
    if (point?.kind === 'mount' && getU64(key, 0) <= meta.watermark) Object.assign(meta, { mount: getU64(key, 0), mountTimeNs: BigInt(point.timeNs ?? 0) });
  }
  for (const family of ['nodes', 'links', 'blocks', 'nodechanges'] as const) {
    const last = await rocks.peek(family, {}, true);
    if (last !== null) meta.nextNode = Math.max(meta.nextNode, getU64(last.key, 0) + 1);
  }
  meta.nextContent = await lastContent(rocks, MERGED_CONTENT) + 1;
  return meta;
}

/** The largest id below `end` that a content has. */
async function lastContent(rocks: Rocks, end: number): Promise<number> {
  const last = await rocks.peek('content', { lt: u64Key(end) }, true);
  return last === null ? 0 : getU64(last.key, 0);
}

async function everythingHidden(rocks: Rocks, watermark: number): Promise<Retention> {
  const last = await lastContent(rocks, Number.MAX_SAFE_INTEGER);
  return { ...NOTHING_MERGED, merged: watermark > 1 ? [{ from: 0, to: watermark }] : [], nextContent: Math.max(MERGED_CONTENT, last + 1) };
}

