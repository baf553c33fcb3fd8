/** Between kept instants history does not answer for whole states: who asks for one is told the nearest that it has. */
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { Seq } from '../history/types.js';
import { formatTimeUtc } from './format.js';

/** `named`: as HistoryReader.hidden. @throws ERR_TIME_THINNED naming the neighbours, and how the instant can be had back while it can */
export async function expectKept(history: HistoryReader, seq: Seq, named = false): Promise<void> {
  const hidden = history.hidden?.(seq, named) ?? null;
  if (hidden === null) return;
  const { untilNs } = hidden;
  throw new RewindError('ERR_TIME_THINNED', `what was at #${seq} is kept no longer: ${await nearestKept(history, hidden)}`,
    untilNs === null ? 'Name one of these; docs/retention.md says what is kept how long.' : `Name one of these, or take it out of the trash until ${formatTimeUtc(untilNs)}: rewind prune --undo`);
}

/** Kept instants around one that is not, in words; from 0: there is none before. */
export async function nearestKept(history: HistoryReader, { from, to }: { from: Seq; to: Seq }): Promise<string> {
  const at = async (one: Seq): Promise<string> => `#${one} (${formatTimeUtc(await history.timeOf(one) ?? 0n)})`;
  return from === 0 ? `the oldest that is kept is ${await at(to)}` : `the nearest that are kept are ${await at(from)} and ${await at(to)}`;
}
