/** What a prune would give up, as people know it: files and their versions. Nothing is changed. */
import type { History } from '../history/history.js';
import type { HistoryReader } from '../history/reader.js';
import type { Part, Stretch } from '../history/retained.js';
import type { Change, Name, NodeId, Seq } from '../history/types.js';
import type { KeepPolicy } from '../policy/keeping.js';
import { isGoneAt } from './object.js';
import { filesAmong, touchedAnew } from './parts.js';
import type { Plan } from './plan.js';
import { Whose } from './whose.js';

/** A version that goes: the state of a file after a save. */
export interface GoingVersion {
  node: NodeId;
  path: Name[] | null;
  seq: Seq;
  timeNs: bigint;
  size: number;
  /** The file lived between two kept instants: nothing of it remains. */
  whole: boolean;
  /** The file and line of the rule that gives it up; null: the table. */
  by: string | null;
}

/** What a plan gives up, each version once. `parts`: those in force. */
export async function* versionsOf(history: History, keeping: KeepPolicy, { everywhere, parts: plans }: Plan, parts: readonly Part[]): AsyncGenerator<GoingVersion> {
  const told = new Set<string>();
  const isNew = ({ node, seq }: GoingVersion): boolean => told.size < told.add(`${node} ${seq}`).size;
  for await (const version of versionsIn(history, everywhere)) if (isNew(version)) yield version;
  for (const { schedule, stretches } of plans) {
    const part = parts.find((one) => one.schedule === schedule)!;
    for (const stretch of stretches) for await (const version of versionsInPart(history, keeping, part, stretch)) if (isNew(version)) yield version;
  }
}

/** By stretch, file and time. */
async function* versionsIn(history: HistoryReader, stretches: readonly Stretch[]): AsyncGenerator<GoingVersion> {
  for (const stretch of stretches) {
    for (const [node, saves] of await savesIn(history.changes(stretch.from, stretch.to))) {
      const whole = await history.attr(node, stretch.from) === null && (await history.linksOf(node, stretch.to)).length === 0;
      // The newest is what the kept instant at the end shows, unless it is gone by then.
      for (const { seq, timeNs, size } of whole ? saves : saves.slice(0, -1)) yield { node, path: await history.pathOf(node, seq), seq, timeNs, size, whole, by: null };
    }
  }
}

/** Content that a schedule gives up by itself. */
async function* versionsInPart(history: History, keeping: KeepPolicy, part: Part, stretch: Stretch): AsyncGenerator<GoingVersion> {
  const whose = new Whose(history, keeping);
  for (const node of await filesAmong(history, await touchedAnew(history, part, stretch), stretch.to)) {
    if (await whose.scheduleOf(node, stretch) !== part.schedule) continue;
    const gone = await isGoneAt(history, node, stretch.to);
    const whole = gone && await history.attr(node, stretch.from) === null;
    const saves = (await savesIn(history.nodeChanges(node, stretch.from, stretch.to))).get(node) ?? [];
    for (const { seq, timeNs, size } of gone ? saves : saves.slice(0, -1)) {
      if (await history.missing.of(node, seq) !== null) continue;
      const path = await history.pathOf(node, seq);
      yield { node, path, seq, timeNs, size, whole, by: path && (keeping.rule(Buffer.from(path.join('/'), 'latin1'), false)?.by ?? null) };
    }
  }
}

/** The last change of each save of each file. */
async function savesIn(changes: AsyncIterable<Change>): Promise<Map<NodeId, Change[]>> {
  const saves = new Map<NodeId, Change[]>();
  for await (const change of changes) {
    if (change.marker !== 'modify' || change.parent !== undefined) continue;
    const own = saves.get(change.node) ?? [];
    const last = own.at(-1);
    if (last !== undefined && change.save !== 0 && last.save === change.save) own[own.length - 1] = change;
    else own.push(change);
    saves.set(change.node, own);
  }
  return saves;
}
