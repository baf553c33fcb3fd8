/** Which of the known names somebody may have meant. */

/** Edits (insert, delete, replace, swap of neighbours) between two texts, or `limit` + 1 when there are more. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] as number) + 1, (row[j - 1] as number) + 1, (last[j - 1] as number) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, (before[j - 2] as number) + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return Math.min(last[b.length] as number, limit + 1);
}

/** At most `count` of the names that are near to `wanted`, the nearest first: few edits apart, or one begins with the other. */
export function nearestNames(wanted: string, names: Iterable<string>, count = 3): string[] {
  const folded = wanted.toLowerCase();
  const limit = Math.max(1, Math.floor(wanted.length / 3) + 1);
  const found: { name: string; distance: number }[] = [];
  for (const name of names) {
    const other = name.toLowerCase();
    const begins = folded.length > 0 && other.length > 0 && (other.startsWith(folded) || folded.startsWith(other));
    const distance = begins ? Math.min(limit, Math.abs(other.length - folded.length)) : editDistance(folded, other, limit);
    if (distance <= limit) found.push({ name, distance });
  }
  found.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return [...new Set(found.map(({ name }) => name))].slice(0, count);
}
