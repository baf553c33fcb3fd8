/**
 * What to do about each kind of finding. Guarantees: an edit adds what follows from the rest, or takes away what nothing says;
 * what cannot be had is told as lost; nothing is edited twice for one reason, so that it ends.
 */
import type { History } from '../history/history.js';

import { getU64 } from '../history/keys.js';
import { union, type Retention } from '../history/retained.js';
import type { Rocks } from '../history/rocks.js';
import { CONTENT_HEAD, decodeTimes } from '../history/values.js';
import type { Finding, FindingKind } from '../verify/findings.js';
import { verify } from '../verify/verify.js';
import { isOfTheChain, mendChain } from './chain.js';
import { mendContents, type Source } from './contents.js';
import { bindingsAnew, clockAnew, hashesAnew, referencesAnew } from './derive.js';
import { Losses } from './losses.js';
import { mendLink, mendName } from './names.js';
import { standIns, straighten, withoutContent, type LostContent } from './states.js';
import { mendTimes } from './times.js';

/** More rounds than any kind of finding needs after another. */
const ROUNDS = 8;

export interface Round { mended: { what: string; count: number }[]; lost: LostContent[] }

/** Everything that verify says of it. */
export async function findingsOf(history: History, signal: AbortSignal): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const found of verify(history, { deep: true, journal: null, signal })) if ('kind' in found) findings.push(found);
  return findings;
}

/** Cold files lie elsewhere: what is wrong with them is nobody's to mend here. */
export const isMendable = ({ kind }: Finding): boolean => kind !== 'cold-away' && kind !== 'cold-damaged';

/** Mends until nothing is found that can be mended; answers a round after the other. */
export async function* rounds(history: History, source: Source, signal: AbortSignal): AsyncGenerator<Round> {
  for (let round = 0; round < ROUNDS; round++) {
    const findings = (await findingsOf(history, signal)).filter(isMendable);
    if (findings.length === 0) return;
    // What is made anew as it was fits the chain again: that is looked at when all else is mended.
    if (findings.every(isOfTheChain)) yield { mended: [{ what: 'links of the chain, which say now that they do not fit', count: await mendChain(history, findings, BigInt(Date.now()) * 1_000_000n) }], lost: [] };
    else yield await mend(history, findings, source);
  }
}

async function mend(history: History, findings: readonly Finding[], source: Source): Promise<Round> {
  const { rocks } = history;
  const done: Round = { mended: [], lost: [] };
  const of = (...kinds: FindingKind[]): Finding[] => findings.filter(({ kind }) => kinds.includes(kind));
  const when = async (some: readonly Finding[], what: string, act: () => Promise<unknown>): Promise<void> => {
    if (some.length === 0) return;
    await act();
    done.mended.push({ what, count: some.length });
  };
  const links = of('link-without-name');
  await when(links, 'names, from what objects say', async () => {
    for (const { key } of await presentFirst(rocks, links)) await mendName(rocks, key);
  });
  const names = of('name-without-link');
  await when(names, 'names of objects, from what directories say', async () => {
    for (const { key } of names) await mendLink(rocks, key);
  });
  const stateless = of('name-without-node');
  done.lost.push(...await standInsFor(history, stateless));
  const crossed = of('states-out-of-order');
  await when(crossed, 'states that reached into each other', async () => {
    done.lost.push(...await withoutContent(rocks, await straighten(rocks, crossed.flatMap(({ node }) => node ?? []))));
  });
  if (of('content-missing', 'content-chain', 'content-damaged', 'block-damaged').length > 0) {
    const { saved, lost } = await mendContents(rocks, source);
    if (saved > 0) done.mended.push({ what: 'pieces of content, from elsewhere', count: saved });
    done.lost.push(...await withoutContent(rocks, lost));
    await hashesAnew(rocks);
  } else {
    await when(of('hash-astray'), 'hashes, from content', () => hashesAnew(rocks));
  }
  const times = of('times-gap', 'time-decreases');
  const { first, firstTimeNs, watermark } = history.meta();
  await when(times, 'times of records, from changes and the records beside them', () => mendTimes(rocks, first, firstTimeNs, watermark));
  await when([...times, ...of('clock-astray')], 'the clock, from times', () => clockAnew(rocks));
  await when(of('reference-without-change', 'change-without-reference'), 'which changes concern an object, from changes', () => referencesAnew(rocks));
  const points = of('point-out-of-range');
  await when(points, 'points that named no instant', async () => {
    const batch = rocks.batch();
    for (const { key } of points) batch.delete('points', key);
    await rocks.commit(batch);
  });
  await when(of('retention-crossed'), 'which instants were given up', () => history.forget(rocks.batch(), uncrossed(history.retention(), watermark)));
  return done;
}

/** Of one instant the object that has a name from then on counts before the one that has it no more. */
async function presentFirst(rocks: Rocks, findings: readonly Finding[]): Promise<Finding[]> {
  const values = await rocks.getMany('links', findings.map(({ key }) => key));
  const [present, gone]: [Finding[], Finding[]] = [[], []];
  findings.forEach((finding, i) => ((values[i]?.length ?? 0) > 0 ? present : gone).push(finding));
  return [...present, ...gone];
}

async function standInsFor(history: History, findings: readonly Finding[]): Promise<LostContent[]> {
  const losses = new Losses();
  for (const value of await history.rocks.getMany('names', findings.map(({ key }) => key))) {
    if (value !== null && value.length >= 8) losses.add('nodes', value.subarray(0, 8), value.subarray(0, 8), '');
  }
  return await standIns(history.rocks, losses.all, history.meta().first);
}

/** Where stretches cross each other, all that either hides is hidden. */
function uncrossed(retention: Retention, watermark: number): Retention {
  const apart: Retention['merged'] = [];
  for (const { from, to } of union(retention.merged, retention.due, retention.timeline.done)) {
    const last = apart.at(-1);
    if (last !== undefined && from < last.to) last.to = Math.max(last.to, Math.min(to, watermark));
    else apart.push({ from: Math.min(from, watermark), to: Math.min(to, watermark) });
  }
  return { ...retention, merged: apart, due: [], trash: [], work: null };
}

/** Families of which verify cannot miss what is gone: nothing names it. */
export type Unmissed = 'hashes' | 'inodes' | 'times';

export async function missingFamilies(history: History): Promise<Unmissed[]> {
  const { rocks } = history;
  const missing: Unmissed[] = [];
  if (await rocks.peek('inodes', {}) === null && await rocks.peek('nodes', {}) !== null) missing.push('inodes');
  const last = await rocks.peek('times', {}, true);
  // One that is no run of times ends nowhere.
  const end = last === null || last.value.length < 8 ? 0 : getU64(last.key, 0) + decodeTimes(last.value).count - 1;
  if (end < history.watermark()) missing.push('times');
  if (await rocks.peek('hashes', {}) === null) {
    for await (const { value } of rocks.scan('content', {}, { capacity: 64 })) {
      if (value.subarray(1, CONTENT_HEAD).every((byte) => byte === 0)) continue;
      missing.push('hashes');
      break;
    }
  }
  return missing;
}

export async function makeMissing(history: History, families: readonly Unmissed[]): Promise<void> {
  const { rocks } = history;
  const { first, firstTimeNs, watermark } = history.meta();
  if (families.includes('hashes')) await hashesAnew(rocks);
  if (families.includes('inodes')) await bindingsAnew(rocks);
  if (!families.includes('times')) return;
  await mendTimes(rocks, first, firstTimeNs, watermark);
  await clockAnew(rocks);
}
