/**
 * Merges the content of the files that a schedule of its own counts for. Guarantees: names and attributes stay, and every
 * kept instant of a path reads as before; its cost is what changed since such a stretch was merged last; it may be stopped
 * after any batch and goes on there.
 */
import type { History } from '../history/history.js';
import { union, type Part, type Retention, type Stretch } from '../history/retained.js';
import type { NodeId, Seq } from '../history/types.js';
import type { KeepPolicy } from '../policy/keeping.js';
import { touchedBetween } from '../recovery/places.js';
import { giveUpContent } from './content.js';
import { Editor, type Throttle } from './editor.js';
import { isGoneAt } from './object.js';
import type { Progress } from './stretch.js';
import { Whose } from './whose.js';

/** Objects that are merged before others have their turn. */
const TURN_OBJECTS = 64;
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;

/** Merges what is due, schedule by schedule. `limit`: nothing that ends later. @throws the signal's reason */
export async function mergeParts(history: History, keeping: KeepPolicy, limit: Seq, throttle: Throttle, signal: AbortSignal): Promise<Progress> {
  const done: Progress = { stretches: 0, objects: 0, edits: 0 };
  for (;;) {
    const retention = history.retention();
    const next = nextOf(retention, limit);
    if (next === null) return done;
    const editor = new Editor(history, retention, throttle, signal);
    const { part, stretch } = next;
    try {
      done.objects += await mergePart(history, keeping, part, stretch, editor);
      part.work = null;
      part.due = part.due.filter(({ from, to }) => from !== stretch.from || to !== stretch.to);
      part.merged = union(part.merged, [{ ...stretch, at: new Date().toISOString() }]);
      await editor.commit();
    } finally {
      editor.end();
    }
    done.stretches++;
    done.edits += editor.edits;
  }
}

function nextOf({ parts }: Retention, limit: Seq): { part: Part; stretch: Stretch } | null {
  for (const part of parts) {
    const stretch = part.work?.stretch ?? part.due.find(({ to }) => to <= limit);
    if (stretch !== undefined) return { part, stretch };
  }
  return null;
}

/** Answers how many objects lost something. */
async function mergePart(history: History, keeping: KeepPolicy, part: Part, stretch: Stretch, editor: Editor): Promise<number> {
  const whose = new Whose(history, keeping);
  const after = part.work?.node ?? 0;
  const left = (await touchedAnew(history, part, stretch)).filter((node) => node > after);
  let objects = 0;
  for (let i = 0; i < left.length; i += TURN_OBJECTS) await history.upkeep.take(async () => {
    for (const node of await filesAmong(history, left.slice(i, i + TURN_OBJECTS), stretch.to)) {
      if (await whose.scheduleOf(node, stretch) !== part.schedule) continue;
      const went = await giveUpContent(history, node, stretch, await isGoneAt(history, node, stretch.to), editor);
      if (went) objects++;
      editor.retention.unswept ||= went;
      part.work = { stretch, node };
      await editor.room();
    }
    await editor.commit();
  });
  return objects;
}

/** What changed in a stretch, but for what was merged already and did not change since. */
export async function touchedAnew(history: History, { merged }: Part, { from, to }: Stretch): Promise<NodeId[]> {
  const begun = merged.find((one) => one.from === from && one.to < to)?.to ?? from;
  const { nodes } = await touchedBetween(history, begun, to);
  return [...nodes].sort((a, b) => a - b);
}

/** Files whose content was captured: what was not may still come, dated to the mount that found it. */
export async function filesAmong(history: History, nodes: NodeId[], seq: Seq): Promise<NodeId[]> {
  const attrs = await history.attrs(nodes, seq);
  const files = nodes.filter((_, i) => ((attrs[i]?.mode ?? 0) & S_IFMT) === S_IFREG);
  const whole = await Promise.all(files.map((node) => history.isWhole(node, seq)));
  return files.filter((_, i) => whole[i]);
}
