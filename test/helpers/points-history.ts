/** A history of which only clock, range and points are asked. */
import type { HistoryReader } from '../../lib/history/reader.js';
import type { Point, PointKind, PointPhase } from '../../lib/history/types.js';

/** Records with these times, seq counting from 1; points lie on some of them. */
export function clockHistory(times: bigint[], points: { seq: number; name: string; kind?: PointKind; phase?: PointPhase }[] = []): HistoryReader {
  const at = (seq: number): { seq: number; timeNs: bigint } => ({ seq, timeNs: times[seq - 1] as bigint });
  const shown: Point[] = points.map(({ seq, name, kind, phase }, id) => ({ id, seq, timeNs: at(seq).timeNs, kind: kind ?? 'mark', name, note: '', ...(phase && { phase }) }));
  const asked = {
    watermark: () => times.length,
    range: async () => (times.length === 0 ? null : { first: at(1), last: at(times.length) }),
    seqAt: async (timeNs: bigint) => times.filter((time) => time <= timeNs).length || null,
    timeOf: async (seq: number) => times[seq - 1] ?? null,
    points: async () => shown,
  };
  return asked as unknown as HistoryReader;
}
