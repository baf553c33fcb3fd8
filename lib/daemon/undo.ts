/**
 * Taking back what some writers did, or the last operation, and the frame of `rewind run`. Each is an operation itself:
 * framed by two points, done through the mount (I7), and so taken back like any other.
 */
import { RewindError } from '../errors.js';
import type { Seq, Writer } from '../history/types.js';
import { safeForTerminal, showPath } from '../paths.js';
import { authorsOf } from '../recovery/authors.js';
import { nextRedo, nextUndo, operationsOf, type Operation } from '../recovery/operations.js';
import type { PlanEntry } from '../recovery/types.js';
import { planUndo, type UndoPlan } from '../recovery/undo/plan.js';
import { describe, select, type Selection } from '../recovery/undo/select.js';
import { instantAt, notMounted, stretchOf } from './ask.js';
import { checkClosed } from './intrusions.js';
import { addMark } from './mark.js';
import type { Methods, OperationRow, PointRow, WorkRow } from './protocol.js';
import { instantRow, operationRow, planRow, writerRow } from './rows.js';
import type { Session } from './session.js';
import { operate, ourselves, working, type Frame } from './work.js';

const NAME = /^[\p{L}\p{N}_][\p{L}\p{N}_.-]{0,127}$/u;
const SESSION = /^[0-9a-f]{8,32}$/;

type UndoArgs = Methods['undo']['args'];
type TakeBackArgs = Pick<UndoArgs, 'dry_run' | 'planned_at' | 'require_complete' | 'force'>;

const operationsNow = async (session: Session): Promise<Operation[]> => operationsOf(await session.history.points(), working.get(session));

export async function* undo(session: Session, args: UndoArgs): AsyncGenerator<WorkRow> {
  await session.settle();
  const selection = await selectionOf(session, args);
  const run = selection && onlySession(selection) ? await runOf(session, selection.session as string) : null;
  if (run) {
    yield* takeBackOperation(session, args, run, 'undo');
  } else if (selection) {
    yield* takeBack(session, args, selection, { operation: 'undo', selection, ...selection.session !== undefined && { session: selection.session } }, describe(selection));
  } else {
    const last = nextUndo(await operationsNow(session));
    if (!last) throw new RewindError('ERR_NOTHING_TO_UNDO', 'No operation is left to take back', 'To take back what a program did, name it: rewind undo --writer PID. `rewind op log` shows the operations.');
    yield* takeBackOperation(session, args, last, 'undo');
  }
}

/** What the selected did since an instant is left out; all else that came since stays. */
export async function* replay(session: Session, args: Methods['replay']['args']): AsyncGenerator<WorkRow> {
  await session.settle();
  const { since, ...who } = await selectionOf(session, args) ?? {};
  if (Object.values(who).every((one) => one === undefined)) throw new RewindError('ERR_USAGE', 'A replay leaves somebody out', 'Say whom: rewind replay --from TIME --except PID');
  const selection = { ...who, since };
  yield { type: 'instant', at: instantRow(await instantAt(session, args.since, args)) };
  yield* takeBack(session, args, selection, { operation: 'replay', selection }, `from #${since} without ${describe(selection)}`);
}

/** A run as a whole is an operation: taken back as such, it is one that `undo` need not take back again. */
const onlySession = ({ session, ...rest }: Selection): boolean => session !== undefined && Object.values(rest).every((one) => one === undefined);

async function runOf(session: Session, named: string): Promise<Operation | null> {
  const runs = (await operationsNow(session)).filter(({ kind }) => kind === 'run');
  return runs.filter(({ detail, name }) => detail.session === named || name === named).at(-1) ?? null;
}

export async function* redo(session: Session, args: Methods['redo']['args']): AsyncGenerator<WorkRow> {
  await session.settle();
  const last = nextRedo(await operationsNow(session));
  if (!last) throw new RewindError('ERR_NOTHING_TO_UNDO', 'Nothing was undone that could be done again', '`rewind op log` shows the operations.');
  yield* takeBackOperation(session, args, last, 'redo');
}

/** Goes on with an undo or redo that was interrupted: what it took back already is taken back no more. */
export async function* takeBackAgain(session: Session, args: TakeBackArgs, { id, kind, note, detail: { takesBack, selection } }: Operation): AsyncGenerator<WorkRow> {
  const target = (await operationsNow(session)).find((operation) => operation.id === takesBack);
  if (target) yield* takeBackOperation(session, args, target, kind === 'redo' ? 'redo' : 'undo', id);
  else if (selection) yield* takeBack(session, args, selection, { operation: kind === 'replay' ? kind : 'undo', selection, resumes: id }, note.replace(/^before: /, ''));
}

async function* takeBackOperation(session: Session, args: TakeBackArgs, target: Operation, operation: 'undo' | 'redo', resumes?: Seq): AsyncGenerator<WorkRow> {
  const { writers } = target.detail;
  const frame: Frame = { operation, takesBack: target.id, ...writers && { writers }, ...resumes !== undefined && { resumes } };
  yield* takeBack(session, args, { operation: target.id }, frame, `${target.kind} #${target.id}`);
}

async function selectionOf(session: Session, args: UndoArgs): Promise<Selection | null> {
  for (const name of ['writer', 'family', 'uid'] as const) {
    if (args[name] !== undefined && !(Number.isSafeInteger(args[name]) && args[name] >= 0)) throw new RewindError('ERR_USAGE', `--${name} takes a number, not ${JSON.stringify(args[name])}`, '`rewind log` shows who changed what: program[PID].');
  }
  const { writer, family, exe, session: run, uid } = args;
  if ([writer, family, exe, run, uid, args.since, args.until].every((one) => one === undefined)) return null;
  const { since, until } = await stretchOf(session, args);
  return { writer, family, exe, session: run, uid, since, until: args.until === undefined ? undefined : until };
}

async function* takeBack(session: Session, args: TakeBackArgs, selection: Selection, frame: Frame, what: string): AsyncGenerator<WorkRow> {
  const live = args.dry_run ? session.live : session.live ?? notMounted(session, 'An undo goes through the mounted tree');
  await live?.walked();
  const planAt = async (now: Seq): Promise<UndoPlan> => planUndo(session.history, await select(session.history, selection), { now, maker: ourselves() });
  const undone = await planAt(await session.settle());
  if (undone.coverage.changes === 0 && selection.operation === undefined) throw new RewindError('ERR_WRITER_UNKNOWN', `${what}: no change of that selection is in history`, '`rewind log` shows who changed what.');
  if (args.planned_at !== undefined) checkNothingNew(await planAt(args.planned_at), undone);
  yield* checkClosed(session, live, undone.plan, args);
  yield* shown(undone);
  if (args.require_complete && (undone.conflicts.length > 0 || undone.coverage.gaps > 0)) {
    throw new RewindError('ERR_INCOMPLETE', `Nothing was changed: ${undone.coverage.conflicting} conflicts and ${undone.coverage.gaps} gaps stand in the way`, 'Without --require-complete the rest is taken back.');
  }
  if (args.dry_run || !live) return;
  // An operation that is taken back counts as such, also when nothing of it is left.
  if (undone.plan.ops.length === 0 && selection.operation === undefined) {
    yield { type: 'done', counts: undone.plan.counts, bytes: 0, before: null, after: null };
  } else {
    const writers = frame.writers ?? undone.writers.map(({ id }) => id);
    yield* operate(session, live, { ...frame, writers, ...Number.isFinite(undone.first) && { since: undone.first - 1 } }, what, [planAt]);
  }
  if (undone.conflicts.length > 0) {
    throw conflictError(undone.conflicts.length);
  }
}

/** What was safe is taken back, so many objects are left. */
export function conflictError(left: number): RewindError {
  return new RewindError('ERR_CONFLICTS', `${left} ${left === 1 ? 'object was' : 'objects were'} left as they are: later changes depend on what was to be taken back`, 'Mend them by hand, or take back the later changes first.');
}

/** A plan in rows. `authors`: who changed what its entries are about, where that is told. */
export function* shown({ plan, conflicts, coverage, writers }: UndoPlan, authors?: ReadonlyMap<PlanEntry, Writer[]>): Generator<WorkRow> {
  for (const entry of plan.entries) yield { type: 'entry', ...planRow(entry), ...authors && { writers: authors.get(entry)?.map(writerRow) ?? [] } };
  for (const { path, reason, by } of conflicts) yield { type: 'conflict', path: safeForTerminal(showPath(path)), reason, by: by && writerRow(by) };
  const { changes, objects, takenBack: taken_back, kept, conflicting, gaps } = coverage;
  yield { type: 'coverage', changes, objects, taken_back, kept, conflicting, gaps, writers: writers.map(writerRow) };
  yield { type: 'plan', now: plan.now, to: plan.to, counts: plan.counts, bytes: plan.bytes };
}

/** @throws ERR_NEWER_CHANGES when the plan is not the one that was agreed to */
function checkNothingNew(agreed: UndoPlan, present: UndoPlan): void {
  const text = ({ plan, conflicts }: UndoPlan): string => JSON.stringify([plan.entries.map(({ action, path }) => [action, path]), conflicts.map(({ path }) => path)]);
  if (text(agreed) === text(present)) return;
  throw new RewindError('ERR_NEWER_CHANGES', 'Nothing was changed: since the plan was shown more has changed', 'Run the command again to see the new plan, or answer beforehand with --yes.');
}

export async function* operations(session: Session): AsyncGenerator<OperationRow> {
  await session.settle();
  for (const operation of (await operationsNow(session)).reverse()) yield operationRow(operation);
}

/** Frames a run: the point before it. @throws ERR_NOT_MOUNTED, ERR_POINT_NAME */
export async function* runBegin(session: Session, args: Methods['run_begin']['args']): AsyncGenerator<PointRow> {
  const live = session.live ?? notMounted(session, 'A run is a transaction on a mounted tree');
  if (args.name !== undefined && !NAME.test(args.name)) throw new RewindError('ERR_POINT_NAME', `${JSON.stringify(args.name)} cannot name a run`, 'Use letters, digits and . _ -, like upgrade-1.');
  if (!SESSION.test(args.session)) throw new RewindError('ERR_USAGE', `${JSON.stringify(args.session)} cannot be the id of a run`, 'Eight to 32 hexadecimal digits.');
  const argv = args.argv.map(String);
  yield await addMark(session, live, { kind: 'run', name: args.name ?? '', note: `before: ${argv.join(' ').slice(0, 200)}`, detail: { operation: 'run', phase: 'before', applier: '', session: args.session, argv }, pinned: true });
}

/** The point after a run, and what it changed. @throws ERR_SESSION_UNKNOWN */
export async function* runEnd(session: Session, args: Methods['run_end']['args']): AsyncGenerator<WorkRow> {
  const live = session.live ?? notMounted(session, 'The tree was unmounted during the run');
  await session.settle();
  const run = (await operationsNow(session)).find(({ detail }) => detail.operation === 'run' && detail.session === args.session);
  if (!run) throw new RewindError('ERR_SESSION_UNKNOWN', `No run has the id ${safeForTerminal(args.session)}`, '`rewind op log` lists runs with theirs.');
  await live.walked();
  const selected = await select(session.history, { operation: run.id });
  const changed = await planUndo(session.history, selected, { now: await session.settle(), maker: ourselves() });
  const empty = changed.coverage.changes === 0;
  await addMark(session, live, { kind: 'run', note: `after: ${run.note.replace(/^before: /, '')}`, detail: { ...run.detail, phase: 'after', of: run.id, code: args.code, empty } });
  const writers = new Map(changed.writers.map((writer) => [writer.id, writer]));
  const authors = await authorsOf(changed.history, changed.plan, { after: run.id, has: (change) => selected.has(change) });
  yield* shown(changed, new Map([...authors].map(([entry, ids]) => [entry, ids.map((id) => writers.get(id)).filter((writer) => writer !== undefined)])));
}
