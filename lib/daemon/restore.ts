/** Copies of the past elsewhere; one into the tree is an operation, and taken back like any other. */
import { mkdir } from 'node:fs/promises';
import type { Name } from '../history/types.js';
import { native } from '../native.js';
import { safeForTerminal, showPath } from '../paths.js';
import { noDifference } from '../recovery/compare.js';
import { planRestore, restoreInto, type RestoreOptions } from '../recovery/restore.js';
import type { ApplyProgress, PlanCounts } from '../recovery/types.js';
import { realPath } from '../store/checks.js';
import { isWithin } from '../store/mounts.js';
import type { Instant } from '../time/resolve.js';
import { stateAt, validPath } from './ask.js';
import { gapsOfState } from './gaps.js';
import { membersThen } from './groups.js';
import type { Methods, WorkRow } from './protocol.js';
import { instantRow, planRow } from './rows.js';
import type { LiveTree, Session } from './session.js';
import { following, operate, type Work } from './work.js';

export async function* restore(session: Session, args: Methods['restore']['args']): AsyncGenerator<WorkRow> {
  const path = validPath(args.path);
  const at = await stateAt(session, args.at, args, [args.path]);
  yield { type: 'instant', at: instantRow(at) };
  const met = await gapsOfState(session.history, path, at.seq);
  if (met) yield { type: 'gaps', ...met };
  const { live } = session;
  const dest = await realPath(args.into);
  const asked = { path, at: at.seq, force: args.force, only: await membersThen(session, args.group, path, at.seq) };
  if (live && isWithin(dest, live.mountpoint)) yield* intoTree(session, live, { ...asked, dest }, at, args.into);
  else yield* elsewhere(session, { ...asked, dest: args.into });
}

type Asked = Omit<RestoreOptions, 'openTree' | 'onSkip'>;

interface Left { path: Name[]; reason: string }

const skipped = ({ path, reason }: Left): WorkRow => ({ type: 'entry', ...planRow({ action: 'skip', path, what: noDifference(), bytes: 0, reason }) });

async function* elsewhere(session: Session, asked: Asked): AsyncGenerator<WorkRow> {
  let progress: ApplyProgress | null = null;
  const left: Left[] = [];
  const failure = yield* following(async (options) => {
    progress = await restoreInto(session.history, { ...options, ...asked, onSkip: (path, reason) => left.push({ path, reason }), openTree: native.openTree });
  });
  yield* left.map(skipped);
  if (failure) throw failure;
  const { totalOps, totalBytes } = progress!;
  yield { type: 'restored', steps: totalOps, bytes: totalBytes, into: asked.dest };
}

async function* intoTree(session: Session, live: LiveTree, asked: Asked, at: Instant, into: string): AsyncGenerator<WorkRow> {
  const left: Left[] = [];
  // What stands in the way is known before a point is made.
  const { ops, bytes } = await planRestore(session.history, { ...asked, onSkip: (path, reason) => left.push({ path, reason }) });
  yield* left.map(skipped);
  const work = async (): Promise<Work> => {
    const { objects, ...steps } = await planRestore(session.history, asked);
    await mkdir(asked.dest, { recursive: true });
    const counts: PlanCounts = { restored: objects, unchanged: 0, updated: 0, deleted: 0, skipped: left.length };
    return { plan: { ...steps, counts }, history: session.history };
  };
  yield* operate(session, live, { operation: 'restore', since: at.seq }, `${safeForTerminal(showPath(asked.path))} as at #${at.seq} into ${safeForTerminal(into)}`, [work], asked.dest);
  yield { type: 'restored', steps: ops.length, bytes, into };
}
