/** Who made two instants differ. The cost is what changed between them. */
import type { HistoryReader } from '../history/reader.js';
import type { Change, Name, NodeId, Seq, Writer } from '../history/types.js';
import { diffTrees } from './diff.js';
import type { DiffEntry } from './types.js';

/** What one writer did. */
export interface WriterSum {
  /** null: found changed at a mount. */
  writer: Writer | null;
  /** Paths that differ and that it changed. */
  paths: number;
  records: number;
  /** Written by it. */
  bytes: number;
}

export interface Summary {
  entries: { entry: DiffEntry; writers: Writer[] }[];
  /** Those who changed most paths first. */
  writers: WriterSum[];
  records: number;
}

/** What each writer did to each object. */
type Tally = Map<NodeId, Map<Seq, { records: number; bytes: number }>>;

const WRITE = 24;

/** Differences from `from` to `to` under a path, each with its writers, and what each writer did there. */
export async function summarize(history: HistoryReader, from: Seq, to: Seq, path: Name[]): Promise<Summary> {
  const byNode: Tally = new Map();
  const merged = new Map<NodeId, Set<NodeId>>();
  const partsOf = (node: NodeId): Set<NodeId> => merged.get(node) ?? new Set([node]);
  for await (const change of history.changes(from, to)) {
    note(byNode, change);
    // What is put over a file by a rename goes on with its history.
    if (change.target !== undefined && change.exchange !== true) merged.set(change.node, new Set([...partsOf(change.node), ...partsOf(change.target)]));
  }
  const sums = new Map<Seq, WriterSum>();
  const entries: Summary['entries'] = [];
  const counted = new Set<NodeId>();
  for await (const entry of diffTrees(history, from, to, { paths: path.length === 0 ? undefined : [path] })) {
    const ids = new Set<Seq>();
    for (const node of new Set([entry.fromNode, entry.toNode].flatMap((one) => (one === null ? [] : [...partsOf(one)])))) {
      for (const [id, { records, bytes }] of byNode.get(node) ?? []) {
        const sum = sums.get(id) ?? { writer: await history.writer(id), paths: 0, records: 0, bytes: 0 };
        sums.set(id, sum);
        if (!ids.has(id)) sum.paths++;
        ids.add(id);
        if (counted.has(node)) continue;
        sum.records += records;
        sum.bytes += bytes;
      }
      counted.add(node);
    }
    entries.push({ entry, writers: [...ids].map((id) => sums.get(id)?.writer ?? null).filter((writer) => writer !== null) });
  }
  const writers = [...sums.values()].sort((a, b) => b.paths - a.paths || b.records - a.records);
  return { entries, writers, records: writers.reduce((sum, { records }) => sum + records, 0) };
}

function note(byNode: Tally, change: Change): void {
  const writers = byNode.get(change.node) ?? new Map<Seq, { records: number; bytes: number }>();
  byNode.set(change.node, writers);
  const sum = writers.get(change.writer) ?? { records: 0, bytes: 0 };
  sum.records += 1 + (change.givenUp?.count ?? 0);
  if (change.kind === WRITE) sum.bytes += change.length;
  writers.set(change.writer, sum);
}
