/**
 * What was given up waits before it goes. Guarantees: until it is due nothing of it is deleted, and taking it back makes
 * history answer for every instant of it again; a pinned instant is never given up.
 */
import { RewindError } from '../errors.js';
import type { History } from '../history/history.js';
import { union, type Stretch, type Trashed } from '../history/retained.js';
import type { Seq } from '../history/types.js';

const NS_PER_MS = 1_000_000n;

/** Instants of points that nothing expires. */
export async function pinnedInstants(history: History): Promise<Seq[]> {
  return (await history.points()).filter(({ pinned }) => pinned).map(({ seq }) => seq);
}

/** Of these stretches, what is not given up already. */
export function stillThere(history: History, stretches: readonly Stretch[]): Stretch[] {
  const { merged, due, trash } = history.retention();
  const gone = union(merged, due, ...trash.map((one) => one.stretches));
  return stretches.filter(({ from, to }) => !gone.some((one) => one.from <= from && one.to >= to));
}

/** Gives up stretches: hidden from now on, and due once their time in the trash is over. @throws ERR_PINNED */
export async function discard(history: History, stretches: readonly Stretch[], reason: string, nowMs: number, trashMs: number): Promise<Trashed | null> {
  const fresh = stillThere(history, stretches);
  if (fresh.length === 0) return null;
  const pinned = (await pinnedInstants(history)).find((seq) => fresh.some(({ from, to }) => seq > from && seq < to));
  if (pinned !== undefined) throw new RewindError('ERR_PINNED', `#${pinned} is pinned, and lies in what would be forgotten`, `Let it go first: rewind unpin "#${pinned}"`);
  const retention = history.retention();
  const timeNs = BigInt(nowMs) * NS_PER_MS;
  const trashed: Trashed = { id: Math.max(0, ...retention.trash.map(({ id }) => id)) + 1, timeNs, untilNs: timeNs + BigInt(trashMs) * NS_PER_MS, reason, stretches: fresh };
  retention.trash.push(trashed);
  await history.forget(history.rocks.batch(), retention);
  return trashed;
}

/** Takes back what is in the trash. Answers what it was. */
export async function takeBack(history: History): Promise<Trashed[]> {
  const { trash, ...retention } = history.retention();
  await history.forget(history.rocks.batch(), { ...retention, trash: [] });
  return trash;
}

/** What has been in the trash long enough is due. `all`: whatever is in it. */
export async function expire(history: History, nowMs: number, all = false): Promise<Trashed[]> {
  const retention = history.retention();
  const over = ({ untilNs }: Trashed): boolean => all || untilNs <= BigInt(nowMs) * NS_PER_MS;
  const expired = retention.trash.filter(over);
  if (expired.length === 0) return [];
  // What is in force of a larger stretch stands for those within it.
  retention.due = union(retention.due, ...expired.map(({ stretches, reason }) => stretches.map((stretch) => ({ ...stretch, why: reason }))));
  retention.trash = retention.trash.filter((one) => !over(one));
  await history.forget(history.rocks.batch(), retention);
  return expired;
}

