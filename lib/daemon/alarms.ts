/** The part of the protocol that tells of trip wires. Fields are only ever added. */
import type { Alarm } from '../policy/trips.js';
import type { WriterRow } from './protocol.js';

/** A writer, with all that it started, that may change nothing until it is released. */
export interface BlockRow {
  pid: number;
  command: string;
  alarm: Alarm;
  /** Files, and the seq of the first change of it. */
  count: number;
  first_seq: number;
  since: string;
  /** Does the process still run? What it started may, even when it does not. */
  running: boolean;
}

/** Something destroys work in bulk (`watch`). */
export interface AlarmRow {
  type: 'alarm';
  alarm: Alarm;
  /** The first change of it: the state before it is `before:alarm`. */
  first_seq: number;
  count: number;
  time: string;
  command: string;
  writer: WriterRow;
  /** Is that writer blocked now? */
  blocked: boolean;
}
