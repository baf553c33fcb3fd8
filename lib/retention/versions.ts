/** What a prune would give up, as people know it: files and their versions. Nothing is changed. */
import type { HistoryReader } from '../history/reader.js';
import type { Stretch } from '../history/retained.js';
import type { Change, Name, NodeId, Seq } from '../history/types.js';

/** A version that goes: the state of a file after a save. */
export interface GoingVersion {
  path: Name[] | null;
  seq: Seq;
  timeNs: bigint;
  size: number;
  /** The file lived between two kept instants: nothing of it remains. */
  whole: boolean;
}

/** By stretch, file and time. */
export async function* versionsIn(history: HistoryReader, stretches: readonly Stretch[]): AsyncGenerator<GoingVersion> {
  for (const stretch of stretches) {
    for (const [node, saves] of await savesIn(history, stretch)) {
      const whole = await history.attr(node, stretch.from) === null && (await history.linksOf(node, stretch.to)).length === 0;
      // The newest is what the kept instant at the end shows, unless it is gone by then.
      for (const { seq, timeNs, size } of whole ? saves : saves.slice(0, -1)) yield { path: await history.pathOf(node, seq), seq, timeNs, size, whole };
    }
  }
}

/** The last change of each save of each file. */
async function savesIn(history: HistoryReader, { from, to }: Stretch): Promise<Map<NodeId, Change[]>> {
  const saves = new Map<NodeId, Change[]>();
  for await (const change of history.changes(from, to)) {
    if (change.marker !== 'modify' || change.parent !== undefined) continue;
    const own = saves.get(change.node) ?? [];
    const last = own.at(-1);
    if (last !== undefined && change.save !== 0 && last.save === change.save) own[own.length - 1] = change;
    else own.push(change);
    saves.set(change.node, own);
  }
  return saves;
}
