/** Times while the clock of the machine had been set back: history's stands still then, and readings of the other one tell them apart. */
import type { HistoryReader } from '../history/reader.js';
import type { Seq } from '../history/types.js';

/** The record that a time means when it lay in such a stretch, else null. Of a time that came twice it is the later one. */
export async function seqWhileSetBack(history: HistoryReader, timeNs: bigint): Promise<Seq | null> {
  const readings = await history.clockReadings?.() ?? [];
  return readings.filter(({ wallNs, stoodNs }) => wallNs <= timeNs && timeNs < stoodNs).at(-1)?.seq ?? null;
}
