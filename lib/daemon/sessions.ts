/** Facts about this session and the one before it that go into the mount record. */
import { readFile } from 'node:fs/promises';
import type { HistoryReader } from '../history/reader.js';

/** Changes with each start of the machine (random(4)). */
export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

/** Was the last mount followed by an unmount record? True for a history without any. */
export async function lastSessionEndedClean(history: HistoryReader): Promise<boolean> {
  const sessions = (await history.points()).filter(({ kind }) => kind === 'mount' || kind === 'unmount');
  const last = sessions.reduce((newest, point) => (point.seq > newest.seq ? point : newest), { seq: -1, kind: 'unmount' });
  return last.kind === 'unmount';
}
