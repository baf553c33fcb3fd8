/**
 * What history knows of itself, mended first: all else is judged by it. Guarantees: a database of a newer format or of another
 * store is refused; ids are never given twice; where it is not known which instants were given up, none but the newest is
 * answered for.
 */
import { RewindError } from '../errors.js';
import { decodeChanges } from '../history/changes.js';
import { decodeLink } from '../history/chain.js';
import { decodeBook, META_COLD } from '../history/cold/book.js';
import { getU64, u64Key } from '../history/keys.js';
import { decodeMeta, EMPTY_META, encodeMeta, formatValue, META_FOLD, META_FORMAT, META_STORE, NEWEST_FORMAT, type FoldMeta } from '../history/meta.js';
import { decodeRetention, encodeRetention, MERGED_CONTENT, META_RETENTION, NOTHING_MERGED, type Retention } from '../history/retained.js';
import type { Rocks } from '../history/rocks.js';
import type { Seq } from '../history/types.js';
import { decodeTimes } from '../history/values.js';
import { META_PACK } from '../pack/progress.js';
import { completeUpTo } from './complete.js';
import type { Losses } from './losses.js';
import type { Salvaged } from './salvage.js';

const META_SWEEP = Buffer.from('sweep');

/** An entry of `meta` as it is to be; null: it goes. */
interface Edit { key: Buffer; value: Buffer | null; what: string }

/** Answers what was done, in words; nothing when all was well. @throws ERR_STORE_FORMAT, ERR_STORE_CORRUPT */
export async function mendMeta(rocks: Rocks, storeId: Buffer, losses: Losses, salvaged: Salvaged | null): Promise<string[]> {
  const [format, store, fold, retention] = await rocks.getMany('meta', [META_FORMAT, META_STORE, META_FOLD, META_RETENTION]);
  expectOurs(rocks.directory, format ?? null, store ?? null, storeId);
  const isLost = losses.in('meta').length > 0;
  const edits: Edit[] = [
    // Content may be in cold files, changes may have been given up.
    ...format?.length === 4 ? [] : [{ key: META_FORMAT, value: formatValue(NEWEST_FORMAT), what: 'the format of history' }],
    ...store?.length === 16 ? [] : [{ key: META_STORE, value: storeId, what: 'the id of the store' }],
    ...await foldEdits(rocks, fold ?? null, retention ?? null, isLost, salvaged),
    ...await retentionEdits(rocks, retention ?? null, isLost),
    ...await packingEdits(rocks, isLost),
  ];
  if (edits.length === 0) return [];
  const batch = rocks.batch();
  for (const { key, value } of edits) {
    if (value === null) batch.delete('meta', key);
    else batch.put('meta', key, value);
  }
  await rocks.commit(batch);
  return edits.map(({ what }) => what);
}

async function foldEdits(rocks: Rocks, fold: Buffer | null, retention: Buffer | null, isLost: boolean, salvaged: Salvaged | null): Promise<Edit[]> {
  const known = fold && attempt(() => decodeMeta(fold));
  const edit = (to: FoldMeta, more = ''): Edit[] => [{ key: META_FOLD, value: encodeMeta(to), what: `how far history goes: #${to.watermark}${more}` }];
  if (known === null || isLost) {
    const guessed = await foldFromRest(rocks);
    // What a log says is newer than what tables held.
    return known !== null && known.watermark >= guessed.watermark ? [] : edit(guessed);
  }
  const notAll = `, of #${known.watermark} not all is there`;
  const before = salvaged?.fold == null ? null : decodeMeta(salvaged.fold);
  if (before !== null) return before.watermark < known.watermark ? edit(before, notAll) : [];
  if (salvaged?.cut == null) return [];
  const watermark = await completeUpTo(rocks, retention && attempt(() => decodeRetention(retention)) || NOTHING_MERGED, known.watermark);
  return watermark < known.watermark ? edit({ ...known, watermark, timeNs: await timeOf(rocks, watermark) ?? known.timeNs }, notAll) : [];
}

async function retentionEdits(rocks: Rocks, retention: Buffer | null, isLost: boolean): Promise<Edit[]> {
  const isKnown = retention === null ? !isLost : attempt(() => decodeRetention(retention)) !== null;
  if (isKnown) return [];
  const { watermark } = await foldFromRest(rocks);
  // Where every change still has its effect, and none was given up, none was ever merged with others.
  const isWhole = !await hasThinned(rocks) && await completeUpTo(rocks, NOTHING_MERGED, watermark) === watermark;
  if (isWhole) return retention === null ? [] : [{ key: META_RETENTION, value: null, what: 'which instants were given up: none' }];
  return [{ key: META_RETENTION, value: encodeRetention(await everythingHidden(rocks, watermark)), what: 'which instants were given up: not known any more, so that only the newest is answered for' }];
}

/** Were changes given up? Only of what was merged they are. */
async function hasThinned(rocks: Rocks): Promise<boolean> {
  for await (const { key, value } of rocks.scan('chain', {})) if (attempt(() => decodeLink(getU64(key, 0), value))?.thinned != null) return true;
  return false;
}

/** Packing begins behind what may be packed already. */
async function packingEdits(rocks: Rocks, isLost: boolean): Promise<Edit[]> {
  const what = 'how far packing has come';
  if (isLost) {
    const { nextContent } = await foldFromRest(rocks);
    return [{ key: META_PACK, value: Buffer.from(JSON.stringify({ next: nextContent, cold: nextContent })), what }];
  }
  const edits: Edit[] = [];
  for (const key of [META_PACK, META_SWEEP]) {
    const value = await rocks.get('meta', key);
    if (value !== null && attempt(() => JSON.parse(value.toString()) as unknown) === null) edits.push({ key, value: null, what });
  }
  const book = await rocks.get('meta', META_COLD);
  if (book !== null && attempt(() => decodeBook(book)) === null) edits.push({ key: META_COLD, value: null, what: 'where cold content lies: in the directory of the policy' });
  return edits;
}

function expectOurs(directory: string, format: Buffer | null, store: Buffer | null, storeId: Buffer): void {
  const version = format?.length === 4 ? format.readUInt32BE(0) : NEWEST_FORMAT;
  if (version > NEWEST_FORMAT || version === 1) throw new RewindError('ERR_STORE_FORMAT', `history in ${directory} has format ${version}, this rewindfs knows up to ${NEWEST_FORMAT}`, 'Use the version of rewindfs that wrote it.');
  if (store !== null && store.length === 16 && !store.equals(storeId)) {
    throw new RewindError('ERR_STORE_CORRUPT', `history in ${directory} belongs to store ${store.toString('hex')}, expected ${storeId.toString('hex')}`, 'Put back the history directory of this store: `rewind repair` never joins two stores.');
  }
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
  await extendByChanges(rocks, meta);
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

/** Where the times are lost, too, the timeline tells how far history goes; the first record is a mount. */
async function extendByChanges(rocks: Rocks, meta: FoldMeta): Promise<void> {
  const [oldest, newest] = [await rocks.peek('changes', {}), await rocks.peek('changes', {}, true)];
  if (oldest === null || newest === null) return;
  const last = decodeChanges(newest.key, newest.value).at(-1)!;
  if (meta.first === 0) Object.assign(meta, { first: 1, firstTimeNs: decodeChanges(oldest.key, oldest.value)[0]!.timeNs });
  if (last.record > meta.watermark) Object.assign(meta, { watermark: last.record, timeNs: last.timeNs });
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

