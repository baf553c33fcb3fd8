/**
 * The forks of a store on disk: a directory each, `forks/NAME`, with one small file of state beside the mountpoint and the
 * layers. Guarantees: a fork exists from the moment its state is written until it is marked as dropped, each in one
 * rename; whatever a killed process left before or after is taken away when forks are next looked at.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RewindError } from '../errors.js';
import type { Seq } from '../history/types.js';
import { native } from '../native.js';
import { replaceFileForGood } from '../replace.js';
import { isWithin, readMounts } from '../store/mounts.js';
import { asStoreError, type Store } from '../store/store.js';

/** Type of a fork's mount in the mount table. */
export const FORK_MOUNT_TYPE = 'overlay';

/** What fork.json says. */
export interface ForkState {
  name: string;
  /** The instant that it began from. */
  seq: Seq;
  /** The same as time, RFC 3339, and as it was asked for. */
  time: string;
  expression: string;
  /** RFC 3339. */
  created: string;
  /** Directory of the upper and work layers. */
  layers: string;
  /** A fork that goes with this process (proc(5): pid and start time). */
  owner?: { pid: number; start: string };
  /** It is being taken away. */
  dropped?: true;
}

/** Where the parts of a fork lie. */
export interface ForkPlaces {
  root: string;
  state: string;
  /** Where it is mounted. */
  tree: string;
  upper: string;
  work: string;
}

export const forksDirectory = (store: Store): string => join(store.layout.root, 'forks');

export function placesOf(store: Store, name: string, layers?: string): ForkPlaces {
  const root = join(forksDirectory(store), name);
  const base = layers ?? root;
  return { root, state: join(root, 'fork.json'), tree: join(root, 'tree'), upper: join(base, 'upper'), work: join(base, 'work') };
}

/** @throws ERR_USAGE */
export function checkForkName(name: string): void {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/.test(name)) return;
  throw new RewindError('ERR_USAGE', `${JSON.stringify(name)} cannot name a fork`, 'Use letters, digits and . _ - , at most 64.');
}

/** All forks, by name; what is half there is taken away first. Callers take turns. */
export async function readForks(store: Store): Promise<ForkState[]> {
  const names = await readdir(forksDirectory(store)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw asStoreError(error, forksDirectory(store));
  });
  const forks: ForkState[] = [];
  for (const name of names.sort()) {
    const state = await readState(store, name);
    if (!state || state.dropped || (state.owner && !await isAlive(state.owner))) await removeFork(store, name, state);
    else forks.push(state);
  }
  return forks;
}

async function readState(store: Store, name: string): Promise<ForkState | null> {
  const { state } = placesOf(store, name);
  const text = await readFile(state, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw asStoreError(error, state);
  });
  if (text === null) return null;
  try {
    const found = JSON.parse(text) as ForkState;
    if (found.name === name && Number.isInteger(found.seq) && typeof found.layers === 'string') return found;
  } catch {
    // Named below, with the file: it was written whole, so somebody else has changed it.
  }
  throw new RewindError('ERR_STORE_CORRUPT', `${state} cannot be understood`, `What the fork changed lies beside it: copy ${placesOf(store, name).root} away, then remove it.`);
}

/** The process that started when it says: a pid alone is given again. */
async function isAlive(owner: { pid: number; start: string }): Promise<boolean> {
  return await processStart(owner.pid) === owner.start;
}

/** Start time of a process in clock ticks since boot (proc(5), field 22); null when there is none. */
export async function processStart(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

/** @throws ERR_FORK_UNKNOWN naming those that there are */
export async function findFork(store: Store, name: string): Promise<ForkState> {
  const forks = await readForks(store);
  const found = forks.find((fork) => fork.name === name);
  if (found) return found;
  const names = forks.map((fork) => fork.name).join(', ');
  throw new RewindError('ERR_FORK_UNKNOWN', `There is no fork ${JSON.stringify(name)}`, names === '' ? 'There are none: rewind fork TIME makes one.' : `There are: ${names}.`);
}

/** Writes the state whole or not at all. */
export async function writeFork(store: Store, state: ForkState): Promise<void> {
  const places = placesOf(store, state.name);
  try {
    await mkdir(places.root, { recursive: true, mode: 0o700 });
    await replaceFileForGood(places.state, JSON.stringify(state, null, 2) + '\n');
  } catch (error) {
    throw asStoreError(error, places.root);
  }
}

/** Forgets a fork and all that it changed. @throws ERR_BUSY when a program is in it and not lazy */
export async function dropFork(store: Store, state: ForkState, lazy: boolean): Promise<void> {
  await unmountFork(store, state.name, lazy);
  await writeFork(store, { ...state, dropped: true });
  await removeFork(store, state.name, state);
}

async function removeFork(store: Store, name: string, state: ForkState | null): Promise<void> {
  await unmountFork(store, name, true);
  const { root, upper, work } = placesOf(store, name, state?.layers);
  try {
    for (const layer of [upper, work]) await rm(layer, { recursive: true, force: true });
    if (state && state.layers !== root) await rm(state.layers, { recursive: true, force: true });
    // Its state goes last: until then what remains is known to be on its way out.
    for (const entry of await readdir(root)) if (entry !== 'fork.json') await rm(join(root, entry), { recursive: true, force: true });
    await rm(root, { recursive: true, force: true });
  } catch (error) {
    throw asStoreError(error, root);
  }
}

export async function isForkMounted(store: Store, name: string): Promise<boolean> {
  const { tree } = placesOf(store, name);
  return (await readMounts()).some(({ point, type }) => point === tree && type === FORK_MOUNT_TYPE);
}

/** Of the forks that are mounted, the mount points. */
export async function mountedForks(store: Store): Promise<string[]> {
  const directory = forksDirectory(store);
  return (await readMounts()).filter(({ point, type }) => type === FORK_MOUNT_TYPE && isWithin(point, directory)).map(({ point }) => point);
}

async function unmountFork(store: Store, name: string, lazy: boolean): Promise<void> {
  const { tree } = placesOf(store, name);
  while (await isForkMounted(store, name)) await native.unmount(tree, lazy);
}
