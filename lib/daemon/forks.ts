/** The methods of forks, but for keeping what was changed in one (keep.ts). What changes the set of forks takes turns. */
import { BISECT_FORK, readBisect } from '../bisect/state.js';
import { RewindError } from '../errors.js';
import { forkChanges, type ForkChanges } from '../fork/changes.js';
import { checkForkName, dropFork, findFork, isForkMounted, mountedForks, placesOf, readForks, writeFork, type ForkState } from '../fork/forks.js';
import { mountFork } from '../fork/mount.js';
import { native } from '../native.js';
import { safeForTerminal } from '../paths.js';
import type { Store } from '../store/store.js';
import { formatTimeUtc } from '../time/format.js';
import { notMounted, stateAt } from './ask.js';
import { busyHint } from './busy.js';
import { patchOf } from './diff.js';
import type { DiffRow, ForkRow, Methods } from './protocol.js';
import { diffRow } from './rows.js';
import type { LiveTree, Session } from './session.js';

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

/** @throws ERR_NOT_MOUNTED */
export const needsTree = (session: Session): LiveTree => session.live ?? notMounted(session, 'A fork lies on the view of a mounted tree');

async function opened(session: Session, live: LiveTree, fork: ForkState): Promise<ForkRow> {
  await mountFork(session.store, fork, { history: session.history, mountpoint: live.mountpoint, snapshots: live.snapshots });
  return await rowOf(session.store, fork);
}

async function* fork(session: Session, args: Methods['fork']['args']): AsyncGenerator<ForkRow> {
  const live = needsTree(session);
  if (args.name !== undefined) checkForkName(args.name);
  if (args.name === BISECT_FORK) await checkBisecting(session.store);
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

/** Only a bisect by hand takes the name that is kept for it. @throws ERR_USAGE */
async function checkBisecting(store: Store): Promise<void> {
  if (await readBisect(store).then(() => true, () => false)) return;
  throw new RewindError('ERR_USAGE', `The name ${BISECT_FORK} is kept for the fork of a bisect by hand`, 'Choose another with --name.');
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

/** A fork, and what was changed in it. @throws ERR_FORK_UNKNOWN */
export async function lookInto(session: Session, name: string): Promise<{ state: ForkState; changes: ForkChanges }> {
  const state = await inTurn(session.store, () => findFork(session.store, name));
  await session.settle();
  return { state, changes: await forkChanges(session.history, placesOf(session.store, name, state.layers).upper, state.seq) };
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
  fork_drop: forkDrop,
};
