/**
 * From a path to the tree that holds it: by the mount table when it is mounted, else by the registry of stores.
 * Never asks a mounted file system anything but the path's symlinks.
 */
import { access } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { RewindError } from '../errors.js';
import { absolutePath } from './typed.js';
import { realPath } from './checks.js';
import { storeLayout } from './layout.js';
import { isWithin, mountOf, readMounts, TREE_MOUNT_TYPE, VIEW_MOUNT_TYPE } from './mounts.js';
import { openStore, storePlaceOf, type Store } from './store.js';

/** Where to look. */
export interface TreeQuery {
  /** A path in the tree, of now or of the past, absolute or relative to the working directory. */
  path?: string;
  /** A directory in the tree; decides when given. */
  tree?: string;
  /** A store; decides before all else. */
  store?: string;
}

/** A tree and its store. */
export interface FoundTree {
  store: Store;
  /** The directory that is protected. */
  tree: string;
  /** Where it is mounted now, or null. */
  mountpoint: string | null;
}

/** @throws ERR_NO_STORE and those of openStore */
export async function findTree(query: TreeQuery): Promise<FoundTree> {
  const mounts = await readMounts();
  if (query.store !== undefined) {
    const store = await openStore(await realPath(query.store));
    const mount = mounts.find(({ type, source }) => type === TREE_MOUNT_TYPE && source === store.layout.root);
    return { store, tree: store.description.tree, mountpoint: mount?.point ?? null };
  }
  const path = await realPath(query.tree ?? query.path ?? '.');
  const mount = mountOf(mounts, path);
  if (mount?.type === TREE_MOUNT_TYPE || mount?.type === VIEW_MOUNT_TYPE) {
    const store = await openStore(mount.source);
    const live = mounts.find(({ type, source }) => type === TREE_MOUNT_TYPE && source === mount.source);
    return { store, tree: store.description.tree, mountpoint: live?.point ?? null };
  }
  for (let directory = path; ; directory = dirname(directory)) {
    const place = await storePlaceOf(directory);
    if (await access(storeLayout(place).description).then(() => true, () => false)) {
      const store = await openStore(place);
      const live = mounts.find(({ type, source }) => type === TREE_MOUNT_TYPE && source === place);
      return { store, tree: store.description.tree, mountpoint: live?.point ?? null };
    }
    if (directory === '/') break;
  }
  throw new RewindError('ERR_NO_STORE', `${path} lies in no protected tree`, 'Protect a directory with `rewind mount DIR`, or name a store with --store.');
}

/**
 * A path that the user typed, as its place in the tree ('' = the root). A path below the mountpoint or below the
 * tree's directory counts from there; symlinks in its directories are followed, its last name is taken as it stands.
 * @throws ERR_USAGE when it lies elsewhere
 */
export async function placeInTree(found: FoundTree, path: string): Promise<string> {
  const absolute = absolutePath(path);
  const unfollowed = join(await realPath(dirname(absolute)), basename(absolute));
  for (const place of [unfollowed, await realPath(absolute)]) {
    for (const root of [found.mountpoint, found.tree]) {
      if (root !== null && isWithin(place, root)) return relative(root, place);
    }
  }
  throw new RewindError('ERR_USAGE', `${path} does not lie in ${found.mountpoint ?? found.tree}`, 'Give a path inside the tree, or leave it out for the whole tree.');
}
