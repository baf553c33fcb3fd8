/**
 * When was a removed directory still whole? `rm -r` empties it before it removes it, so that its last instant shows
 * nothing. Guarantee: each run of removals is read once, whatever the number of directories that went with it.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Change, Seq } from '../history/types.js';

/** Removals of one writer that are longer apart were two decisions. */
const TOGETHER_NS = 60_000_000_000n;

export class Removals {
  private readonly runs: { writer: Seq; first: Seq; last: Seq }[] = [];

  constructor(private readonly history: HistoryReader) {}

  /** The seq just before the writer who removed something at `gone` began to remove. */
  async before(gone: Seq): Promise<Seq> {
    const known = this.runs.find((run) => gone >= run.first && gone <= run.last);
    let first: Change | null = null;
    for await (const change of this.history.changes(known?.first ?? 0, gone, { reverse: true })) {
      if (first === null && change.seq < gone) break;
      if (first !== null && change.writer !== first.writer) continue;
      if (change.marker !== 'delete' || (first !== null && first.timeNs - change.timeNs > TOGETHER_NS)) break;
      first = change;
      if (known?.writer === change.writer) return known.first - 1;
    }
    if (first === null) return gone - 1;
    this.runs.push({ writer: first.writer, first: first.seq, last: gone });
    return first.seq - 1;
  }
}
