/** The methods about damaged files: somebody asks for one to be put back, and what became of all of them. */
import { readlink } from 'node:fs/promises';
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { Name, Point, Seq } from '../history/types.js';
import { pathBytes, safeForTerminal, showPath } from '../paths.js';
import { compareObjects } from '../recovery/compare.js';
import { damageOf, fileAt, isUnharmed, type FileThen } from '../recovery/damage.js';
import { planRollback } from '../recovery/plan.js';
import { listSaves } from '../recovery/versions.js';
import { nodeThen, notMounted, stateAt } from './ask.js';
import type { Job } from './jobs.js';
import type { Methods, RecoveryRow } from './protocol.js';
import { Hopeless } from './recovery.js';
import { recoveryRow, S_IFMT } from './rows.js';
import type { Caller, LiveTree, Session } from './session.js';
import { goal, operate, ourselves } from './work.js';

export async function* recover(session: Session, args: Methods['recover']['args'], _signal: AbortSignal, caller: Caller): AsyncGenerator<RecoveryRow> {
  const live = session.live ?? notMounted(session, 'A recovery goes through the mounted tree');
  const { attr, names } = await nodeThen(session.history, args.path, await stateAt(session, 'now', {}));
  const path = safeForTerminal(showPath(names));
  if ((attr.mode & S_IFMT) !== 0o100000) throw new RewindError('ERR_USAGE', `${path} is not a regular file`, 'Files are recovered one by one; `rewind rollback` takes directories.');
  const rule = session.policy.recovery().rule(pathBytes(names));
  if (rule?.recover === 'manual') throw new RewindError('ERR_REFUSED', `${path} is put back by nobody but a person (recover = "manual", ${rule.by})`, `rewind rollback ${path} --to TIME`);
  const to = args.to === undefined ? null : (await stateAt(session, args.to, args)).seq;
  const exe = safeForTerminal(await readlink(`/proc/${caller.pid}/exe`).catch(() => ''));
  const job = await live.recoverer.recover({ path: names, cause: 'asked', by: caller.pid === 0 ? null : { pid: caller.pid, exe }, goBack: () => goBack(session, live, names, to), own: to !== null });
  yield recoveryRow(job);
  if (job.result !== 'recovered') throw new RewindError('ERR_NOT_RECOVERED', `${path} was not recovered: ${job.note}`, 'Look at its versions with `rewind log`, and take one with `rewind rollback` or `rewind restore`.');
}

export async function* recoveries(session: Session, args: Methods['recoveries']['args']): AsyncGenerator<RecoveryRow> {
  for (const job of args.failed ? session.jobs.failed() : session.jobs.all()) yield recoveryRow(job);
}

/** Makes the file what it was at the version to take; null when that is the newest, which only has to be put back. */
async function goBack(session: Session, live: LiveTree, path: Name[], to: Seq | null): Promise<Seq | null> {
  const { history } = session;
  const now = await session.settle();
  const target = to ?? await targetOf(session, live, path, now);
  if (target === null) return null;
  for await (const row of operate(session, live, { operation: 'rollback', ...goal([{ path, to: target }]) }, `recover ${safeForTerminal(showPath(path))} to #${target}`, [async (at) => (
    { plan: await planRollback(history, { paths: [path], to: target, now: at, maker: ourselves() }), history }
  )])) void row;
  return target;
}

async function targetOf(session: Session, live: LiveTree, path: Name[], now: Seq): Promise<Seq | null> {
  const { history } = session;
  const damage = await damageOf(history, path, (...args) => live.engine.readBacking(...args), () => session.settle());
  if (damage && !isUnharmed(damage)) return null;
  const present = await fileAt(history, path, now);
  if (!present) throw new Hopeless('its content is not in history');
  const before = await goneBackTo(session, present) ?? now;
  for (const seq of consistentAt(await history.points(), path)) if (seq <= before && await isAnother(history, present, seq)) return seq;
  for await (const save of listSaves(history, path, { until: before })) if (await isAnother(history, present, save.firstSeq - 1)) return save.firstSeq - 1;
  throw new Hopeless('history has no other version of it');
}

/** The version that an earlier recovery took, when the file is still that: this one goes further back. */
async function goneBackTo({ history, jobs }: Session, present: FileThen): Promise<Seq | null> {
  const shown = safeForTerminal(showPath(present.path));
  const last = jobs.all().find(({ path, cause, result, to }: Job) => path === shown && cause === 'asked' && result === 'recovered' && to !== null);
  return last && !await isAnother(history, present, last.to!) ? last.to : null;
}

/** Instants at which its program said that it is consistent, the newest first. */
function consistentAt(points: readonly Point[], path: Name[]): Seq[] {
  const says = ({ kind, detail }: Point): boolean => kind === 'notify' && Array.isArray(detail?.['paths']) && detail['paths'].some((one) => JSON.stringify(one) === JSON.stringify(path));
  return points.filter(says).map(({ seq }) => seq).sort((a, b) => b - a);
}

/** Was there a file, with another content? */
async function isAnother(history: HistoryReader, present: FileThen, seq: Seq): Promise<boolean> {
  const then = seq < 1 ? null : await fileAt(history, present.path, seq);
  return then !== null && (await compareObjects(history, then, present)).content;
}
