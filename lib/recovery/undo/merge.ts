/** Three-way merge of lines. Guarantee: answers only when no line that one side changed was changed by the other, too. */
import { diffArrays } from 'diff/lib/diff/array.js';

const MAX_EDITS = 2000;

/** Lines with their ends, one char a byte: joined they are the bytes again. */
export const linesOf = (bytes: Buffer): string[] => bytes.toString('latin1').match(/[^\n]*\n|[^\n]+$/g) ?? [];

/** Lines [from, to) of the old text become these. */
interface Hunk {
  from: number;
  to: number;
  lines: string[];
}

/** What both `ours` and `theirs` made of `base`; null where they contradict each other, or differ too much to tell. */
export function mergeLines(base: string[], ours: string[], theirs: string[]): string[] | null {
  const [a, b] = [hunksOf(base, ours), hunksOf(base, theirs)];
  if (!a || !b) return null;
  const merged: string[] = [];
  let at = 0;
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [x, y] = [a[i], b[j]];
    if (x && y && same(x, y)) j++;
    else if (x && y && clash(x, y)) return null;
    const next = x && (!y || first(x, y)) ? x : y as Hunk;
    if (next === x) i++;
    else j++;
    if (next.from < at) return null;
    merged.push(...base.slice(at, next.from), ...next.lines);
    at = next.to;
  }
  return [...merged, ...base.slice(at)];
}

const same = (x: Hunk, y: Hunk): boolean => x.from === y.from && x.to === y.to && x.lines.join('') === y.lines.join('');

/** Lines that touch but do not overlap do not contradict each other; two insertions at one place do: their order is not known. */
function clash(x: Hunk, y: Hunk): boolean {
  if (x.from === y.from && (x.from === x.to || y.from === y.to)) return x.lines.length > 0 && y.lines.length > 0;
  return x.from < y.to && y.from < x.to;
}

const first = (x: Hunk, y: Hunk): boolean => x.from < y.from || (x.from === y.from && x.to <= y.to);

function hunksOf(base: string[], other: string[]): Hunk[] | null {
  const parts = diffArrays(base, other, { maxEditLength: MAX_EDITS });
  if (!parts) return null;
  const hunks: Hunk[] = [];
  let at = 0;
  let open: Hunk | null = null;
  for (const { added, removed, value } of parts) {
    if (!added && !removed) {
      at += value.length;
      open = null;
      continue;
    }
    if (!open) hunks.push(open = { from: at, to: at, lines: [] });
    if (added) for (const line of value) open.lines.push(line);
    else open.to = at += value.length;
  }
  return hunks;
}
