/**
 * What programs say of their files: that they are consistent, and where a change of several of them begins and ends.
 * Guarantees: nothing is kept of it but points, so that it outlives every restart (I4); a cancel is an operation like a
 * rollback, and can itself be undone; a transaction ends once.
 */
import { randomBytes } from 'node:crypto';
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { Name, Point, Seq } from '../history/types.js';
import { safeForTerminal, showPath } from '../paths.js';
import { isUnder } from '../recovery/places.js';
import { planRollback } from '../recovery/plan.js';
import { planUndo, type UndoPlan } from '../recovery/undo/plan.js';
import { select, type Selected } from '../recovery/undo/select.js';
import { lineageOf, startOf } from '../states/processes.js';
import { formatTimeUtc } from '../time/format.js';
import { nodeThen, notMounted, stateAt, validPath } from './ask.js';
import { checkClosed } from './intrusions.js';
import { addMark, checkPointName } from './mark.js';
import type { Methods, PointRow, TransactionRow, WorkRow } from './protocol.js';
import { planRow } from './rows.js';
import type { Caller, LiveTree, Session } from './session.js';
import { conflictError, shown } from './undo.js';
import { goal, operate, ourselves } from './work.js';

/** What the points of a transaction say of it. Names are their bytes, as in lib/history/types.ts. */
interface Detail {
  transaction: 'begin' | 'commit' | 'cancel';
  id: string;
  paths?: Name[][];
  /** A process, and its start as /proc has it. */
  family?: { pid: number; start: number };
  note?: string;
}

interface Transaction extends Required<Pick<Detail, 'paths' | 'note'>>, Pick<Detail, 'family'> {
  id: string;
  began: Point;
  ended: { point: Point; how: 'commit' | 'cancel' } | null;
}

/** Bytes of a note on a point that name paths. */
const NAMED = 200;
/** Transactions that are being ended. */
const ending = new WeakMap<Session, Set<string>>();

const named = (paths: readonly (readonly Name[])[]): string => paths.map((path) => safeForTerminal(showPath(path))).join(' ').slice(0, NAMED);

export async function* notify(session: Session, args: Methods['notify']['args']): AsyncGenerator<PointRow> {
  const live = session.live ?? notMounted(session, 'A file is consistent at an instant of a mounted tree');
  if (args.paths.length === 0) throw new RewindError('ERR_USAGE', 'notify names at least one file', 'Like {"paths": ["app.db"]}.');
  if (args.name !== undefined) await checkPointName(args.name);
  const now = await stateAt(session, 'now', {});
  const paths: Name[][] = [];
  for (const path of args.paths) paths.push((await nodeThen(session.history, path, now)).names);
  const point = await addMark(session, live, { kind: 'notify', name: args.name ?? '', note: [named(paths), args.note].filter(Boolean).join(': '), detail: { paths } });
  await live.journal.sync();
  await session.jobs.settle(paths.map((path) => safeForTerminal(showPath(path))));
  yield point;
}

export async function* begin(session: Session, args: Methods['begin']['args'], _signal: AbortSignal, caller: Caller): AsyncGenerator<TransactionRow> {
  const live = session.live ?? notMounted(session, 'A transaction is about a mounted tree');
  const paths = args.paths.map(validPath);
  const family = args.family === undefined ? undefined : await familyOf(args.family === 'caller' ? caller.pid : args.family);
  if (paths.length === 0 && !family) throw new RewindError('ERR_USAGE', 'begin names the files of the transaction, or a family', 'Like {"paths": ["a.db", "b.db"]}, or {"paths": [], "family": "caller"}.');
  const id = randomBytes(6).toString('hex');
  const note = args.note ?? '';
  const detail: Detail = { transaction: 'begin', id, paths, note, ...family && { family } };
  await addMark(session, live, { kind: 'transaction', note: `begin ${id}: ${[named(paths), note].filter(Boolean).join(': ')}`, detail, phase: 'before' });
  yield row(await transactionOf(session, id));
}

/** @throws ERR_USAGE when no such process runs */
async function familyOf(pid: number): Promise<{ pid: number; start: number }> {
  const start = Number.isSafeInteger(pid) && pid > 0 ? await startOf(pid) : null;
  if (start === null) throw new RewindError('ERR_USAGE', `No process ${pid} runs here`, 'A family is named by the process that it begins with, while that runs.');
  return { pid, start };
}

export async function* commit(session: Session, args: Methods['commit']['args']): AsyncGenerator<TransactionRow> {
  const live = session.live ?? notMounted(session, 'A transaction ends in a mounted tree');
  await oneEnd(session, args.id, async (transaction) => end(session, live, transaction, 'commit'));
  await live.journal.sync();
  yield row(await transactionOf(session, args.id));
}

export async function* cancel(session: Session, args: Methods['cancel']['args'], _signal: AbortSignal, caller: Caller): AsyncGenerator<WorkRow> {
  const live = session.live ?? notMounted(session, 'A cancel goes through the mounted tree');
  const transaction = await openTransaction(session, args.id);
  const release = claim(session, args.id);
  try {
    await live.walked();
    const conflicts = yield* putBack(session, live, transaction, { ...args, asking: await withAncestors(caller) });
    if (args.dry_run) return;
    await end(session, live, transaction, 'cancel');
    if (conflicts > 0) throw conflictError(conflicts);
  } finally {
    release();
  }
}

export async function* transactions(session: Session, args: Methods['transactions']['args']): AsyncGenerator<TransactionRow> {
  await session.settle();
  for (const one of transactionsOf(await session.history.points()).reverse()) if (!args.open || one.ended === null) yield row(one);
}

/** How a transaction is cancelled. */
interface Ending extends Pick<Methods['cancel']['args'], 'dry_run' | 'force'> {
  /** Processes that asked for it. */
  asking: ReadonlySet<number>;
}

/** Who asks for the end of a transaction may have its files open: a program does, or the script that runs `rewind notify`. */
const withAncestors = async ({ pid }: Caller): Promise<ReadonlySet<number>> => new Set((await lineageOf(pid)).map((one) => parseInt(one, 10)));

/** Answers how many objects stay as they are, because taking them back is not safe. */
async function* putBack(session: Session, live: LiveTree, transaction: Transaction, { asking, ...args }: Ending): AsyncGenerator<WorkRow, number> {
  const { history } = session;
  const { dry_run: dryRun } = args;
  const what = `transaction ${transaction.id}`;
  if (transaction.family) {
    const planAt = async (now: Seq): Promise<UndoPlan> => planUndo(history, await selected(history, transaction, now), { now, maker: ourselves() });
    const undone = await planAt(await session.settle());
    yield* checkClosed(session, live, undone.plan, args, asking);
    yield* shown(undone);
    if (!dryRun && undone.plan.ops.length > 0) yield* operate(session, live, { operation: 'undo', writers: undone.writers.map(({ id }) => id) }, what, [planAt]);
    return undone.conflicts.length;
  }
  const planAt = async (now: Seq) => {
    const paths: Name[][] = [];
    for (const path of transaction.paths) if (await history.resolve(path, transaction.began.seq) !== null || await history.resolve(path, now) !== null) paths.push(path);
    return paths.length === 0 ? null : planRollback(history, { paths, to: transaction.began.seq, now, maker: ourselves() });
  };
  const plan = await planAt(await session.settle());
  if (plan) yield* checkClosed(session, live, plan, args, asking);
  for (const entry of plan?.entries ?? []) yield { type: 'entry', ...planRow(entry) };
  if (plan) yield { type: 'plan', now: plan.now, to: plan.to, counts: plan.counts, bytes: plan.bytes };
  if (!dryRun && plan && plan.ops.length > 0) yield* operate(session, live, { operation: 'rollback', ...goal(plan.paths.map((path) => ({ path, to: plan.to }))) }, what, [async (now) => ({ plan: await planAt(now) ?? plan, history })]);
  return 0;
}

/** What its family did since it began, to its files if it names any. */
async function selected(history: HistoryReader, { family, paths, began }: Transaction, now: Seq): Promise<Selected> {
  const { pid, start } = family!;
  const theirs = await select(history, { family: pid, start, since: began.seq }).catch((error: RewindError) => {
    if (error.code === 'ERR_WRITER_UNKNOWN') return null;
    throw error;
  });
  if (theirs === null) return { writers: [], after: began.seq, has: () => false };
  if (paths.length === 0) return theirs;
  const within = new Set<Seq>();
  for await (const change of history.changes(began.seq, now)) {
    if (!theirs.has(change)) continue;
    const places = change.parent === undefined ? [await history.pathOf(change.node, change.seq)] : [
      await placeOf(history, change.parent, change.name, change.seq), await placeOf(history, change.parent2, change.name2, change.seq),
    ];
    if (places.some((place) => place && paths.some((path) => isUnder(place, path)))) within.add(change.seq);
  }
  return { ...theirs, has: (change) => within.has(change.seq) && theirs.has(change) };
}

async function placeOf(history: HistoryReader, parent: number | undefined, name: Name | undefined, seq: Seq): Promise<Name[] | null> {
  const above = parent === undefined || name === undefined ? null : await history.pathOf(parent, seq);
  return above && [...above, name!];
}

async function end(session: Session, live: LiveTree, { id, paths, note }: Transaction, how: 'commit' | 'cancel'): Promise<void> {
  const detail: Detail = { transaction: how, id };
  await addMark(session, live, { kind: 'transaction', note: `${how} ${id}: ${[named(paths), note].filter(Boolean).join(': ')}`, detail, phase: 'after' });
}

async function oneEnd(session: Session, id: string, use: (transaction: Transaction) => Promise<void>): Promise<void> {
  const transaction = await openTransaction(session, id);
  const release = claim(session, id);
  try {
    await use(transaction);
  } finally {
    release();
  }
}

/** @throws ERR_BUSY while another call ends it */
function claim(session: Session, id: string): () => void {
  const ids = ending.get(session) ?? new Set<string>();
  ending.set(session, ids);
  if (ids.has(id)) throw new RewindError('ERR_BUSY', `Transaction ${id} is being ended already`, 'Wait for that to end.');
  ids.add(id);
  return () => { ids.delete(id); };
}

/** @throws ERR_TRANSACTION_UNKNOWN */
async function transactionOf(session: Session, id: string): Promise<Transaction> {
  await session.settle();
  const found = transactionsOf(await session.history.points()).find((one) => one.id === id);
  if (!found) throw new RewindError('ERR_TRANSACTION_UNKNOWN', `There is no transaction ${safeForTerminal(id)}`, '`begin` answers the id to end it with; `transactions` lists them.');
  return found;
}

/** @throws ERR_TRANSACTION_UNKNOWN also when it has ended */
async function openTransaction(session: Session, id: string): Promise<Transaction> {
  const found = await transactionOf(session, id);
  if (found.ended === null) return found;
  const { how, point } = found.ended;
  throw new RewindError('ERR_TRANSACTION_UNKNOWN', `Transaction ${id} was ${how === 'commit' ? 'committed' : 'cancelled'} at ${formatTimeUtc(point.timeNs)} (#${point.seq})`,
    how === 'commit' ? 'What it did can still be taken back with `rewind rollback` or `rewind undo`.' : '`rewind undo` takes the cancel back.');
}

/** Oldest first. */
function transactionsOf(points: readonly Point[]): Transaction[] {
  const found = new Map<string, Transaction>();
  for (const point of [...points].sort((a, b) => a.seq - b.seq)) {
    if (point.kind !== 'transaction' || !point.detail) continue;
    const { transaction, id, paths = [], family, note = '' } = point.detail as unknown as Detail;
    const known = found.get(id);
    if (transaction === 'begin') found.set(id, { id, paths, family, note, began: point, ended: null });
    else if (known && known.ended === null) known.ended = { point, how: transaction };
  }
  return [...found.values()];
}

function row({ id, paths, family, note, began, ended }: Transaction): TransactionRow {
  const instant = ({ seq, timeNs }: Point) => ({ seq, time: formatTimeUtc(timeNs) });
  return {
    id, state: ended === null ? 'open' : ended.how === 'commit' ? 'committed' : 'cancelled', paths: paths.map((path) => safeForTerminal(showPath(path))),
    family: family?.pid ?? null, note: safeForTerminal(note), began: instant(began), ended: ended && instant(ended.point),
  };
}
