/**
 * What has to be done to take back exactly what some writers did, as data. Guarantees: the steps lead to the tree as it
 * would be without the selected changes, every later change of others kept; where the two cannot be had together, the
 * objects concerned stay as they are and are named as conflicts; what history lacks is told. Nothing is changed here. The
 * cost is the changes since the first that is selected.
 */
import type { HistoryReader } from '../../history/reader.js';
import type { Change, Name, NodeId, Seq, Writer } from '../../history/types.js';
import { expectKept } from '../../time/kept.js';
import { isFile } from '../compare.js';
import { planRollback } from '../plan.js';
import { slotKey } from '../places.js';
import type { Owner } from '../plan/attributes.js';
import type { Plan } from '../types.js';
import { attributesWithout, xattrsWithout } from './attributes.js';
import { BUILT_ON, contentWithout, type Step } from './content.js';
import { effectsOf, Names, type NameConflict } from './names.js';
import type { Selected } from './select.js';
import { Successions } from './succession.js';
import { Without, type Difference } from './without.js';

/** Something that is left as it is, because taking it back is not safe. */
export interface Conflict {
  path: Name[];
  reason: string;
  /** Who stands in the way; null when it is not known. */
  by: Writer | null;
}

/** How much of a selection is taken back. */
export interface Coverage {
  /** Changes that were selected, and the objects that they concern. */
  changes: number;
  objects: number;
  /** Paths that the plan changes. */
  takenBack: number;
  /** Objects with later changes of others, which are kept. */
  kept: number;
  conflicting: number;
  /** What history lacks: paths whose content was not captured, and gaps and changes of unknown writers since the first change. */
  gaps: number;
}

export interface UndoPlan {
  plan: Plan;
  /** What the plan's content is read from. */
  history: HistoryReader;
  conflicts: Conflict[];
  coverage: Coverage;
  /** Nothing that it is about was changed by the selected before this seq. */
  first: Seq;
  /** Selected writers that changed something. */
  writers: Writer[];
}

/** Number of `Kind` (native/journal/format.h): another name for an object. */
const LINK = 13;

interface Trace {
  steps: Step[];
  /** Of others, to the object itself, or that gave it another name. */
  others: Change[];
}

/** One pass over the timeline: what the selected did, and what others did afterwards to the same. @throws ERR_TIME_THINNED */
async function follow(history: HistoryReader, selected: Selected, now: Seq): Promise<{ names: Names; lines: Successions; traces: Map<NodeId, Trace>; writers: Set<Seq>; changes: number; unknown: number }> {
  const names = new Names(history, now);
  const lines = new Successions(history, now);
  const traces = new Map<NodeId, Trace>();
  const writers = new Set<Seq>();
  const theirs = new Set(selected.writers.map(({ id }) => id));
  let [changes, unknown] = [0, 0];
  for await (const change of history.changes(selected.after, now)) {
    const mine = selected.has(change);
    // Among those that it stands for may be some that are selected.
    if (!mine && change.givenUp !== undefined && theirs.has(change.writer)) await expectBothSides(history, change.seq);
    lines.see(change, mine);
    if (mine) {
      changes++;
      writers.add(change.writer);
      await names.mine(change);
    } else {
      names.other(change);
    }
    for (const node of new Set([change.node, change.parent, change.parent2, change.target])) {
      if (node === undefined || node === 0) continue;
      const trace = traces.get(node);
      if (trace) {
        trace.steps.push({ change, mine });
        if (!mine && change.node === node && (change.marker === 'modify' || change.kind === LINK)) trace.others.push(change);
        if (!mine && change.writer === 0) unknown++;
      } else if (mine) {
        traces.set(node, { steps: [{ change, mine }], others: [] });
      } else {
        continue;
      }
      await expectBothSides(history, change.seq);
    }
  }
  return { names, lines, traces, writers, changes, unknown };
}

/** What a change made is the difference of the states on its two sides: neither may have been given up. */
async function expectBothSides(history: HistoryReader, seq: Seq): Promise<void> {
  await expectKept(history, seq - 1);
  await expectKept(history, seq);
}

/** `now`: the instant that the tree is at; `maker`: who will apply the plan. @throws ERR_TIME_THINNED */
export async function planUndo(history: HistoryReader, selected: Selected, options: { now: Seq; maker?: Owner }): Promise<UndoPlan> {
  const { now, maker } = options;
  const { names, lines, traces, writers, changes, unknown } = await follow(history, selected, now);
  await lines.merge();
  const nameConflicts = await names.settle((node, after) => traces.get(node)?.others.find((change) => change.seq > after && !lines.has(change)) ?? null);
  const differences = new Map<NodeId, Difference>();
  const conflicts: Conflict[] = [];
  const stuck = new Set(names.left().map(({ parent }) => parent));
  const followed = new Set<NodeId>();
  let kept = 0;
  for await (const result of lines.results(names)) {
    kept++;
    followed.add(result.node);
    if (result.conflict) conflicts.push({ path: await pathOf(history, result.node, now, result.conflict.seq), reason: BUILT_ON, by: await history.writer(result.conflict.writer) });
    else differences.set(result.node, { attr: result.attr, xattrs: null, content: { size: result.text.length, pieces: null, literal: result.text }, since: result.since });
  }
  for (const [node, { steps }] of traces) {
    if (followed.has(node)) continue;
    const result = await differenceOf(history, names, node, steps, stuck.has(node));
    kept += result.kept ? 1 : 0;
    if (result.conflict) {
      const path = await pathOf(history, node, now, result.conflict.by.seq);
      conflicts.push({ path, reason: result.conflict.reason, by: await history.writer(result.conflict.by.writer) });
    } else {
      differences.set(node, result.difference);
    }
  }
  for (const conflict of nameConflicts) conflicts.push(await shownConflict(history, conflict, traces, now));
  const without = new Without(history, now, names, differences);
  const plan = await planRollback(without, { paths: [], to: without.target, now, ...maker && { maker } });
  const gaps = (await history.gaps()).filter(({ seq }) => seq > selected.after && seq <= now && changes > 0 && seq >= firstSeq(traces)).length;
  const takenBack = plan.counts.restored + plan.counts.updated + plan.counts.deleted;
  return {
    plan, history: without, conflicts, first: firstSeq(traces), writers: selected.writers.filter(({ id }) => writers.has(id)),
    coverage: { changes, objects: traces.size, takenBack, kept, conflicting: conflicts.length, gaps: gaps + plan.counts.skipped + unknown },
  };
}

const firstSeq = (traces: ReadonlyMap<NodeId, Trace>): Seq => [...traces.values()].reduce((first, { steps }) => Math.min(first, steps[0]!.change.seq), Infinity);

interface Found {
  difference: Difference;
  kept: boolean;
  conflict: { reason: string; by: Change } | null;
}

async function differenceOf(history: HistoryReader, names: Names, node: NodeId, steps: readonly Step[], stuck: boolean): Promise<Found> {
  const since = steps[0]!.change.seq - 1;
  const none: Difference = { attr: null, xattrs: null, content: null, since };
  const attr = await attributesWithout(history, node, steps);
  if (!attr) return { difference: none, kept: false, conflict: null };
  const changedByOthers = steps.some(({ change, mine }) => !mine && change.node === node && change.marker === 'modify');
  const named = (await names.linksOf(node)).length > 0;
  const content = named && isFile(attr) ? await contentWithout(history, node, steps) : { content: null, kept: false, conflict: null };
  if (content.conflict !== null) return { difference: none, kept: false, conflict: { reason: content.conflict, by: content.by } };
  const present = await history.attr(node, steps.at(-1)!.change.seq);
  const size = content.content?.size ?? present?.size ?? attr.size;
  const uncaptured = content.content && (present?.uncaptured || attr.uncaptured) ? { uncaptured: true as const } : {};
  // A directory that keeps a name which should go keeps its times, too.
  if (stuck && present) Object.assign(attr, { mtime: present.mtime, atime: present.atime });
  return { difference: { attr: { ...attr, size, ...uncaptured }, xattrs: await xattrsWithout(history, node, steps), content: content.content, since }, kept: content.kept || changedByOthers, conflict: null };
}

/** Where an object lies, or lay before a change. */
async function pathOf(history: HistoryReader, node: NodeId, now: Seq, seq: Seq): Promise<Name[]> {
  return await history.pathOf(node, now) ?? await history.pathOf(node, seq - 1) ?? [];
}

async function shownConflict(history: HistoryReader, conflict: NameConflict, traces: ReadonlyMap<NodeId, Trace>, now: Seq): Promise<Conflict> {
  const { parent, name, reason, by } = conflict;
  const mine = traces.get(parent)?.steps.find((step) => step.mine && effectsOf(step.change).some((effect) => slotKey(effect.parent, effect.name) === slotKey(parent, name)));
  const above = await pathOf(history, parent, now, mine?.change.seq ?? now);
  return { path: [...above, name], reason, by: by ? await history.writer(by.writer) : null };
}
