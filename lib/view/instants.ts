/**
 * `@<time>`: names of the view's root, to instants and back. A name is resolved each time that the kernel asks for it;
 * how long the kernel may believe the answer depends on whether the name can ever mean another instant.
 */
import type { Name, Seq } from '../history/types.js';
import { formatTimeUtc } from '../time/format.js';
import { FOREVER, NAME_MAX } from './wire.js';
import type { View } from './view.js';

const SEQ = /^#\d+$/;
/** RFC 3339 with a zone: all that is left open is whether later records still fall at or before it. */
const ABSOLUTE = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|z|[+-]\d{2}:?\d{2})$/;

/** An instant found by its name, and for how many seconds the name stands for it. */
export interface Found {
  seq: Seq;
  seconds: number;
}

/** Resolves `@<expression>`; null when it has another form, cannot be read or lies outside of history. */
export async function instantNamed(view: View, name: Name): Promise<Found | null> {
  if (!name.startsWith('@')) return null;
  const expression = Buffer.from(name.slice(1), 'latin1').toString('utf8');
  await view.source.settle();
  let seq: Seq;
  try {
    ({ seq } = await view.source.resolveTime(expression));
  } catch {
    return null;
  }
  if (view.provisional(seq)) return { seq, seconds: 0 };
  const newest = seq >= view.history.watermark();
  if (SEQ.test(expression) || (ABSOLUTE.test(expression) && !newest)) return { seq, seconds: FOREVER };
  // `@now` must show what was acknowledged a moment ago; what slides behind it need not slide within a second.
  return { seq, seconds: newest ? 0 : 1 };
}

/** The names that the root lists: each point once, by its name, else by its time. Each is found by instantNamed. */
export async function pointNames(view: View): Promise<Map<Name, Seq>> {
  await view.source.settle();
  const names = new Map<Name, Seq>();
  for (const point of await view.history.points()) {
    const text = `@${point.name !== '' && !point.name.includes('/') ? point.name : formatTimeUtc(point.timeNs)}`;
    const name = Buffer.from(text, 'utf8').toString('latin1');
    if (name.length <= NAME_MAX && !name.includes('\0')) names.set(name, point.seq);
  }
  return names;
}
