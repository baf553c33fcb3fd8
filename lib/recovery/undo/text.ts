/**
 * Text in a tree in which the selected writers never were: every run of changes of others is a patch, carried over line by
 * line to the text without them. Guarantee: answers a text only when no line that one side changed was changed by the other.
 */
import { RewindError } from '../../errors.js';
import type { HistoryReader } from '../../history/reader.js';
import type { Change, NodeId, Seq } from '../../history/types.js';
import { isBinary } from '../textdiff.js';
import { linesOf, mergeLines } from './merge.js';

/** Larger text is not merged. */
const MAX_TEXT_BYTES = 1 << 20;

/** A file at an instant. */
interface State {
  node: NodeId;
  seq: Seq;
}

/** Changes one after the other by the selected writers, or by others; the state is the one after them. */
export interface Run extends State {
  mine: boolean;
}

export type MergedText =
  /** `same`: it is what is there now. */
  | { kind: 'merged'; text: Buffer; same: boolean }
  /** superseded: others changed it, and nothing of the selected is left. */
  | { kind: 'conflict' | 'binary' | 'superseded' };

/** Groups changes into runs. */
export function runsOf(steps: readonly { node: NodeId; change: Change; mine: boolean }[]): Run[] {
  const runs: Run[] = [];
  for (const { node, change: { seq }, mine } of steps) {
    const last = runs.at(-1);
    if (last?.mine === mine) Object.assign(last, { node, seq });
    else runs.push({ mine, node, seq });
  }
  return runs;
}

export async function mergeRuns(history: HistoryReader, start: State, runs: readonly Run[]): Promise<MergedText> {
  const before = await textAt(history, start);
  if (!before) return { kind: 'binary' };
  let text = linesOf(before);
  let last = before;
  const written = new Set<string>();
  for (const run of runs) {
    const after = await textAt(history, run);
    if (!after) return { kind: 'binary' };
    const [old, fresh] = [linesOf(last), linesOf(after)];
    if (run.mine) {
      const had = new Set(old);
      for (const line of fresh) if (!had.has(line) && line.trim() !== '') written.add(line);
    } else {
      const merged = mergeLines(old, text, fresh);
      if (!merged) return { kind: survives(written, linesOf(await textAt(history, runs.at(-1) as Run) ?? after)) ? 'conflict' : 'superseded' };
      text = merged;
    }
    last = after;
  }
  const bytes = Buffer.from(text.join(''), 'latin1');
  return { kind: 'merged', text: bytes, same: bytes.equals(last) };
}

/** null: it was no text, or is not known. */
async function textAt(history: HistoryReader, { node, seq }: State): Promise<Buffer | null> {
  const attr = await history.attr(node, seq);
  if (!attr || attr.size > MAX_TEXT_BYTES) return null;
  try {
    const bytes = await history.read(node, 0, attr.size, seq);
    return isBinary(bytes) ? null : bytes;
  } catch (error) {
    if (error instanceof RewindError && (error.code === 'ERR_NOT_CAPTURED' || error.code === 'ERR_TIME_THINNED')) return null;
    throw error;
  }
}

const survives = (written: ReadonlySet<string>, now: readonly string[]): boolean => now.some((line) => written.has(line));
