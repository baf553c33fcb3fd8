/**
 * `@<time>`: names of the view's root, to instants and back. A name is resolved each time that the kernel asks for it;
 * how long the kernel may believe the answer depends on whether the name can ever mean another instant.
 */
import { RewindError, type ErrorCode } from '../errors.js';
import type { Name, Seq } from '../history/types.js';
import { formatTimeUtc } from '../time/format.js';
import { parseStrict } from '../time/parse.js';
import { NAME_MAX } from './wire.js';
import type { View } from './view.js';

/** RFC 3339 with a zone: all that is left open is whether later records still fall at or before it. */
const ABSOLUTE = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|z|[+-]\d{2}:?\d{2})$/;
/** What is said of an expression that stands for no instant of history. */
const MEANS_NOTHING: ReadonlySet<string> = new Set<ErrorCode>(['ERR_TIME_SYNTAX', 'ERR_TIME_RANGE', 'ERR_POINT_UNKNOWN']);
/** For how long it may believe one that cannot: an instant may be forgotten. */
const HELD_SECONDS = 60;
/** For how long the kernel may believe a name that can come to mean another instant. */
const SLIDING_SECONDS = 1;

/** An instant found by its name, and for how many seconds the name stands for it. */
export interface Found {
  seq: Seq;
  seconds: number;
}

/** Resolves `@<expression>`; null when it has another form, cannot be read or lies outside of history. */
export async function instantNamed(view: View, name: Name): Promise<Found | null> {
  if (!name.startsWith('@')) return null;
  const expression = Buffer.from(name.slice(1), 'latin1').toString('utf8');
  let found: { seq: Seq; timeNs: bigint };
  try {
    found = await view.source.resolveTime(expression);
  } catch (error) {
    if (error instanceof RewindError && MEANS_NOTHING.has(error.code)) return null;
    throw error;
  }
  if (view.history.hidden?.(found.seq)) return null;
  if (view.provisional(found.seq)) await view.source.whole?.();
  return { seq: found.seq, seconds: view.provisional(found.seq) ? 0 : secondsOf(view, expression, found) };
}

function secondsOf(view: View, expression: string, { seq, timeNs }: { seq: Seq; timeNs: bigint }): number {
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  const form = parseStrict(expression, nowNs)?.form;
  if (form === 'seq') return HELD_SECONDS;
  if (ABSOLUTE.test(expression) && seq < view.history.watermark()) return HELD_SECONDS;
  // What was acknowledged a moment ago must be in `@now`; what is named or lies further back need not slide at once.
  const present = form === 'now' || (form === 'time' && timeNs + BigInt(SLIDING_SECONDS) * 1_000_000_000n >= nowNs);
  return present ? 0 : SLIDING_SECONDS;
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
