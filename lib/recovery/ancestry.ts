/**
 * What made a file's content, step by step back in time: runs of changes of one save, and what the file was put in place
 * of. Guarantee: an object is followed through its renames; what a rename put it over, what a mount found replaced, and
 * what an editor moved away to write anew are the same file before.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Change, NodeId, Seq, Slot } from '../history/types.js';
import { saveKey, YOUNG_NS } from './grouping.js';

/** Kinds of native/journal/format.h that change content. */
const TRUNCATE = 25;
const CONTENT = new Set([24, TRUNCATE, 26, 43]);
const RENAME = 16;
const TOGETHER_NS = 1_000_000_000n;
const BACKUP_NS = 2n * TOGETHER_NS;

/** An object at an instant, under the name that is followed. */
export interface Stage {
  node: NodeId;
  seq: Seq;
  slot: Slot;
}

/** Changes that follow each other and belong to one save. */
export interface ContentStep {
  kind: 'content';
  first: Change;
  last: Change;
}

/** The file came to its name over another one. */
export interface ReplacedStep {
  kind: 'replaced';
  change: Change;
  before: Stage;
}

/** It got its name; what was written to it shortly before was written to become this file. */
export interface NamedStep {
  kind: 'named';
  change: Change;
}

export type Step = ContentStep | ReplacedStep | NamedStep;

export const isContent = (change: Change): boolean => CONTENT.has(change.kind);

/** Steps of one object up to a stage, newest first, and what lay at its name before it was made there. */
export async function stepsOf(history: HistoryReader, { node, seq, slot }: Stage): Promise<{ steps: Step[]; origin: Stage | null }> {
  const found: (ContentStep | { kind: 'name'; change: Change })[] = [];
  for await (const change of history.nodeChanges(node, 0, seq)) {
    if (change.node !== node) continue;
    const before = found.at(-1);
    if (!isContent(change)) {
      if (change.marker !== 'modify') found.push({ kind: 'name', change });
    } else if (before?.kind === 'content' && goesOn(before.last, change)) {
      before.last = change;
    } else {
      found.push({ kind: 'content', first: change, last: change });
    }
  }
  return follow(history, found.reverse(), slot);
}

/** Back through the names; `slot` is the one that the object has before the newest of them. */
async function follow(history: HistoryReader, found: (ContentStep | { kind: 'name'; change: Change })[], slot: Slot): Promise<{ steps: Step[]; origin: Stage | null }> {
  const steps: Step[] = [];
  let at = slot;
  let origin: Stage | null = null;
  for (const step of found) {
    if (step.kind === 'content') {
      steps.push(step);
      continue;
    }
    const { change } = step;
    const { parent, name, parent2, name2, target } = change;
    if (change.kind === RENAME && parent !== undefined && name !== undefined) {
      if (parent2 !== at.parent || name2 !== at.name) continue;
      if (target !== undefined) steps.push({ kind: 'replaced', change, before: { node: target, seq: change.seq - 1, slot: at } });
      else steps.push({ kind: 'named', change });
      at = { parent, name };
    } else if (change.marker === 'create' && parent === at.parent && name === at.name) {
      origin = target !== undefined ? { node: target, seq: change.seq - 1, slot: at } : await movedAway(history, change, at);
    }
  }
  return { steps, origin };
}

function goesOn(last: Change, change: Change): boolean {
  const [older, newer] = [saveKey(last), saveKey(change)];
  if (older !== 0 && older === newer) return true;
  if (older !== 0 || last.writer !== change.writer || last.unmounted !== change.unmounted || change.timeNs - last.timeNs > TOGETHER_NS) return false;
  return newer === 0 || last.kind === TRUNCATE;
}

/** An editor that keeps a backup: the same writer moved the old file away just before. What was merged only the timeline tells of. */
async function movedAway(history: HistoryReader, birth: Change, slot: Slot): Promise<Stage | null> {
  for await (const change of history.nodeChanges(slot.parent, 0, birth.seq - 1, { reverse: true })) {
    if (birth.timeNs - change.timeNs > BACKUP_NS) return null;
    const { marker, node, parent, name, parent2, name2, writer, seq } = change;
    const isAway = parent === slot.parent && name === slot.name;
    if (!isAway && !(parent2 === slot.parent && name2 === slot.name)) continue;
    return isAway && marker === 'rename' && parent2 === slot.parent && writer === birth.writer ? { node, seq: seq - 1, slot } : null;
  }
  return null;
}

/** Was it written not long before it got its name, to become that? */
export const isFresh = (written: Change, named: Change): boolean => named.timeNs - written.timeNs < YOUNG_NS;
