/**
 * A store on disk: made, opened and locked. Guarantees that a store is never used by two processes at once, never for
 * a tree that it does not belong to, and never when it is of a format that this version does not know.
 */
import { randomBytes } from 'node:crypto';
import { access, constants, mkdir, readFile, readdir, readlink, rename, rm, rmdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RewindError } from '../errors.js';
import { native } from '../native.js';
import { asideOf, replaceFileForGood } from '../replace.js';
import { registryEntry, STORE_FORMAT, storeLayout, type StoreLayout } from './layout.js';
import { isWithin } from './mounts.js';
import { finishReplacing } from './replaced.js';

/** What store.json says. */
export interface StoreDescription {
  format: number;
  /** 16 bytes as hex; every journal segment carries it. */
  id: string;
  /** Real path of the tree. */
  tree: string;
  /** RFC 3339. */
  created: string;
  /** Name of the directory that shows the past inside the mounted tree. */
  snapshots: string;
}

/** A store whose description was read; not locked. */
export interface Store {
  layout: StoreLayout;
  description: StoreDescription;
  /** The outermost directory that was made for it just now; none when there was an empty one. */
  made?: string;
}

/**
 * Makes an empty store. One that was begun there and not finished is gone on with.
 * @throws ERR_EXISTS when the directory holds something else, ERR_NO_PERMISSION, ERR_IO
 */
export async function createStore(root: string, tree: string, snapshots: string): Promise<Store> {
  const layout = storeLayout(root);
  const description: StoreDescription = {
    format: STORE_FORMAT, id: randomBytes(16).toString('hex'), tree, created: new Date().toISOString(), snapshots,
  };
  try {
    const made = await mkdir(root, { recursive: true, mode: 0o700 });
    if (!await isEmpty(layout)) {
      throw new RewindError('ERR_EXISTS', `${root} is not empty and not a store`, 'Name a new or an empty directory with --store.');
    }
    for (const directory of [layout.journal, layout.history]) {
      await mkdir(directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => { if (error.code !== 'EEXIST') throw error; });
    }
    await writeDescription(layout, description);
    // A directory is on stable storage once its name is, too.
    for (let above = dirname(root), done = false; made !== undefined && !done; above = dirname(above)) {
      await native.syncPath(above);
      done = above === dirname(made);
    }
    return { layout, description, made };
  } catch (error) {
    throw asStoreError(error, root);
  }
}

/** Nothing lies there, or what is left of a store that was begun and not finished: empty directories, and a part of its description. */
async function isEmpty(layout: StoreLayout): Promise<boolean> {
  for (const name of await readdir(layout.root)) {
    const path = join(layout.root, name);
    if (path === asideOf(layout.description)) continue;
    if ((path !== layout.journal && path !== layout.history) || (await readdir(path)).length > 0) return false;
  }
  return true;
}

/** The description is what makes a directory a store, so it comes last and whole. */
function writeDescription(layout: StoreLayout, description: StoreDescription): Promise<void> {
  return replaceFileForGood(layout.description, JSON.stringify(description, null, 2) + '\n');
}

/** Remembers the name of the views' directory for the next mount. */
export async function setSnapshotsName(store: Store, snapshots: string): Promise<void> {
  if (store.description.snapshots === snapshots) return;
  store.description = { ...store.description, snapshots };
  await writeDescription(store.layout, store.description);
}

/**
 * Reads a store's description.
 * @throws ERR_NO_STORE, ERR_STORE_CORRUPT, ERR_STORE_FORMAT, ERR_NO_PERMISSION
 */
export async function openStore(root: string): Promise<Store> {
  const layout = storeLayout(root);
  let text: string;
  try {
    text = await readFile(layout.description, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new RewindError('ERR_NO_STORE', `${root} is not a store: it has no store.json`,
        'Name the store with --store, or start one with `rewind mount DIR`.', { cause: error });
    }
    throw asStoreError(error, root);
  }
  return { layout, description: parseDescription(text, layout.description) };
}

function parseDescription(text: string, path: string): StoreDescription {
  let raw: Partial<StoreDescription>;
  try {
    raw = JSON.parse(text) as Partial<StoreDescription>;
  } catch (cause) {
    throw corrupt(path, 'it is not JSON', cause);
  }
  if (typeof raw !== 'object' || raw === null || typeof raw.format !== 'number') throw corrupt(path, 'it names no format');
  if (raw.format > STORE_FORMAT) {
    throw new RewindError('ERR_STORE_FORMAT', `${path}: format ${raw.format}, and this version knows formats up to ${STORE_FORMAT}`,
      'Use the version of rewindfs that wrote it, or a newer one.');
  }
  if (typeof raw.id !== 'string' || !/^[0-9a-f]{32}$/.test(raw.id)) throw corrupt(path, 'its id is not 32 hex digits');
  if (typeof raw.tree !== 'string' || !raw.tree.startsWith('/')) throw corrupt(path, 'its tree is not an absolute path');
  return { format: raw.format, id: raw.id, tree: raw.tree, created: String(raw.created), snapshots: raw.snapshots ?? '.snapshots' };
}

function corrupt(path: string, what: string, cause?: unknown): RewindError {
  return new RewindError('ERR_STORE_CORRUPT', `${path} cannot be understood: ${what}`,
    'Put the file back from a copy; journal and history beside it are not touched.', { cause });
}

/** @throws ERR_STORE_OF_OTHER_TREE */
export function checkBelongs(store: Store, tree: string): void {
  if (store.description.tree === tree) return;
  throw new RewindError('ERR_STORE_OF_OTHER_TREE', `${store.layout.root} is the store of ${store.description.tree}, not of ${tree}`,
    'Name another directory with --store, or none to use the default.');
}

/** Held until released, or until the process ends however it ends. */
export interface StoreLock {
  release(): void;
}

/** May this process write to it? Not to one on a read-only file system, whoever it is. */
export async function isWritable(store: Store): Promise<boolean> {
  return await access(store.layout.root, constants.W_OK).then(() => true, () => false);
}

/** @throws ERR_STORE_LOCKED, ERR_NO_PERMISSION */
export async function lockStore(store: Store): Promise<StoreLock> {
  return await lockFile(store, async () => {
    await access(store.layout.root, constants.W_OK);
    const lock = native.lockFile(store.layout.lock, false);
    if (lock !== null) await finishReplacing(store.layout);
    return lock;
  });
}

/** Held together with others who only read; nothing is written. A store without a lock file was never used. @throws as lockStore */
export async function lockToRead(store: Store): Promise<StoreLock> {
  return await lockFile(store, async () => {
    await access(store.layout.lock, constants.R_OK);
    return native.lockFile(store.layout.lock, true);
  });
}

async function lockFile(store: Store, take: () => Promise<StoreLock | null>): Promise<StoreLock> {
  try {
    const lock = await take();
    if (lock) return lock;
  } catch (error) {
    throw asStoreError(error, store.layout.root);
  }
  throw new RewindError('ERR_STORE_LOCKED', `${store.layout.root} is in use by another process`,
    'Wait for it to end, or unmount the tree with `rewind unmount`.');
}

/** Where a tree's store lies: what the registry links to, else the default place. */
export async function storePlaceOf(tree: string): Promise<string> {
  const entry = registryEntry(tree);
  return await readlink(entry).catch(() => entry);
}

/** Makes a store that lies elsewhere the one that is found for its tree from now on. */
export async function registerStore(store: Store): Promise<void> {
  const entry = registryEntry(store.description.tree);
  if (entry === store.layout.root || (await readlink(entry).catch(() => '')) === store.layout.root) return;
  try {
    await mkdir(dirname(entry), { recursive: true, mode: 0o700 });
    const aside = `${entry}.${process.pid}`;
    await symlink(store.layout.root, aside);
    await rename(aside, entry).catch(async (error: NodeJS.ErrnoException) => {
      await rm(aside, { force: true });
      // A default store lies there: it stays what is found when nothing is named.
      if (error.code !== 'EISDIR') throw error;
    });
  } catch (error) {
    throw asStoreError(error, entry);
  }
}

/** Takes away a store that a failed first mount has made, and nothing that was there before, unless somebody else has begun to use it. */
export async function removeStore(store: Store): Promise<void> {
  const lock = await lockStore(store).catch(() => null);
  if (!lock) return;
  try {
    await removeLocked(store);
  } finally {
    lock.release();
  }
}

async function removeLocked(store: Store): Promise<void> {
  const entry = registryEntry(store.description.tree);
  if ((await readlink(entry).catch(() => '')) === store.layout.root) await rm(entry, { force: true });
  const { root } = store.layout;
  for (const name of await readdir(root)) await rm(join(root, name), { recursive: true, force: true });
  // Up to the first directory that was there before, or holds something else by now.
  for (let directory = root; store.made !== undefined && isWithin(directory, store.made); directory = dirname(directory)) {
    if (!await rmdir(directory).then(() => true, () => false)) return;
  }
}

/** An error of the operating system about a store, as one of ours. */
export function asStoreError(error: unknown, path: string): Error {
  if (error instanceof RewindError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'EACCES': case 'EPERM': case 'EROFS':
      return new RewindError('ERR_NO_PERMISSION', `${path}: ${message}`, 'Run as the owner of the store, or name another with --store.', { cause: error });
    case 'ENOSPC': case 'EDQUOT':
      return new RewindError('ERR_DISK_FULL', `${path}: ${message}`, 'Free space on the disk of the store, or put the store on another with --store.', { cause: error });
    case 'EIO':
      return new RewindError('ERR_IO', `${path}: ${message}`, 'The disk that holds the store does not answer: `rewind unmount` the tree, bring the disk back, and `rewind mount` it.', { cause: error });
    default:
      return new RewindError('ERR_IO', `${path}: ${message}`, 'See the cause, and try again.', { cause: error });
  }
}
