/** What history says of itself: stretches that are given up lie in each other or apart, and within history. */
import type { History } from '../history/history.js';
import { isInside, META_RETENTION, type Stretch } from '../history/retained.js';
import type { Finding } from './findings.js';

export function* retentionFindings(history: History): Generator<Finding> {
  const { merged, due, trash, timeline } = history.retention();
  const finding = (what: string): Finding => ({ kind: 'retention-crossed', family: 'meta', key: META_RETENTION, what });
  const shown = ({ from, to }: Stretch): string => `#${from} to #${to}`;
  const all = [...merged, ...due, ...trash.flatMap(({ stretches }) => stretches)].sort((a, b) => a.from - b.from || b.to - a.to);
  const open: Stretch[] = [];
  for (const stretch of all) {
    if (stretch.from >= stretch.to || stretch.from < 0 || stretch.to > history.watermark()) yield finding(`a stretch ${shown(stretch)} is given up, and history goes to #${history.watermark()}`);
    while (open.length > 0 && open.at(-1)!.to <= stretch.from) open.pop();
    const around = open.at(-1);
    if (around !== undefined && around.to < stretch.to) yield finding(`the stretches ${shown(around)} and ${shown(stretch)}, which are given up, cross each other`);
    open.push(stretch);
  }
  for (const stretch of timeline.done) if (!isInside(stretch, merged)) yield finding(`changes of ${shown(stretch)} are given up, and not all of these instants were merged`);
}
