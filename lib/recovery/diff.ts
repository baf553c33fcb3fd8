/**
 * What differs between two instants. Guarantees: the cost is what changed between them, never the size of the tree; the
 * answer is exact (states are compared, not changes counted); either instant may be the later one. Of what is not known to
 * have been there or not (unseen.ts) nothing is said.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Name, NodeAttr, NodeId, Seq } from '../history/types.js';
import { compareObjects, differs, noDifference } from './compare.js';
import { isUnder, Places, slotKey, touchedBetween, type Slot } from './places.js';
import { mapParallel } from './parallel.js';
import { unseenBetween, type Unseen } from './unseen.js';
import { Remembered } from './remembered.js';
import type { DiffEntry, DiffOptions, DiffWhat } from './types.js';

/** Objects whose content is compared at the same time. */
const COMPARED = 16;

interface Sided extends Slot {
  node: NodeId;
  path: Name[];
}

interface Context {
  history: HistoryReader;
  unseen: Unseen;
  from: Seq;
  to: Seq;
  then: Places;
  now: Places;
}

/**
 * The differences from `fromSeq` to `toSeq`, sorted by path. A directory renamed with all that it holds is one entry; a
 * name that led to another object then and now is one `modified` (or `type`) entry.
 */
export async function* diffTrees(reader: HistoryReader, fromSeq: Seq, toSeq: Seq, options: DiffOptions = {}): AsyncGenerator<DiffEntry> {
  const history = new Remembered(reader);
  const unseen = await unseenBetween(history, Math.min(fromSeq, toSeq), Math.max(fromSeq, toSeq));
  const context: Context = { history, unseen, from: fromSeq, to: toSeq, then: new Places(history, fromSeq), now: new Places(history, toSeq) };
  const touched = await touchedBetween(history, fromSeq, toSeq);
  await history.warm(touched.nodes, fromSeq, toSeq, false);
  const entries = await names(context, touched.slots.values());
  await contents(context, touched.nodes, entries);
  const kept = entries.filter((entry) => entry.status !== 'modified' || differs(entry.what, options.times));
  const scoped = options.paths ? await restrict(context, kept, options.paths) : kept;
  yield* scoped.sort(byPath);
}

async function names(context: Context, slots: Iterable<Slot>): Promise<DiffEntry[]> {
  const { history, from, to } = context;
  const gone = new Map<NodeId, Sided[]>();
  const born = new Map<NodeId, Sided[]>();
  await mapParallel(slots, async (slot) => {
    const [f, t] = await Promise.all([history.lookup(slot.parent, slot.name, from), history.lookup(slot.parent, slot.name, to)]);
    if (f?.node === t?.node || ((!f || !t) && isUnseen(context, slot, f?.node ?? t?.node))) return;
    if (f) await note(gone, slot, f.node, context.then);
    if (t) await note(born, slot, t.node, context.now);
  });
  const renamed: [Sided, Sided][] = [];
  for (const [node, olds] of gone) {
    const news = born.get(node) ?? [];
    // Of several names of an object which one became which is nowhere said: it is told the same every time.
    for (const sides of [olds, news]) sides.sort(byPath);
    while (olds.length > 0 && news.length > 0) renamed.push([olds.shift() as Sided, news.shift() as Sided]);
  }
  const deleted = [...gone.values()].flat();
  const created = [...born.values()].flat();
  const entries = await mapParallel(renamed, ([old, now]) => entryOf(context, old, now, 'renamed'), COMPARED);
  const [pairs, onlyOld, onlyNew] = pairUp(deleted, created);
  return [
    ...entries,
    ...await mapParallel(pairs, ([old, now]) => entryOf(context, old, now, 'modified'), COMPARED),
    ...await mapParallel(onlyOld, (old) => entryOf(context, old, null, 'deleted')),
    ...await mapParallel(onlyNew, (now) => entryOf(context, null, now, 'created')),
  ];
}

/** Whether it came or went, or was there all the time, is not known. */
const isUnseen = ({ unseen }: Context, slot: Slot, node: NodeId | undefined): boolean =>
  unseen.slots.has(slotKey(slot.parent, slot.name)) || (node !== undefined && unseen.nodes.has(node));

async function note(sides: Map<NodeId, Sided[]>, slot: Slot, node: NodeId, places: Places): Promise<void> {
  const path = await places.slotPath(slot);
  if (!path) return;
  const list = sides.get(node);
  if (list) list.push({ ...slot, node, path });
  else sides.set(node, [{ ...slot, node, path }]);
}

/** Old and new objects at the same name of the same directory, else at the same path. */
function pairUp(deleted: Sided[], created: Sided[]): [pairs: [Sided, Sided][], deleted: Sided[], created: Sided[]] {
  const pairs: [Sided, Sided][] = [];
  let left = created;
  let olds = deleted;
  for (const key of [(side: Sided) => slotKey(side.parent, side.name), (side: Sided) => side.path.join('/')]) {
    const news = new Map(left.map((side) => [key(side), side]));
    olds = olds.filter((old) => {
      const match = news.get(key(old));
      if (match) pairs.push([old, match]);
      return match === undefined || !news.delete(key(old));
    });
    left = [...news.values()];
  }
  return [pairs, olds, left];
}

async function entryOf(context: Context, old: Sided | null, now: Sided | null, status: DiffEntry['status']): Promise<DiffEntry> {
  const { history, from, to } = context;
  const fromAttr = old && (await history.attr(old.node, from));
  const toAttr = now && (await history.attr(now.node, to));
  const what = old && now && fromAttr && toAttr
    ? await compareObjects(history, { node: old.node, seq: from, attr: fromAttr }, { node: now.node, seq: to, attr: toAttr })
    : noDifference();
  const path = (now ?? (old as Sided)).path;
  return {
    status: what.type ? 'type' : status, path, ...(status === 'renamed' ? { from: (old as Sided).path } : old && elsewhere([old.path], path)), what,
    fromNode: old?.node ?? null, toNode: now?.node ?? null, fromAttr, toAttr,
  };
}

/** Objects that kept a name: what differs in them, one entry a path. */
async function contents(context: Context, nodes: Set<NodeId>, entries: DiffEntry[]): Promise<void> {
  const { history, from, to } = context;
  const told = new Set(entries.filter((entry) => entry.toNode !== null).map((entry) => entry.path.join('/')));
  await mapParallel(nodes, async (node) => {
    const [fromAttr, toAttr] = await Promise.all([history.attr(node, from), history.attr(node, to)]);
    if (!fromAttr?.nlink || !toAttr?.nlink || !(await isNamed(context.then, node)) || !(await isNamed(context.now, node))) return;
    const what = await compareObjects(history, { node, seq: from, attr: fromAttr }, { node, seq: to, attr: toAttr });
    if (differs(what, true)) await modified(context, node, what, fromAttr, toAttr, told, entries);
  }, COMPARED);
}

/** Paths of then, of what is at this path now. */
const elsewhere = (paths: readonly Name[][], path: readonly Name[]): Pick<DiffEntry, 'was'> =>
  (paths.some((one) => one.join('/') === path.join('/')) ? {} : { was: paths[0] });

const isNamed = async (places: Places, node: NodeId): Promise<boolean> => (await places.paths(node)).length > 0;

async function modified(
  context: Context, node: NodeId, what: DiffWhat, fromAttr: NodeAttr, toAttr: NodeAttr, told: Set<string>, entries: DiffEntry[],
): Promise<void> {
  const paths = await context.then.paths(node);
  for (const path of await context.now.paths(node)) {
    if (told.has(path.join('/'))) continue;
    entries.push({ status: what.type ? 'type' : 'modified', path, ...elsewhere(paths, path), what, fromNode: node, toNode: node, fromAttr, toAttr });
  }
}

/** Only what lies under `paths`: what came in from outside was created there, what left was deleted. */
async function restrict(context: Context, entries: DiffEntry[], paths: Name[][]): Promise<DiffEntry[]> {
  const inside = (path: Name[]): boolean => paths.some((under) => isUnder(path, under));
  const kept: DiffEntry[] = [];
  for (const entry of entries) {
    if (entry.status !== 'renamed' || !entry.from) {
      if (inside(entry.path)) kept.push(entry);
    } else if (inside(entry.path)) {
      kept.push(inside(entry.from) ? entry : { ...entry, status: 'created', from: undefined, what: noDifference(), fromNode: null, fromAttr: null });
    } else if (inside(entry.from)) {
      kept.push({ ...entry, status: 'deleted', path: entry.from, from: undefined, what: noDifference(), toNode: null, toAttr: null });
    }
  }
  for (const path of paths) await carried(context, path, kept);
  return kept;
}

/** A path that came or went because a directory above it was renamed: no change names it, so states are asked. */
async function carried({ history, unseen, from, to, then }: Context, path: Name[], entries: DiffEntry[]): Promise<void> {
  const [f, t] = await Promise.all([history.resolve(path, from), history.resolve(path, to)]);
  if (f === t || ((f === null || t === null) && unseen.nodes.has(f ?? t!)) || entries.some((entry) => entry.path.join('/') === path.join('/'))) return;
  const base = { what: noDifference(), path };
  const fromAttr = f === null ? null : await history.attr(f, from);
  const toAttr = t === null ? null : await history.attr(t, to);
  if (t !== null && toAttr) {
    const [was] = await then.paths(t);
    if (was) entries.push({ ...base, status: 'renamed', from: was, fromNode: t, toNode: t, fromAttr: await history.attr(t, from), toAttr });
    else entries.push({ ...base, status: f === null ? 'created' : 'modified', fromNode: f, toNode: t, fromAttr, toAttr });
  } else if (f !== null && fromAttr) {
    entries.push({ ...base, status: 'deleted', fromNode: f, toNode: null, fromAttr, toAttr: null });
  }
}

function byPath(a: { path: Name[] }, b: { path: Name[] }): number {
  const shared = Math.min(a.path.length, b.path.length);
  for (let i = 0; i < shared; i++) {
    if (a.path[i] !== b.path[i]) return (a.path[i] as Name) < (b.path[i] as Name) ? -1 : 1;
  }
  return a.path.length - b.path.length;
}

/**
 * snapper's columns: `+` created, `-` deleted, `R` renamed, `c` content, `t` type, then `p` mode, `u` owner, `g` group,
 * `x` extended attributes, `a` ACL, each `.` when it does not differ.
 */
export function statusColumns(entry: DiffEntry): string {
  const { what, status } = entry;
  const first = status === 'created' ? '+' : status === 'deleted' ? '-' : status === 'type' ? 't' : status === 'renamed' ? 'R' : what.content ? 'c' : '.';
  return first + (what.mode ? 'p' : '.') + (what.owner ? 'u' : '.') + (what.group ? 'g' : '.') + (what.xattr ? 'x' : '.') + (what.acl ? 'a' : '.');
}
