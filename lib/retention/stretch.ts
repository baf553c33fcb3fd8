/**
 * Merges stretches of instants over all of the tree. Guarantees: its cost is what changed in the stretch, not the size of
 * the tree; it may be stopped after any batch and goes on there; whoever reads a kept instant meanwhile reads it as ever.
 */
import type { History } from '../history/history.js';
import { union, type Stretch } from '../history/retained.js';
import { Turns } from '../history/turns.js';
import { ROOT, type NodeId } from '../history/types.js';
import { mapParallel } from '../recovery/parallel.js';
import { touchedBetween } from '../recovery/places.js';
import { Editor, type Throttle } from './editor.js';
import { Gathered } from './gathered.js';
import { mergeName, mergeObject } from './object.js';

/** Objects that are merged before others have their turn, and how many of them side by side. */
const TURN_OBJECTS = 64;
const WIDTH = 16;

/** How far it is. */
export interface Progress { stretches: number; objects: number; edits: number }

/** Merges what is due, stretch by stretch, the oldest first. `limit`: nothing that ends later. @throws the signal's reason */
export async function mergeDue(history: History, limit: number, throttle: Throttle, signal: AbortSignal): Promise<Progress> {
  const done: Progress = { stretches: 0, objects: 0, edits: 0 };
  for (;;) {
    const retention = history.retention();
    const stretch = retention.work?.stretch ?? retention.due.find(({ to }) => to <= limit);
    if (stretch === undefined) return done;
    const editor = new Editor(history, retention, throttle, signal);
    try {
      done.objects += await mergeStretch(history, stretch, retention.work?.node ?? 0, editor);
      retention.work = null;
      retention.due = retention.due.filter(({ from, to }) => from !== stretch.from || to !== stretch.to);
      retention.merged = union(retention.merged, [{ ...stretch, at: new Date().toISOString() }]);
      retention.unswept = true;
      await editor.commit();
    } finally {
      editor.end();
    }
    done.stretches++;
    done.edits += editor.edits;
  }
}

/** Objects up to `after` are done. */
async function mergeStretch(history: History, stretch: Stretch, after: NodeId, editor: Editor): Promise<number> {
  const { nodes, slots } = await touchedBetween(history, stretch.from, stretch.to);
  const left = [...nodes.add(ROOT)].filter((node) => node > after).sort((a, b) => a - b);
  // What is read in a turn is what is rewritten: packing does not come between.
  if (after === 0) await history.upkeep.take(async () => {
    await mapParallel(slots.values(), (slot) => mergeName(history, slot, stretch, editor), WIDTH);
    await editor.commit();
  });
  for (let i = 0; i < left.length; i += TURN_OBJECTS) await history.upkeep.take(async () => {
    const nodes = left.slice(i, i + TURN_OBJECTS);
    await mergeObjects(history, nodes, stretch, editor);
    editor.retention.work = { stretch, node: nodes.at(-1)! };
    await editor.commit();
  });
  return left.length;
}

/** All of them, or none is under way any more when it fails. */
async function mergeObjects(history: History, nodes: readonly NodeId[], stretch: Stretch, editor: Editor): Promise<void> {
  const turns = new Turns();
  const failures: unknown[] = [];
  await mapParallel(nodes, async (node) => {
    if (failures.length > 0) return;
    const gathered = new Gathered(editor, turns);
    await mergeObject(history, node, stretch, gathered).then(() => gathered.give()).catch((error: unknown) => failures.push(error));
  }, WIDTH);
  if (failures.length > 0) throw failures[0];
}
