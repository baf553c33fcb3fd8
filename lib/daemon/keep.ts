/**
 * Keeping what was changed in a fork: an operation like a rollback, framed, gone on with and taken back like one. One that
 * was interrupted is gone on with in two stages: what it did so far is taken back, and then all of it is done.
 */
import { RewindError } from '../errors.js';
import type { ForkChanges } from '../fork/changes.js';
import type { ForkState } from '../fork/forks.js';
import { planGraft, type Graft } from '../fork/graft.js';
import type { Name, Seq } from '../history/types.js';
import { safeForTerminal, showPath } from '../paths.js';
import type { Operation } from '../recovery/operations.js';
import { isUnder } from '../recovery/places.js';
import type { PlanEntry } from '../recovery/types.js';
import { planUndo } from '../recovery/undo/plan.js';
import { select } from '../recovery/undo/select.js';
import { validPath } from './ask.js';
import { lookInto, needsTree } from './forks.js';
import { checkClosed, checkStillUntouched, checkUntouched, type Agreement } from './intrusions.js';
import type { Methods, WorkRow } from './protocol.js';
import { planRow } from './rows.js';
import type { Session } from './session.js';
import { operate, ourselves, type Frame, type Stage } from './work.js';

/** New changes that a refusal names. */
const NAMED_CHANGES = 3;
/** Characters of a note that name paths. */
const NOTED = 200;

type Args = Methods['fork_keep']['args'];

/** What is kept. */
interface Kept {
  state: ForkState;
  changes: ForkChanges;
  paths: Name[][];
}

export async function* forkKeep(session: Session, args: Args): AsyncGenerator<WorkRow> {
  const live = args.dry_run ? session.live : needsTree(session);
  const paths = args.paths.map(validPath);
  const kept = { ...await lookInto(session, args.name), paths };
  for (const path of paths) checkChanged(kept, path);
  await live?.walked();
  const planAt = async (now: Seq): Promise<Graft> => {
    const graft = await planGraft(kept.changes, { paths, now });
    if (!args.force) checkNoConflict(kept.state, graft);
    return graft;
  };
  const now = await session.settle();
  const graft = await planAt(now);
  if (args.planned_at !== undefined) await checkSame(kept, graft, args.planned_at);
  yield* checkClosed(session, live, { entries: graft.entries, now }, args);
  yield* shown(kept, graft, now);
  if (args.dry_run || !live) return;
  if (graft.ops.length === 0) return yield { type: 'done', counts: graft.counts, bytes: 0, before: null, after: null };
  yield* operate(session, live, frameOf(kept), describe(kept), [graftStage(kept, planAt)]);
}

/** Goes on with a keep that was interrupted. @throws ERR_FORK_UNKNOWN when the fork was dropped since */
export async function* keepAgain(session: Session, args: Pick<Args, 'dry_run' | 'force'>, resumed: Operation): AsyncGenerator<WorkRow> {
  const live = args.dry_run ? session.live : needsTree(session);
  const { fork, paths } = resumed.detail.keeps!;
  const kept = { ...await lookInto(session, fork), paths: paths.map((path) => path.split('/')) };
  await live?.walked();
  const { history } = session;
  // What it does as a whole is what it was to do when it began.
  const graft = await planGraft(kept.changes, { paths: kept.paths, now: resumed.id });
  const now = await session.settle();
  const agreed: Agreement = { ...args, within: (path) => graft.entries.some((entry) => concerns(entry, path)), since: resumed.id, own: await select(history, { operation: resumed.id }) };
  yield* checkUntouched(session, live, { entries: graft.entries, now }, agreed);
  yield* shown(kept, graft, now);
  if (args.dry_run || !live) return;
  const takeBack: Stage = async (at) => {
    await checkStillUntouched(session, agreed, at);
    return planUndo(history, await select(history, { operation: resumed.id }), { now: at, maker: ourselves() });
  };
  yield* operate(session, live, { ...frameOf(kept), resumes: resumed.id }, describe(kept), [takeBack, graftStage(kept, (at) => planGraft(kept.changes, { paths: kept.paths, now: at }))]);
}

function* shown({ state }: Kept, graft: Graft, now: Seq): Generator<WorkRow> {
  for (const entry of graft.entries) yield { type: 'entry', ...planRow(entry) };
  yield { type: 'plan', now, to: state.seq, counts: graft.counts, bytes: graft.bytes };
}

const graftStage = ({ changes }: Kept, planAt: (now: Seq) => Promise<Graft>): Stage => async (now) => {
  const { ops, bytes, counts } = await planAt(now);
  return { plan: { ops, bytes, counts, to: now }, history: changes.reader };
};

const frameOf = ({ state, paths }: Kept): Frame => ({ operation: 'fork', keeps: { fork: state.name, paths: paths.map((path) => path.join('/')) } });

function describe({ state, paths }: Kept): string {
  const scope = paths.length === 0 ? 'all' : paths.map((path) => safeForTerminal(showPath(path))).join(' ').slice(0, NOTED);
  return `keep ${scope} of ${state.name} (#${state.seq})`;
}

/** Is a path one that an entry is about? Of a directory that is changed in place only itself. */
function concerns({ action, path, from }: PlanEntry, other: readonly Name[]): boolean {
  if (action === 'update' || action === 'skip') return path.length === other.length && isUnder(other, path);
  return isUnder(other, path) || (from !== undefined && isUnder(other, from));
}

function checkChanged({ state: { name }, changes: { changes } }: Kept, path: Name[]): void {
  if (changes.some((change) => isUnder(change.path, path))) return;
  throw new RewindError('ERR_USAGE', `The fork ${name} changed nothing at ${safeForTerminal(showPath(path))}`, `What it changed: rewind fork diff ${name}`);
}

const named = (paths: Name[][]): string => paths.slice(0, NAMED_CHANGES).map((path) => safeForTerminal(showPath(path))).join(', ') + (paths.length > NAMED_CHANGES ? ` and ${paths.length - NAMED_CHANGES} more` : '');

function checkNoConflict({ name, seq }: ForkState, { conflicts }: Graft): void {
  if (conflicts.length === 0) return;
  throw new RewindError('ERR_NEWER_CHANGES', `Nothing was changed: since #${seq}, where ${name} began, the tree changed ${conflicts.length === 1 ? 'a path' : `${conflicts.length} paths`} of the fork itself: ${named(conflicts)}`,
    `What the tree changed: rewind diff --from "#${seq}". Name the other paths, or take the fork's with --force.`);
}

/** @throws ERR_NEWER_CHANGES when the plan is not the one that was agreed to */
async function checkSame({ changes, paths }: Kept, graft: Graft, plannedAt: Seq): Promise<void> {
  const key = (entry: Graft['entries'][number]) => `${entry.action} ${showPath(entry.path)}`;
  const known = new Set((await planGraft(changes, { paths, now: plannedAt })).entries.map(key));
  const fresh = graft.entries.filter((entry) => !known.has(key(entry))).map(({ path }) => path);
  if (fresh.length > 0) throw new RewindError('ERR_NEWER_CHANGES', `Nothing was changed: since the plan was shown more changed: ${named(fresh)}`, 'Run the command again to see the new plan, or answer beforehand with --yes.');
}
