/**
 * The methods that change something: rollback, through the mount and framed by two points (I7), and restore, to
 * another place. Both answer with what they plan and how far they are.
 */
import { readFile } from 'node:fs/promises';
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { Name, PointKind, Seq } from '../history/types.js';
import { native, type TreeWriter } from '../native.js';
import { safeForTerminal, showPath } from '../paths.js';
import { applyPlan, type ApplyOptions } from '../recovery/apply.js';
import { noDifference } from '../recovery/compare.js';
import type { OperationDetail, OperationKind } from '../recovery/operations.js';
import { planRollback } from '../recovery/plan.js';
import { NEVER_CAPTURED } from '../recovery/plan/uncaptured.js';
import { restoreInto } from '../recovery/restore.js';
import type { ApplyFailure, ApplyProgress, Plan } from '../recovery/types.js';
import { instantAt, notMounted, stateAt, validPath } from './ask.js';
import { addMark } from './mark.js';
import type { Methods, WorkRow } from './protocol.js';
import { instantRow, planRow } from './rows.js';
import type { LiveTree, Session } from './session.js';

/** How often work that is under way says how far it is, in milliseconds. */
const PROGRESS_MS = 200;
/** New changes that a refusal names. */
const NAMED_CHANGES = 3;

/** Who applies the plans of this process. */
export const ourselves = () => ({ uid: process.geteuid!(), gid: process.getegid!() });

/** Sessions with an operation under way. */
export const working = new WeakSet<Session>();

export async function* rollback(session: Session, args: Methods['rollback']['args']): AsyncGenerator<WorkRow> {
  const live = args.dry_run ? session.live : session.live ?? notMounted(session, 'A rollback goes through the mounted tree');
  const paths = args.paths.map(validPath);
  const at = await instantAt(session, args.to, args);
  yield { type: 'instant', at: instantRow(at) };
  await live?.walked();
  const now = await session.settle();
  let plan = await planRollback(session.history, { paths, to: at.seq, now, maker: ourselves() });
  if (args.planned_at !== undefined) await checkNothingNew(session, plan, args.planned_at);
  for (const entry of plan.entries) yield { type: 'entry', ...planRow(entry) };
  yield { type: 'plan', now: plan.now, to: plan.to, counts: plan.counts, bytes: plan.bytes };
  if (args.dry_run || !live) return;
  const done = { type: 'done' as const, counts: plan.counts, bytes: plan.bytes, before: null, after: null };
  if (plan.ops.length === 0) {
    yield done;
    return;
  }
  const scope = paths.length === 0 ? 'all' : paths.map((path) => safeForTerminal(showPath(path))).join(' ').slice(0, 200);
  yield* operate(session, live, { operation: 'rollback' }, `${scope} to #${at.seq}`, async (now) => {
    // What was changed between the plan that was shown and the point is undone, too, and kept in history as all else.
    plan = await planRollback(session.history, { paths, to: at.seq, now, maker: ourselves() });
    return { plan, history: session.history };
  });
}

/** What an operation does, made when the point before it stands. */
export interface Work {
  plan: Plan;
  /** What the plan's content is read from. */
  history: HistoryReader;
}

/** Does what a plan says through the mount (I7), framed by two points; one operation at a time. @throws ERR_PARTLY_DONE, ERR_BUSY */
export async function* operate(
  session: Session, live: LiveTree, detail: Omit<OperationDetail, 'phase' | 'applier' | 'operation'> & { operation: Exclude<OperationKind, 'run'> }, note: string, work: (now: Seq) => Promise<Work>,
): AsyncGenerator<WorkRow> {
  if (working.has(session)) throw new RewindError('ERR_BUSY', 'Another operation is under way', 'Wait for it to end.');
  working.add(session);
  let tree: TreeWriter | null = null;
  try {
    tree = await native.openTree(live.mountpoint);
    const kind: PointKind = detail.operation;
    const whole = { ...detail, applier: await ownId() };
    const before = await addMark(session, live, kind, '', `before: ${note}`, { ...whole, phase: 'before' });
    const { plan, history } = await work(before.seq);
    let after = before;
    const failure = yield* following(async (options) => {
      try {
        await applyPlan(plan, history, tree as TreeWriter, options);
      } finally {
        after = await addMark(session, live, kind, '', `after: ${note}`, { ...whole, phase: 'after', of: before.seq });
      }
    });
    if (failure) throw failure;
    yield { type: 'done', counts: plan.counts, bytes: plan.bytes, before: before.seq, after: after.seq };
  } finally {
    tree?.close();
    working.delete(session);
  }
}

/** `PID:START` of this process, as history names writers. */
async function ownId(): Promise<string> {
  const stat = await readFile('/proc/self/stat', 'latin1');
  return `${process.pid}:${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
}

/** @throws ERR_NEWER_CHANGES when the plan holds what the one that was agreed to did not */
async function checkNothingNew(session: Session, plan: Plan, plannedAt: number): Promise<void> {
  const agreed = await planRollback(session.history, { paths: plan.paths, to: plan.to, now: plannedAt });
  const key = (entry: Plan['entries'][number]) => `${entry.action} ${showPath(entry.path)}`;
  const known = new Set(agreed.entries.map(key));
  const fresh = plan.entries.filter((entry) => !known.has(key(entry)));
  if (fresh.length === 0) return;
  const names = fresh.slice(0, NAMED_CHANGES).map((entry) => safeForTerminal(showPath(entry.path))).join(', ');
  throw new RewindError('ERR_NEWER_CHANGES', `Nothing was changed: since the plan was shown ${fresh.length} more ${fresh.length === 1 ? 'path' : 'paths'} changed: ${names}`,
    'Run the command again to see the new plan, or answer beforehand with --yes.');
}

export async function* restore(session: Session, args: Methods['restore']['args']): AsyncGenerator<WorkRow> {
  const path = validPath(args.path);
  const at = await stateAt(session, args.at, args);
  yield { type: 'instant', at: instantRow(at) };
  let progress: ApplyProgress | null = null;
  const skipped: Name[][] = [];
  const failure = yield* following(async (options) => {
    progress = await restoreInto(session.history, { ...options, onSkip: (one) => skipped.push(one), path, at: at.seq, dest: args.into, force: args.force, openTree: native.openTree });
  });
  for (const one of skipped) yield { type: 'entry', ...planRow({ action: 'skip', path: one, what: noDifference(), bytes: 0, reason: NEVER_CAPTURED }) };
  if (failure) throw failure;
  const { totalOps, totalBytes } = progress!;
  yield { type: 'restored', steps: totalOps, bytes: totalBytes, into: args.into };
}

/**
 * Yields how far the work is until it ends; answers the error that it ended with, after what failed was yielded. Who
 * stops listening does not stop the work: half a rollback helps nobody.
 */
export async function* following(start: (options: ApplyOptions) => Promise<unknown>): AsyncGenerator<WorkRow, Error | null> {
  let latest: ApplyProgress | null = null;
  let ended = false;
  let failure: Error | null = null;
  const work = start({ onProgress: (progress) => { latest = { ...progress }; } })
    .catch((error: Error) => { failure = error; })
    .finally(() => { ended = true; });
  try {
    while (!ended) {
      let timer!: NodeJS.Timeout;
      await Promise.race([work, new Promise((resolve) => { timer = setTimeout(resolve, PROGRESS_MS); })]);
      clearTimeout(timer);
      const shown = latest as ApplyProgress | null;
      if (shown) yield { type: 'progress', done_ops: shown.doneOps, total_ops: shown.totalOps, done_bytes: shown.doneBytes, total_bytes: shown.totalBytes };
    }
  } finally {
    await work;
  }
  const cause = (failure as Error | null)?.cause;
  for (const { op, path, errno } of Array.isArray(cause) ? cause as ApplyFailure[] : []) {
    yield { type: 'failure', op, path: safeForTerminal(showPath(path === '' ? [] : path.split('/'))), errno };
  }
  return failure;
}
