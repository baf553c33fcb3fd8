/** Who did most of what was noticed. Pure. */
import type { Writer } from '../history/types.js';
import type { ProcessId } from './processes.js';

/** Whoever did less than this of it may be there by chance. */
const MOST = 0.9;
/** More processes than these share it only when one process starts another for each file: that one is meant. */
const MAX_SINGLE = 4;

/** So far above those who did it they are counted together (tripwires.ts). */
const MAX_ABOVE = 2;

type Done = readonly { writer: Writer }[];

/** The writer that did the most; of several the one that did the last of it. */
export function writerOfMost(done: Done): Writer {
  const counts = countsOf(done);
  const most = Math.max(...counts.values());
  return [...done].reverse().find(({ writer }) => counts.get(keyOf(writer)) === most)!.writer;
}

/**
 * The few processes that did the large majority, each with all that it starts; when many share it, the nearest one that
 * started them. Empty when nobody can be named for certain.
 */
export function familiesOf(done: Done): ProcessId[] {
  const certain = done.filter(({ writer }) => writer.certain);
  const wanted = done.length * MOST;
  const byCount = [...countsOf(certain)].sort(([, a], [, b]) => b - a);
  let covered = 0;
  const few = byCount.slice(0, MAX_SINGLE).filter(([, count]) => {
    const needed = covered < wanted;
    if (needed) covered += count;
    return needed;
  });
  if (covered >= wanted) return few.map(([key]) => idOf(key));
  for (let above = 0; above < MAX_ABOVE; above++) {
    const started = [...countsOf(certain, ({ ancestors }) => ancestors?.[above] ?? '')].find(([key, count]) => key !== '' && count >= wanted);
    if (started) return [idOf(started[0])];
  }
  return [];
}

const keyOf = ({ pid, start }: ProcessId): string => `${pid}:${start}`;

function idOf(key: string): ProcessId {
  const [pid, start] = key.split(':').map(Number);
  return { pid: pid!, start: start! };
}

function countsOf(done: Done, key: (writer: Writer) => string = keyOf): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { writer } of done) counts.set(key(writer), (counts.get(key(writer)) ?? 0) + 1);
  return counts;
}
