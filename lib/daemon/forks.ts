/** The methods of forks. What changes the set of forks takes turns; what only one may do to the tree at a time does, too. */
import { RewindError } from '../errors.js';
import { forkChanges, type ForkChanges } from '../fork/changes.js';
import { checkForkName, dropFork, findFork, isForkMounted, mountedForks, placesOf, readForks, writeFork, type ForkState } from '../fork/forks.js';
import { planGraft, type Graft } from '../fork/graft.js';
import { mountFork } from '../fork/mount.js';
import type { Name, Seq } from '../history/types.js';
import { native } from '../native.js';
import { safeForTerminal, showPath } from '../paths.js';
import { applyPlan } from '../recovery/apply.js';
import { isUnder } from '../recovery/places.js';
import type { Store } from '../store/store.js';
import { formatTimeUtc } from '../time/format.js';
import { notMounted, stateAt, validPath } from './ask.js';
import { busyHint } from './busy.js';
import { patchOf } from './diff.js';
import { addMark } from './mark.js';
import type { DiffRow, ForkRow, Methods, WorkRow } from './protocol.js';
import { diffRow, planRow } from './rows.js';
import type { LiveTree, Session } from './session.js';
import { following, working } from './work.js';

/** New changes that a refusal names. */
const NAMED_CHANGES = 3;

const turns = new Map<string, Promise<unknown>>();

/** Runs `work` when all that came before it for this store is done. */
function inTurn<T>(store: Store, work: () => Promise<T>): Promise<T> {
  const turn = (turns.get(store.layout.root) ?? Promise.resolve()).catch(() => null).then(work);
  turns.set(store.layout.root, turn);
  return turn;
}

/** Before the view goes that they lie on. @throws ERR_BUSY naming who is in one, when not lazy */
export async function unmountForks(store: Store, lazy: boolean): Promise<void> {
  for (const point of await mountedForks(store)) await unmountOne(point, lazy);
}

async function unmountOne(point: string, lazy: boolean): Promise<void> {
  await native.unmount(point, lazy).catch(async (cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code !== 'EBUSY') throw cause;
    throw new RewindError('ERR_BUSY', `The fork at ${point} is in use`, await busyHint(point), { cause });
  });
}

async function rowOf(store: Store, fork: ForkState): Promise<ForkRow> {
  const { name, seq, time, expression, created } = fork;
  return { name, seq, time, expression: safeForTerminal(expression), created, path: placesOf(store, name).tree, mounted: await isForkMounted(store, name) };
}

const needsTree = (session: Session): LiveTree => session.live ?? notMounted(session, 'A fork lies on the view of a mounted tree');

async function opened(session: Session, live: LiveTree, fork: ForkState): Promise<ForkRow> {
  await mountFork(session.store, fork, { history: session.history, mountpoint: live.mountpoint, snapshots: live.snapshots });
  return await rowOf(session.store, fork);
}

async function* fork(session: Session, args: Methods['fork']['args']): AsyncGenerator<ForkRow> {
  const live = needsTree(session);
  if (args.name !== undefined) checkForkName(args.name);
  const at = await stateAt(session, args.time, args);
  const { store } = session;
  yield await inTurn(store, async () => {
    const names = new Set((await readForks(store)).map((one) => one.name));
    const name = args.name ?? freeName(names);
    if (names.has(name)) throw new RewindError('ERR_EXISTS', `There is a fork ${name} already`, `Name another with --name, or take that one away: rewind fork drop ${name}`);
    const layers = args.upper === undefined ? placesOf(store, name).root : `${args.upper}/rewind-${store.description.id.slice(0, 8)}-${name}`;
    const state: ForkState = {
      name, seq: at.seq, time: formatTimeUtc(at.timeNs), expression: args.time, created: new Date().toISOString(), layers, ...args.owner && { owner: args.owner },
    };
    await writeFork(store, state);
    try {
      return await opened(session, live, state);
    } catch (error) {
      await dropFork(store, state, true);
      throw error;
    }
  });
}

function freeName(taken: Set<string>): string {
  for (let n = 1; ; n++) if (!taken.has(`fork-${n}`)) return `fork-${n}`;
}

async function* forkDiff(session: Session, args: Methods['fork_diff']['args'], signal: AbortSignal): AsyncGenerator<{ fork: ForkRow } | DiffRow> {
  const { state, changes: { changes, reader } } = await lookInto(session, args.name);
  yield { fork: await rowOf(session.store, state) };
  for (const change of changes) {
    if (signal.aborted) return;
    yield { ...diffRow(change), ...args.patch && await patchOf(reader, change, state.seq, state.seq, args.terminal ?? false) };
  }
}

async function lookInto(session: Session, name: string): Promise<{ state: ForkState; changes: ForkChanges }> {
  const state = await inTurn(session.store, () => findFork(session.store, name));
  await session.settle();
  return { state, changes: await forkChanges(session.history, placesOf(session.store, name, state.layers).upper, state.seq) };
}

async function* forkKeep(session: Session, args: Methods['fork_keep']['args']): AsyncGenerator<WorkRow> {
  const live = args.dry_run ? session.live : needsTree(session);
  const paths = args.paths.map(validPath);
  const { state, changes } = await lookInto(session, args.name);
  for (const path of paths) checkChanged(state, changes, path);
  await live?.walked();
  const plan = async (now: Seq): Promise<Graft> => {
    const graft = await planGraft(changes, { paths, now });
    if (!args.force) checkNoConflict(state, graft);
    return graft;
  };
  const now = await session.settle();
  let graft = await plan(now);
  if (args.planned_at !== undefined) await checkSame(changes, paths, graft, args.planned_at);
  for (const entry of graft.entries) yield { type: 'entry', ...planRow(entry) };
  yield { type: 'plan', now, to: state.seq, counts: graft.counts, bytes: graft.bytes };
  if (args.dry_run || !live) return;
  if (graft.ops.length === 0) return yield { type: 'done', counts: graft.counts, bytes: 0, before: null, after: null };
  if (working.has(session)) throw new RewindError('ERR_BUSY', 'A rollback or another graft is under way', 'Wait for it to end.');
  working.set(session, null);
  const tree = await native.openTree(live.mountpoint);
  try {
    const scope = paths.length === 0 ? 'all' : paths.map((path) => safeForTerminal(showPath(path))).join(' ').slice(0, 200);
    const before = await addMark(session, live, { kind: 'fork', note: `before: keep ${scope} of ${state.name} (#${state.seq})`, pinned: true });
    graft = await plan(before.seq);
    let after = before;
    const failure = yield* following(async (options) => {
      try {
        await applyPlan({ ops: graft.ops, to: before.seq, bytes: graft.bytes }, changes.reader, tree, options);
      } finally {
        after = await addMark(session, live, { kind: 'fork', note: `after: keep ${scope} of ${state.name} (#${state.seq})` });
      }
    });
    if (failure) throw failure;
    yield { type: 'done', counts: graft.counts, bytes: graft.bytes, before: before.seq, after: after.seq };
  } finally {
    tree.close();
    working.delete(session);
  }
}

function checkChanged({ name }: ForkState, { changes }: ForkChanges, path: Name[]): void {
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
async function checkSame(changes: ForkChanges, paths: Name[][], graft: Graft, plannedAt: Seq): Promise<void> {
  const key = (entry: Graft['entries'][number]) => `${entry.action} ${showPath(entry.path)}`;
  const known = new Set((await planGraft(changes, { paths, now: plannedAt })).entries.map(key));
  const fresh = graft.entries.filter((entry) => !known.has(key(entry))).map(({ path }) => path);
  if (fresh.length > 0) throw new RewindError('ERR_NEWER_CHANGES', `Nothing was changed: since the plan was shown more changed: ${named(fresh)}`, 'Run the command again to see the new plan, or answer beforehand with --yes.');
}

async function* forkDrop(session: Session, args: Methods['fork_drop']['args']): AsyncGenerator<ForkRow> {
  const { store } = session;
  yield await inTurn(store, async () => {
    const state = await findFork(store, args.name);
    if (await isForkMounted(store, state.name)) await unmountOne(placesOf(store, state.name).tree, args.lazy ?? false);
    await dropFork(store, state, true);
    return await rowOf(store, state);
  });
}

export const forkMethods = {
  fork,
  async *forks(session: Session): AsyncGenerator<ForkRow> {
    for (const state of await inTurn(session.store, () => readForks(session.store))) yield await rowOf(session.store, state);
  },
  async *fork_open(session: Session, args: Methods['fork_open']['args']): AsyncGenerator<ForkRow> {
    const live = needsTree(session);
    yield await inTurn(session.store, async () => await opened(session, live, await findFork(session.store, args.name)));
  },
  fork_diff: forkDiff,
  fork_keep: forkKeep,
  fork_drop: forkDrop,
};
