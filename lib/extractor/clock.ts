/** The clock of a batch: seq <-> time of every record, in runs. Times never decrease with seq (invariant I3). */
import { clockKey, u64Key } from '../history/keys.js';
import { encodeTimes } from '../history/values.js';
import type { Record } from './record.js';
import type { Sink } from './state.js';

/** Records in one run, and the time that its u32 differences can span. */
const MAX_RUN = 256;
const MAX_SPAN_NS = 0xffff_ffff;

export function foldClock(sink: Sink, records: Record[]): void {
  let first = records[0];
  let deltas: number[] = [];
  const end = () => {
    if (first === undefined || deltas.length === 0) return;
    sink.put('times', u64Key(first.seq), encodeTimes(first.timeNs, deltas));
    sink.put('clock', clockKey(first.timeNs, first.seq), Buffer.alloc(0));
  };
  for (const record of records) {
    let span = Number(record.timeNs - first!.timeNs);
    if (deltas.length >= MAX_RUN || span > MAX_SPAN_NS) {
      end();
      first = record;
      deltas = [];
      span = 0;
    }
    deltas.push(span);
  }
  end();
}
