/**
 * What was given up waits before it goes. Guarantees: until it is due nothing of it is deleted, and taking it back makes
 * history answer for every instant of it again; a pinned instant is never given up.
 */
import { isDeepStrictEqual } from 'node:util';
import { RewindError } from '../errors.js';
import type { History } from '../history/history.js';
import { union, type Forgetting, type Part, type Retention, type Stretch, type Trashed } from '../history/retained.js';
import type { Seq } from '../history/types.js';
import { stillThere, type PartPlan } from './plan.js';

const NS_PER_MS = 1_000_000n;

/** Instants of points that nothing expires. */
export async function pinnedInstants(history: History): Promise<Seq[]> {
  return (await history.points()).filter(({ pinned }) => pinned).map(({ seq }) => seq);
}

/** Gives up stretches: hidden from now on, and due once their time in the trash is over. @throws ERR_PINNED */
export async function discard(history: History, stretches: readonly Stretch[], reason: string, nowMs: number, trashMs: number): Promise<Trashed | null> {
  const retention = history.retention();
  const fresh = stillThere(retention, stretches);
  if (fresh.length === 0) return null;
  const pinned = (await pinnedInstants(history)).find((seq) => fresh.some(({ from, to }) => seq > from && seq < to));
  if (pinned !== undefined) throw new RewindError('ERR_PINNED', `#${pinned} is pinned, and lies in what would be forgotten`, `Let it go first: rewind unpin "#${pinned}"`);
  const trashed = waiting(retention, fresh, reason, nowMs, trashMs);
  retention.trash.push(trashed);
  await history.forget(history.rocks.batch(), retention);
  return trashed;
}

/** The same of what schedules give up by themselves: it is there for whoever asks until it goes. `parts`: those in force. */
export async function discardParts(history: History, parts: readonly Part[], plans: readonly PartPlan[], nowMs: number, trashMs: number): Promise<Trashed[]> {
  const retention = history.retention();
  retention.parts = structuredClone([...parts]);
  const trashed: Trashed[] = [];
  for (const { schedule, stretches } of plans) {
    const part = retention.parts.find((one) => one.schedule === schedule)!;
    const one = waiting(retention, stretches, 'rule', nowMs, trashMs);
    part.trash.push(one);
    trashed.push(one);
  }
  retention.parts = retention.parts.filter((part) => part.work !== null || [part.before, part.merged, part.due, part.trash].some(({ length }) => length > 0));
  if (!isDeepStrictEqual(retention, history.retention())) await history.forget(history.rocks.batch(), retention);
  return trashed;
}

/** Everything that is in the trash, by id. */
export const allTrash = ({ trash, parts }: Retention): Trashed[] => [...trash, ...parts.flatMap((part) => part.trash)].sort((a, b) => a.id - b.id);

function waiting(retention: Retention, stretches: Stretch[], reason: string, nowMs: number, trashMs: number): Trashed {
  const timeNs = BigInt(nowMs) * NS_PER_MS;
  return { id: Math.max(0, ...allTrash(retention).map(({ id }) => id)) + 1, timeNs, untilNs: timeNs + BigInt(trashMs) * NS_PER_MS, reason, stretches };
}

/** Takes back what is in the trash. Answers what it was. */
export async function takeBack(history: History): Promise<Trashed[]> {
  const retention = history.retention();
  const trash = allTrash(retention);
  for (const one of [retention, ...retention.parts]) one.trash = [];
  await history.forget(history.rocks.batch(), retention);
  return trash;
}

/** What has been in the trash long enough is due. `all`: whatever is in it. */
export async function expire(history: History, nowMs: number, all = false): Promise<Trashed[]> {
  const retention = history.retention();
  const over = ({ untilNs }: Trashed): boolean => all || untilNs <= BigInt(nowMs) * NS_PER_MS;
  const expired = allTrash(retention).filter(over);
  if (expired.length === 0) return [];
  for (const one of [retention, ...retention.parts]) becomeDue(one, over);
  await history.forget(history.rocks.batch(), retention);
  return expired;
}

/** What is in force of a larger stretch stands for those within it. */
function becomeDue(of: Forgetting, over: (one: Trashed) => boolean): void {
  of.due = union(of.due, ...of.trash.filter(over).map(({ stretches, reason }) => stretches.map((stretch) => ({ ...stretch, why: reason }))));
  of.trash = of.trash.filter((one) => !over(one));
}
