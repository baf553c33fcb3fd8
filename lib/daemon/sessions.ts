/** Facts about this session and the one before it that go into the mount record. */
import { readFile } from 'node:fs/promises';
import type { Point, Seq } from '../history/types.js';
import { appendPoint, type Points } from './mark.js';

/** Changes with each start of the machine (random(4)). */
export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

/** Was the last mount followed by an unmount record? True for a history without any. */
export function lastSessionEndedClean(points: Point[]): boolean {
  const sessions = points.filter(({ kind }) => kind === 'mount' || kind === 'unmount');
  const last = sessions.reduce((newest, point) => (point.seq > newest.seq ? point : newest), { seq: -1, kind: 'unmount' });
  return last.kind === 'unmount';
}

/** How the session before ended, where nobody could say it: it was killed, or the machine was started anew since. */
export async function noteEnd(before: Point[], boot: string, points: Points & { mountSeq: Seq }): Promise<void> {
  const mounts = before.filter((point) => point.kind === 'mount' && point.boot !== undefined);
  const last = mounts.reduce<Point | null>((newest, point) => (newest && newest.seq > point.seq ? newest : point), null);
  const end = points.mountSeq - 1;
  const restarted = last !== null && last.boot !== boot;
  if (!lastSessionEndedClean(before)) {
    await appendPoint(points, { kind: 'killed', name: '', note: restarted ? 'the daemon ended with the machine' : 'the daemon was found dead', phase: 'after', at: end });
  }
  if (!restarted) return;
  await appendPoint(points, { kind: 'shutdown', name: '', note: '', phase: 'after', at: end });
  await appendPoint(points, { kind: 'boot', name: '', note: '', phase: 'after', at: points.mountSeq });
}
