/** From what history and recovery answer to the rows of the protocol. Pure. */
import type { NodeAttr, Point, Writer } from '../history/types.js';
import { safeForTerminal, showPath } from '../paths.js';
import type { Found } from '../recovery/find.js';
import type { Operation } from '../recovery/operations.js';
import type { DiffEntry, PlanEntry, Save, WriteEntry } from '../recovery/types.js';
import { formatTimeUtc } from '../time/format.js';
import type { Instant } from '../time/resolve.js';
import type { KeepRule, Schedule } from '../policy/keeping.js';
import type { Recovery, RecoveryRule } from '../policy/recovery.js';
import type { Job } from './jobs.js';
import type { DiffRow, FindRow, InstantRow, KeepRow, KeepRuleRow, ListRow, LogRow, OperationRow, PlanRow, PointRow, RecoveryPolicyRow, RecoveryRow, RecoveryRuleRow, WriterRow } from './protocol.js';

export const S_IFMT = 0o170000;
const TYPES: Record<number, ListRow['type']> = {
  0o100000: 'file', 0o040000: 'directory', 0o120000: 'symlink', 0o010000: 'fifo', 0o140000: 'socket', 0o020000: 'char', 0o060000: 'block',
};

/** Numbers of native/journal/format.h `Kind`, as `log --all-writes` names them. */
const KINDS: Record<number, string> = {
  8: 'create', 9: 'mkdir', 10: 'symlink', 11: 'mknod', 12: 'tmpfile', 13: 'link', 14: 'unlink', 15: 'rmdir', 16: 'rename',
  24: 'write', 25: 'truncate', 26: 'fallocate', 27: 'setattr', 28: 'setxattr', 29: 'removexattr', 32: 'open', 33: 'close',
  40: 'base-node', 41: 'base-name', 42: 'base-absent', 43: 'base-data', 44: 'base-end',
};

const path = (names: readonly string[]): string => safeForTerminal(showPath(names));

export function instantRow(instant: Instant): InstantRow {
  return { expression: instant.expr, seq: instant.seq, time: formatTimeUtc(instant.timeNs) };
}

export function writerRow(writer: Writer): WriterRow {
  const { id, pid, ppid, exe, argv, uid, gid, cgroup } = writer;
  return { id, pid, ppid, exe: safeForTerminal(exe), argv: argv.map(safeForTerminal), uid, gid, cgroup: safeForTerminal(cgroup) };
}

export function saveRow(save: Save): LogRow {
  return {
    seq: save.seq, time: formatTimeUtc(save.timeNs), marker: save.marker, path: save.path && path(save.path),
    ...save.from && { from: path(save.from) },
    ver: save.ver, size: save.size, writer: save.writer && writerRow(save.writer), uncertain: save.writeback, unmounted: save.unmounted,
    first_seq: save.firstSeq, records: save.records, given_up: save.givenUp,
  };
}

export function writeRow(entry: WriteEntry): LogRow {
  return {
    seq: entry.seq, time: formatTimeUtc(entry.timeNs), marker: entry.marker, path: entry.path && path(entry.path),
    ...entry.from && { from: path(entry.from) },
    size: entry.size, writer: entry.writer && writerRow(entry.writer), uncertain: entry.writeback, unmounted: entry.unmounted,
    kind: KINDS[entry.kind] ?? String(entry.kind), offset: entry.offset, length: entry.length, save: entry.save, given_up: entry.givenUp,
  };
}

export function listRow(names: string[], attr: NodeAttr, target?: Buffer): ListRow {
  return {
    path: path(names), type: TYPES[attr.mode & S_IFMT] ?? 'file', mode: (attr.mode & 0o7777).toString(8).padStart(4, '0'),
    uid: attr.uid, gid: attr.gid, nlink: attr.nlink, size: attr.size, mtime: formatTimeUtc(attr.mtime),
    ...target && { target: path([target.toString('latin1')]) },
  };
}

/** `times`: of its first seq, and of when it went. */
export function findRow(found: Found, times: [came: bigint, went: bigint]): FindRow {
  const { attr } = found;
  return {
    path: path(found.path), type: TYPES[attr.mode & S_IFMT] ?? 'file', size: attr.size,
    came: { seq: found.from, time: formatTimeUtc(times[0]) }, went: found.until === null ? null : { seq: found.until, time: formatTimeUtc(times[1]) },
    last: found.last, uncaptured: attr.uncaptured === true && attr.size > 0,
  };
}

export function diffRow(entry: DiffEntry): DiffRow {
  return {
    status: entry.status, path: path(entry.path), ...entry.from && { from: path(entry.from) }, what: entry.what,
    old_size: entry.fromAttr?.size ?? null, new_size: entry.toAttr?.size ?? null,
  };
}

export function planRow(entry: PlanEntry): PlanRow {
  return {
    action: entry.action, path: path(entry.path), ...entry.from && { from: path(entry.from) }, bytes: entry.bytes,
    ...entry.reason !== undefined && { reason: entry.reason },
  };
}

export function pointRow(point: Point): PointRow {
  const { id, seq, kind, phase, pinned } = point;
  return { id, seq, time: formatTimeUtc(point.timeNs), kind, name: safeForTerminal(point.name), note: safeForTerminal(point.note), ...(phase && { phase }), ...(pinned && { pinned }), ...(point.tags && { tags: point.tags.map(safeForTerminal) }) };
}

export function operationRow({ id, kind, timeNs, after, note, name, detail, code, undone, interrupted, resumedBy }: Operation): OperationRow {
  return {
    id, operation: kind, time: formatTimeUtc(timeNs), after, note: safeForTerminal(note.replace(/^before: /, '')), name: safeForTerminal(name),
    session: detail.session ?? null, code, undone, interrupted, resumed_by: resumedBy,
  };
}

export const recoveryRow = (job: Job): RecoveryRow => ({ type: 'recovery', ...job });

export function recoveryPolicyRow({ recover, retries, timeoutMs, checkMs }: Recovery): RecoveryPolicyRow {
  return { recover, retries, timeout_ms: timeoutMs, check_ms: checkMs };
}

export function recoveryRuleRow(rule: RecoveryRule): RecoveryRuleRow {
  return { pattern: rule.pattern, ...recoveryPolicyRow(rule), by: rule.by, line: rule.line };
}

/** Of a period; null: for ever. */
export const secondsOf = (ms: number): number | null => (Number.isFinite(ms) ? ms / 1000 : null);

export function keepRow({ windowMs, bucketMs: { hour, day, week, month, year } }: Schedule): KeepRow {
  return { keep_s: secondsOf(windowMs), hour_s: secondsOf(hour), day_s: secondsOf(day), week_s: secondsOf(week), month_s: secondsOf(month), year_s: secondsOf(year) };
}

export function keepRuleRow(rule: KeepRule): KeepRuleRow {
  return { patterns: [...rule.patterns], group: rule.group, ...keepRow(rule), by: rule.by, line: rule.line };
}
