/** Which lines two texts have in common. Guarantees: lines keep their order; time is bounded whatever the texts. */
import { diffArrays } from 'diff/lib/diff/array.js';

/** Beyond so many differing lines only those that each text has once are followed. */
const MAX_EDITS = 2000;

/** Lines of a content as one char a byte, each with its line feed; the last one may have none. */
export function splitLines(content: Buffer): string[] {
  return content.toString('latin1').match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** For each line of `now` its index in `then`, or -1 when it is new. */
export function matchLines(then: readonly string[], now: readonly string[]): Int32Array {
  const matched = new Int32Array(now.length).fill(-1);
  let head = 0;
  while (head < then.length && head < now.length && then[head] === now[head]) matched[head] = head++;
  let tail = 0;
  while (tail < then.length - head && tail < now.length - head && then[then.length - 1 - tail] === now[now.length - 1 - tail]) {
    tail++;
    matched[now.length - tail] = then.length - tail;
  }
  const [a, b] = [then.slice(head, then.length - tail), now.slice(head, now.length - tail)];
  const parts = a.length === 0 || b.length === 0 ? [] : diffArrays(a, b, { maxEditLength: MAX_EDITS });
  if (parts === undefined) {
    for (const [i, j] of uniqueInOrder(a, b)) matched[head + j] = head + i;
    return matched;
  }
  let [i, j] = [head, head];
  for (const { added, removed, count = 0 } of parts) {
    if (added) j += count;
    else if (removed) i += count;
    else for (let n = 0; n < count; n++) matched[j++] = i++;
  }
  return matched;
}

/** Lines that occur once in each, the longest run of them that is in order in both. */
function uniqueInOrder(a: readonly string[], b: readonly string[]): [number, number][] {
  const once = (lines: readonly string[]): Map<string, number> => {
    const places = new Map<string, number>();
    lines.forEach((line, i) => places.set(line, places.has(line) ? -1 : i));
    return places;
  };
  const places = once(b);
  const piles: { at: [number, number]; below: number }[] = [];
  const tops: number[] = [];
  for (const [line, i] of once(a)) {
    const j = places.get(line) ?? -1;
    if (i < 0 || j < 0) continue;
    let [low, high] = [0, tops.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (piles[tops[middle]!]!.at[1] < j) low = middle + 1;
      else high = middle;
    }
    piles.push({ at: [i, j], below: low === 0 ? -1 : tops[low - 1]! });
    tops[low] = piles.length - 1;
  }
  const run: [number, number][] = [];
  for (let top = tops.at(-1) ?? -1; top >= 0; top = piles[top]!.below) run.unshift(piles[top]!.at);
  return run;
}
