/**
 * Operations: what is done to the tree as a whole, through the mount (I7). Guarantees: one at a time; a point before it,
 * pinned and on stable storage before the first change, says what it is about, so that it can be gone on with or taken
 * back wherever it ends; a point after it says how it ended.
 */
import { readFile } from 'node:fs/promises';
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { Seq } from '../history/types.js';
import { native } from '../native.js';
import { safeForTerminal, showPath } from '../paths.js';
import { applyPlan, type ApplyOptions, type Steps } from '../recovery/apply.js';
import type { OperationDetail, OperationKind } from '../recovery/operations.js';
import type { ApplyFailure, ApplyProgress, Part, PlanCounts } from '../recovery/types.js';
import { addMark } from './mark.js';
import type { WorkRow } from './protocol.js';
import type { LiveTree, Session } from './session.js';

/** How often work that is under way says how far it is, in milliseconds. */
const PROGRESS_MS = 200;

/** Who applies the plans of this process. */
export const ourselves = () => ({ uid: process.geteuid!(), gid: process.getegid!() });

/** Sessions with an operation under way: the seq of its point, null while it has none. */
export const working = new WeakMap<Session, Seq | null>();

/** What an operation does, or a stage of it. */
export interface Work {
  plan: Steps & { counts: PlanCounts };
  /** What the plan's content is read from. */
  history: HistoryReader;
}

/** Makes it when the point before it stands, or the stage before it is done. @param now the instant that the tree is at */
export type Stage = (now: Seq) => Promise<Work>;

/** What of an operation is known before it begins. */
export type Frame = Omit<OperationDetail, 'phase' | 'applier' | 'operation'> & { operation: Exclude<OperationKind, 'run'> };

/** What a rollback goes to, as its points keep it. */
export function goal(parts: readonly Part[]): Pick<OperationDetail, 'parts' | 'since'> {
  return { parts: parts.map(({ path, to }) => ({ path: path.join('/'), to })), since: Math.min(...parts.map(({ to }) => to)) };
}

/**
 * Does what plans say, one after the other, framed by two points. `root`: the directory that their paths count from, when
 * it is not the tree's. @throws ERR_PARTLY_DONE, ERR_BUSY
 */
export async function* operate(session: Session, live: LiveTree, frame: Frame, note: string, stages: readonly [Stage, ...Stage[]], root = live.mountpoint): AsyncGenerator<WorkRow> {
  if (working.has(session)) throw new RewindError('ERR_BUSY', 'Another operation is under way', 'Wait for it to end.');
  working.set(session, null);
  try {
    const detail = { ...frame, applier: await ownId() };
    const before = await addMark(session, live, { kind: frame.operation, note: `before: ${note}`, detail: { ...detail, phase: 'before' }, pinned: true });
    working.set(session, before.seq);
    await live.journal.sync();
    const end = (how: Pick<OperationDetail, 'partly' | 'empty'>) => addMark(session, live, { kind: frame.operation, note: `after: ${note}`, detail: { ...detail, ...how, phase: 'after', of: before.seq } });
    let after = before;
    let last!: Work;
    const failure = yield* following(async (options) => {
      let how: Parameters<typeof end>[0] = { empty: true };
      try {
        for (const [i, stage] of stages.entries()) {
          last = await stage(i === 0 ? before.seq : await session.settle());
          how = { partly: true };
          await applyTo(root, last, options);
        }
        how = {};
      } finally {
        after = await end(how);
      }
    });
    if (failure) throw unfinished(failure);
    yield { type: 'done', counts: last.plan.counts, bytes: last.plan.bytes, before: before.seq, after: after.seq };
  } finally {
    working.delete(session);
  }
}

async function applyTo(root: string, { plan, history }: Work, options: ApplyOptions): Promise<void> {
  const tree = await native.openTree(root);
  try {
    await applyPlan(plan, history, tree, options);
  } finally {
    tree.close();
  }
}

/** What was begun can be gone on with. */
function unfinished(failure: Error): Error {
  if (!(failure instanceof RewindError) || failure.code !== 'ERR_PARTLY_DONE') return failure;
  return new RewindError('ERR_PARTLY_DONE', failure.message, 'Remove the cause, then go on with `rewind rollback --resume`, or take back what was done with `rewind undo`.', { cause: failure.cause });
}

/** `PID:START` of this process, as history names writers. */
async function ownId(): Promise<string> {
  const stat = await readFile('/proc/self/stat', 'latin1');
  return `${process.pid}:${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
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
