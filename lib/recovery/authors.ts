/** Who changed what the entries of a plan are about. The cost is one pass over the changes, and the entries. */
import type { HistoryReader } from '../history/reader.js';
import type { Change, Name, NodeId, Seq } from '../history/types.js';
import { slotKey } from './places.js';
import type { Plan, PlanEntry } from './types.js';

/** Which changes count. */
export interface Counted {
  /** None up to this seq ... */
  after: Seq;
  /** ... nor, of a path, up to this one. */
  since?: (path: readonly Name[]) => Seq;
  has?: (change: Change) => boolean;
}

/** Writers, and the last change of each. */
type Authors = Map<Seq, Seq>;

/** For each entry those who changed it, the last one first. `history`: what the plan's content is read from. */
export async function authorsOf(history: HistoryReader, plan: Pick<Plan, 'entries' | 'now' | 'to'>, { after, since, has }: Counted): Promise<Map<PlanEntry, Seq[]>> {
  const [byNode, bySlot] = [new Map<NodeId, Authors>(), new Map<string, Authors>()];
  for await (const change of history.changes(after, plan.now)) {
    if (change.writer === 0 || (has && !has(change))) continue;
    for (const node of [change.node, change.target]) if (node !== undefined) note(byNode, node, change);
    if (change.parent !== undefined && change.name !== undefined) note(bySlot, slotKey(change.parent, change.name), change);
    if (change.parent2 !== undefined && change.name2 !== undefined) note(bySlot, slotKey(change.parent2, change.name2), change);
  }
  const directories = new Map<string, Promise<NodeId | null>>();
  const directory = (path: Name[], seq: Seq): Promise<NodeId | null> => {
    const key = `${seq} ${path.join('/')}`;
    const known = directories.get(key) ?? history.resolve(path, seq);
    directories.set(key, known);
    return known;
  };
  const at = async (path: Name[], seq: Seq): Promise<Authors[]> => {
    const name = path.at(-1);
    const parent = name === undefined ? null : await directory(path.slice(0, -1), seq);
    const node = parent === null ? await directory(path, seq) : (await history.lookup(parent, name!, seq))?.node ?? null;
    return [node === null ? undefined : byNode.get(node), parent === null ? undefined : bySlot.get(slotKey(parent, name!))].filter((one) => one !== undefined);
  };
  const found = new Map<PlanEntry, Seq[]>();
  for (const entry of plan.entries) {
    const sides = [await at(entry.path, plan.to), await at(entry.path, plan.now), entry.from ? await at(entry.from, plan.now) : []].flat();
    const all: Authors = new Map();
    for (const side of sides) for (const [writer, seq] of side) if (seq > (since?.(entry.path) ?? after)) all.set(writer, Math.max(seq, all.get(writer) ?? 0));
    found.set(entry, [...all].sort(([, a], [, b]) => b - a).map(([writer]) => writer));
  }
  return found;
}

function note<K>(authors: Map<K, Authors>, key: K, { writer, seq }: Change): void {
  const known = authors.get(key);
  if (known) known.set(writer, seq);
  else authors.set(key, new Map([[writer, seq]]));
}
