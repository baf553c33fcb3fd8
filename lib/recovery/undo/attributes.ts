/** Attributes of an object in a tree in which the selected writers never were: each as the others last set it. */
import type { HistoryReader } from '../../history/reader.js';
import type { Name, NodeAttr, NodeId, Seq } from '../../history/types.js';
import type { Step } from './content.js';

const FIELDS = ['mode', 'uid', 'gid', 'atime', 'mtime'] as const;
/** Numbers of `Kind` (native/journal/format.h) that may change extended attributes; a mount finds them changed, too. */
const EXTENDED = new Set([27, 28, 29, 40]);

/** A stretch of changes of others: the seqs before and at its end, and the object that it is about (a save by rename changes that). */
interface OthersRun {
  before: Seq;
  end: Seq;
  from: NodeId;
  to: NodeId;
}

/** Those after the first change of a selected writer. */
function othersRuns(node: NodeId, steps: readonly (Step & { node?: NodeId })[]): OthersRun[] {
  const runs: OthersRun[] = [];
  let open: OthersRun | null = null;
  let at = node;
  for (const { change, mine, node: to = node } of steps.slice(steps.findIndex((step) => step.mine))) {
    if (mine) open = null;
    else if (open) Object.assign(open, { end: change.seq, to });
    else runs.push(open = { before: change.seq - 1, end: change.seq, from: at, to });
    at = to;
  }
  return runs;
}

const firstMine = (steps: readonly Step[]): Seq => (steps.find(({ mine }) => mine) as Step).change.seq;

/** null when it did not exist before. Link count, size and content are not decided here. */
export async function attributesWithout(history: HistoryReader, node: NodeId, steps: readonly (Step & { node?: NodeId })[]): Promise<NodeAttr | null> {
  const before = await history.attr(node, firstMine(steps) - 1);
  if (!before) return null;
  const attr: NodeAttr = { ...before };
  for (const run of othersRuns(node, steps)) {
    const [old, fresh] = await Promise.all([history.attr(run.from, run.before), history.attr(run.to, run.end)]);
    if (!old || !fresh) continue;
    for (const field of FIELDS) if (old[field] !== fresh[field]) Object.assign(attr, { [field]: fresh[field] });
  }
  return attr;
}

/** null: as they are now. */
export async function xattrsWithout(history: HistoryReader, node: NodeId, steps: readonly Step[]): Promise<Map<Name, Buffer> | null> {
  if (!steps.some(({ change, mine }) => mine && change.node === node && EXTENDED.has(change.kind))) return null;
  const xattrs = new Map(await history.xattrs(node, firstMine(steps) - 1));
  for (const run of othersRuns(node, steps)) {
    const [old, fresh] = await Promise.all([history.xattrs(node, run.before), history.xattrs(node, run.end)]);
    for (const name of old.keys()) if (!fresh.has(name)) xattrs.delete(name);
    for (const [name, value] of fresh) if (old.get(name)?.equals(value) !== true) xattrs.set(name, value);
  }
  return xattrs;
}
