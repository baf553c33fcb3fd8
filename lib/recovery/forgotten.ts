/**
 * Stretches of instants that were merged, for whoever goes back change by change: the content between is gone, the changes are
 * told, each or the last of them. Guarantee: of the writers of a file between two kept instants none is missing.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Change, Seq } from '../history/types.js';
import { stepsOf, type Stage, type Step } from './ancestry.js';

/** Kept instants. */
export interface Between { from: Seq; to: Seq }

/** The kept instants around one that was merged; null when it is answered for, or is in the trash. */
export function mergedAt(history: HistoryReader, seq: Seq): Between | null {
  const hidden = history.hidden?.(seq, true) ?? null;
  return hidden?.untilNs === null ? hidden : null;
}

/** Those between which a change was merged with others. */
export function mergedWith(history: HistoryReader, { seq }: Change): Between | null {
  const before = mergedAt(history, seq - 1);
  return mergedAt(history, seq) ?? (before?.to === seq ? before : null);
}

/** What a file was made of since a kept instant: who wrote it, and what was it then, or what it took the place of. */
export interface Lineage { writers: Set<Seq>; pasts: Stage[] }

/** `steps`, `origin`: those of the stage, as far as they are asked about. */
export async function lineageSince(history: HistoryReader, from: Seq, stage: Stage, steps: readonly Step[], origin: Stage | null): Promise<Lineage> {
  const found: Lineage = { writers: new Set(), pasts: [] };
  const waiting = [{ stage, steps, origin }];
  for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
    const before: Stage[] = [];
    for (const step of at.steps) {
      if (step.kind === 'content' && step.last.seq > from) for (const { writer } of [step.first, step.last]) found.writers.add(writer);
      if (step.kind === 'replaced' && step.change.seq > from) before.push(step.before);
    }
    if (await history.attr(at.stage.node, from) !== null) found.pasts.push(await stageAt(history, at.stage, from));
    else if (at.origin !== null) before.push(at.origin);
    for (const one of before) waiting.push({ stage: one, ...await stepsOf(history, one) });
  }
  return found;
}

/** The same object at an earlier instant, by the name that it had then. */
async function stageAt(history: HistoryReader, { node, slot }: Stage, seq: Seq): Promise<Stage> {
  const links = await history.linksOf(node, seq);
  return { node, seq, slot: links.find(({ parent, name }) => parent === slot.parent && name === slot.name) ?? links[0] ?? slot };
}
