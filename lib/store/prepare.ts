/**
 * From what the user typed to a mount that may begin: tree, mountpoint and store, checked. What a dead daemon left in
 * the mount table is taken away; nothing else is changed before every check has passed.
 */
import { stat } from 'node:fs/promises';
import { RewindError } from '../errors.js';
import { native } from '../native.js';
import {
  checkApart, checkDirectory, checkFileSystem, checkFuse, checkInode, checkMountpoint, checkSnapshotsName, isDeadMount, realPath, treeMountAt,
} from './checks.js';
import { isWithin, readMounts } from './mounts.js';
import { nameUsers, usersOf, writersPast, type User } from './users.js';
import { registryEntry } from './layout.js';
import { checkBelongs, createStore, openStore, registerStore, setSnapshotsName, storePlaceOf, type Store } from './store.js';

/** What `rewind mount` was asked for. */
export interface MountRequest {
  tree: string;
  mountpoint?: string;
  store?: string;
  snapshots?: string;
  /** Also when programs have files in the tree open for writing. */
  force?: boolean;
  /** The process that asked for this one: what it prints to is no file of the tree's programs. */
  launcher?: number;
}

/** A mount that may begin. */
export interface MountPlan {
  tree: string;
  mountpoint: string;
  store: Store;
  /** The store was made just now: a mount that fails takes it away again. */
  created: boolean;
  /** Mount points of a dead daemon that were cleaned up. */
  cleaned: string[];
  /** Programs that work in the tree since before the mount: what they do there goes past it. */
  users: User[];
  /** As in MountRequest. */
  launcher?: number;
}

/** Names those who have opened a file of the tree for writing between the checks and the mount, too. */
export async function nameLateWriters(plan: MountPlan): Promise<void> {
  const mount = treeMountAt(await readMounts(), plan.mountpoint);
  const known = new Set([plan.launcher, ...plan.users.filter(({ writing }) => writing).map(({ pid }) => pid)]);
  const late = mount === undefined ? [] : (await writersPast(plan.tree, mount.device)).filter(({ pid }) => !known.has(pid));
  plan.users = [...plan.users.filter(({ pid }) => late.every((other) => other.pid !== pid)), ...late];
}

/** @throws every error of checks.ts and store.ts */
export async function prepareMount(request: MountRequest): Promise<MountPlan> {
  const tree = await realPath(request.tree);
  const mountpoint = request.mountpoint === undefined ? tree : await realPath(request.mountpoint);
  const cleaned = [...await cleanDead(mountpoint), ...(mountpoint === tree ? [] : await cleanDead(tree))];
  const mounts = await readMounts();
  const here = treeMountAt(mounts, tree);
  if (here) {
    throw new RewindError('ERR_ALREADY_MOUNTED', `${tree} is mounted already (store ${here.source})`, `rewind status ${tree}`);
  }
  checkFileSystem(mounts, tree);
  await checkDirectory(tree);
  checkInode(tree, (await stat(tree, { bigint: true })).ino);
  await checkMountpoint(mounts, tree, mountpoint);
  const place = request.store === undefined ? await storePlaceOf(tree) : await realPath(request.store);
  await checkApart(place, tree, mountpoint);
  const existing = await openStore(place).catch((error: unknown) => {
    if (!(error instanceof RewindError) || error.code !== 'ERR_NO_STORE') throw error;
    if (request.store === undefined && place !== registryEntry(tree)) {
      throw new RewindError('ERR_NO_STORE', `The history of ${tree} is kept in ${place}, which is not there`, 'Attach its disk, or name another place with --store to begin a new history.');
    }
    return null;
  });
  if (existing) checkBelongs(existing, tree);
  const snapshots = request.snapshots ?? existing?.description.snapshots ?? '.snapshots';
  await checkSnapshotsName(tree, snapshots);
  await checkFuse();
  const users = await checkUsers(tree, request);
  const store = existing ?? await createStore(place, tree, snapshots);
  await setSnapshotsName(store, snapshots);
  await registerStore(store);
  return { tree, mountpoint, store, created: existing === null, cleaned, users, launcher: request.launcher };
}

/** A file that is open below the mount is written to unseen, and behind what the kernel caches for the mount. @throws ERR_BUSY */
async function checkUsers(tree: string, { force, launcher }: MountRequest): Promise<User[]> {
  const users = (await usersOf(tree)).filter(({ pid }) => pid !== launcher);
  const writing = users.filter((user) => user.writing);
  if (writing.length > 0 && !force) {
    throw new RewindError('ERR_BUSY', `${tree} has files that are open for writing, by ${nameUsers(writing)}`,
      'Close them and mount again: what is written to a file that was open before goes past the mount, and is not recorded. --force mounts all the same.');
  }
  return users;
}

/**
 * Unmounts a tree whose daemon runs and cannot be reached: the disk of its store went away with the socket, and another one is
 * in its place. The daemon ends when it notices. @throws ERR_BUSY
 */
export async function leaveLost(mountpoint: string, lazy: boolean): Promise<void> {
  const mounts = await readMounts();
  const tree = treeMountAt(mounts, mountpoint);
  const ours = mounts.filter(({ source }) => source === tree?.source).map(({ point }) => point);
  for (const point of ours.sort((a, b) => b.length - a.length)) {
    await native.unmount(point, lazy).catch((cause: unknown) => {
      throw new RewindError('ERR_BUSY', `${point} is in use`, 'Close what is open there, or unmount it with --lazy.', { cause });
    });
  }
}

/**
 * Unmounts what a dead daemon left at a mount point. Detaching the tree takes its view along; by itself the view could
 * not be reached, for no path leads through a dead mount whose attributes the kernel has let go. A user's view lies in
 * the store, and is unmounted by itself.
 */
export async function cleanDead(mountpoint: string): Promise<string[]> {
  const mounts = await readMounts();
  const tree = treeMountAt(mounts, mountpoint);
  if (!tree || !await isDeadMount(mountpoint)) return [];
  const ours = mounts.filter((mount) => mount.source === tree.source).map((mount) => mount.point);
  for (const point of [mountpoint, ...ours.filter((other) => !isWithin(other, mountpoint))]) {
    await native.unmount(point, true).catch((cause: unknown) => {
      throw new RewindError('ERR_DAEMON_DEAD', `The daemon of ${mountpoint} has died, and ${point} cannot be unmounted`, `Unmount it by hand: umount -l ${point}`, { cause });
    });
  }
  return ours;
}
