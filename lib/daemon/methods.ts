/** The table of methods (protocol.ts says what each takes and yields). */
import { RewindError } from '../errors.js';
import { DEFAULT_RECOVERY } from '../policy/recovery.js';
import { listWrites } from '../recovery/versions.js';
import type { WriteEntry } from '../recovery/types.js';
import { checkArguments } from './api.js';
import { instantAt, noContent, nodeThen, notMounted, stateAt, validPath } from './ask.js';
import { diff } from './diff.js';
import { exportTree } from './export.js';
import { blame } from './blame.js';
import { forkMethods } from './forks.js';
import { find, grep } from './finding.js';
import { groupNamed, groupRow } from './groups.js';
import { forkKeep } from './keep.js';
import { log } from './log.js';
import { addMark, checkPointName, pinPoint } from './mark.js';
import { pathBytes, safeForTerminal } from '../paths.js';
import type { AlarmRow, MethodName, Methods, RecoveryRow } from './protocol.js';
import { prune } from './prune.js';
import { purge } from './purge.js';
import { recover, recoveries } from './recovering.js';
import { release } from './release.js';
import { instantRow, keepRow, secondsOf, keepRuleRow, listRow, pointRow, recoveryPolicyRow, recoveryRow, recoveryRuleRow, S_IFMT, writeRow } from './rows.js';
import type { Caller, Session } from './session.js';
import { du, pack } from './space.js';
import { gaps } from './gaps.js';
import { positionOf, status } from './status.js';
import { summary } from './summary.js';
import { begin, cancel, commit, notify, transactions } from './transactions.js';
import { anchor, verify } from './verify.js';
import { operations, redo, replay, runBegin, runEnd, undo } from './undo.js';
import { restore } from './restore.js';
import { resume, rollback } from './rollback.js';

/** A method: what it yields comes as soon as it is known; the signal fires when nobody waits any more. */
export type Method<M extends MethodName> = (session: Session, args: Methods[M]['args'], signal: AbortSignal, caller: Caller) => AsyncGenerator<Methods[M]['item']>;

/** Bytes of a file that are read and sent at a time. */
const CAT_BYTES = 4 << 20;
/** Records that a watcher is told of at a time. */
const WATCH_RECORDS = 4096;

const methods: { [M in MethodName]: Method<M> } = {
  status,
  diff,
  rollback,
  resume,
  restore,
  export: exportTree,
  pack,
  du,
  ...forkMethods,
  fork_keep: forkKeep,
  undo,
  redo,
  replay,
  operations,
  run_begin: runBegin,
  run_end: runEnd,

  async *position(session) {
    yield positionOf(session);
  },

  async *resolve(session, args) {
    yield instantRow(await instantAt(session, args.time, args));
  },

  release,
  gaps,
  log,
  summary,
  find,
  blame,
  grep,

  async *ls(session, args) {
    const { history } = session;
    const at = await stateAt(session, args.at, args, [args.path]);
    yield { at: instantRow(at) };
    const { node, attr, names } = await nodeThen(history, args.path, at);
    const target = async (id: number, mode: number) => (mode & S_IFMT) === 0o120000 ? await history.readlink(id, at.seq) : undefined;
    if ((attr.mode & S_IFMT) !== 0o040000) {
      yield listRow(names, attr, await target(node, attr.mode));
      return;
    }
    const entries = await history.list(node, at.seq);
    const attrs = await history.attrs(entries.map((entry) => entry.node), at.seq);
    for (const [i, entry] of entries.entries()) {
      const found = attrs[i];
      if (found) yield listRow([...names, entry.name], found, await target(entry.node, found.mode));
    }
  },

  async *cat(session, args, signal) {
    const { history } = session;
    const at = await stateAt(session, args.at, args, [args.path]);
    const { node, attr } = await nodeThen(history, args.path, at);
    if ((attr.mode & S_IFMT) !== 0o100000) {
      throw new RewindError('ERR_USAGE', `${safeForTerminal(args.path)} was not a regular file at #${at.seq}`, 'See `rewind ls` for what it was.');
    }
    if (attr.uncaptured) throw await noContent(history, args.path, at, attr);
    for (let offset = 0; offset < attr.size && !signal.aborted; offset += CAT_BYTES) {
      yield await history.read(node, offset, Math.min(CAT_BYTES, attr.size - offset), at.seq);
    }
  },

  async *points(session, args) {
    const since = args.since === undefined ? 0 : (await instantAt(session, args.since, args)).seq;
    const until = args.until === undefined ? Infinity : (await instantAt(session, args.until, args)).seq;
    await session.settle();
    const group = args.group === undefined ? null : groupNamed(session, args.group).name;
    const points = (await session.history.points()).filter(({ seq, kind, name }) => seq >= since && seq <= until && (args.kinds?.includes(kind) ?? true) && (group === null || (kind === 'interval' && name === group)));
    for (const point of points.sort((a, b) => a.seq - b.seq || a.id - b.id)) yield pointRow(point);
  },

  async *mark(session, args) {
    const live = session.live ?? notMounted(session, 'A mark names an instant of a mounted tree');
    await checkPointName(args.name);
    yield await addMark(session, live, { kind: 'mark', name: args.name, note: args.note ?? '' });
  },

  async *pin(session, args) {
    const live = session.live ?? notMounted(session, 'Only a mounted tree takes pins');
    const at = await instantAt(session, args.time, args);
    const points = (await session.history.points()).filter(({ seq }) => seq === at.seq);
    if (points.length === 0) throw new RewindError('ERR_POINT_UNKNOWN', `No point is at ${args.time} (#${at.seq})`, '`rewind points` lists them; `rewind mark NAME` makes one of this instant.');
    for (const { id } of points) await pinPoint(session, live, id, args.pinned);
    for (const point of await session.history.points()) if (point.seq === at.seq) yield pointRow(point);
  },

  notify,
  begin,
  commit,
  cancel,
  transactions,
  recover,
  recoveries,

  async *watch(session, _args, signal) {
    const live = session.live ?? notMounted(session, 'Only a mounted tree changes');
    // Recoveries and alarms, as they come.
    const told: (RecoveryRow | AlarmRow)[] = [];
    let woken = new AbortController();
    const tell = (row: RecoveryRow | AlarmRow): void => {
      told.push(row);
      woken.abort();
    };
    const ignore = [live.onAlarm(tell), session.jobs.onEnded((job) => tell(recoveryRow({ ...job })))];
    try {
      let seen = await session.settle();
      while (!signal.aborted) {
        await live.grown(seen, AbortSignal.any([signal, woken.signal]));
        const rows = told.splice(0);
        if (rows.length > 0) woken = new AbortController();
        const until = Math.min(session.history.watermark(), seen + WATCH_RECORDS);
        if (until === seen && rows.length === 0) return;
        const entries: WriteEntry[] = [];
        for await (const entry of listWrites(session.history, [], { since: seen, until })) entries.push(entry);
        yield* entries.sort((a, b) => a.seq - b.seq).map(writeRow);
        yield* rows;
        seen = until;
      }
    } finally {
      for (const each of ignore) each();
    }
  },

  async *policy(session, args) {
    const { policy } = session;
    if (args.paths === undefined) {
      const row = policy.row();
      yield { ...row, groups: policy.policy.groups.map(groupRow), recovery: row.recovery.map(recoveryRuleRow), default_recovery: recoveryPolicyRow(DEFAULT_RECOVERY), keep: policy.policy.keeping.map(keepRuleRow), default_keep: keepRow(policy.policy.retention), changes_s: secondsOf(policy.policy.retention.changesMs), cold: policy.policy.cold && { directory: safeForTerminal(policy.policy.cold.directory), after_s: policy.policy.cold.afterMs / 1000 } };
    }
    for (const { path, directory } of args.paths ?? []) {
      const bytes = pathBytes(validPath(path));
      const rule = policy.decide(bytes, directory);
      const groups = policy.policy.groups.filter((group) => group.has(bytes, directory)).map(({ name }) => name);
      const recovery = policy.recovery().rule(bytes);
      const keep = policy.keeping().rule(bytes, directory);
      yield {
        path, capture: rule?.capture ?? 'each-write', rule, groups, recovery: recoveryPolicyRow(recovery ?? DEFAULT_RECOVERY), recovery_rule: recovery && recoveryRuleRow(recovery),
        keep: keepRow(keep ?? policy.policy.retention), keep_rule: keep && keepRuleRow(keep),
      };
    }
  },

  prune,
  purge,
  verify,
  anchor,

  async *unmount(session, args) {
    const live = session.live ?? notMounted(session, 'There is nothing to unmount');
    yield { type: 'stopped', seq: await live.stop({ lazy: args.lazy ?? false, reason: 'unmount' }) };
  },
};

export function isMethod(name: string): name is MethodName {
  return Object.hasOwn(methods, name);
}

/** Calls a method with arguments that somebody else has written. @throws ERR_USAGE when they are not what it takes */
export function callMethod<M extends MethodName>(name: M, session: Session, args: unknown, signal: AbortSignal, caller: Caller): AsyncGenerator<Methods[M]['item']> {
  checkArguments(name, args);
  return (methods[name] as Method<M>)(session, args as Methods[M]['args'], signal, caller);
}
