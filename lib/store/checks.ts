/**
 * What must hold before a tree is mounted. Every check comes before the first change to anything, and names the path
 * concerned; order: from what the user typed to what the system lacks.
 */
import { access, constants, lstat, readdir, realpath, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { RewindError } from '../errors.js';
import { absolutePath } from './typed.js';
import { isWithin, mountOf, mountsInside, TREE_MOUNT_TYPE, VIEW_MOUNT_TYPE, type Mount } from './mounts.js';

/** Local file systems whose inode numbers stay the same and that nobody else changes behind our back. */
const SUPPORTED = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'tmpfs', 'ramfs', 'overlay', 'f2fs', 'zfs', 'bcachefs', 'jfs', 'nilfs2', 'reiserfs']);

/** What a mount answers whose server has died; ECANCELED while an io_uring of it is still being taken down. */
export const DEAD_SERVER: readonly string[] = ['ENOTCONN', 'ECONNABORTED', 'ECANCELED'];

/**
 * The real path, without asking a file system that does not answer: below a dead mount the last name is taken as it
 * stands. Names that do not exist yet are kept, too.
 */
export async function realPath(path: string): Promise<string> {
  const absolute = absolutePath(path);
  try {
    return await realpath(absolute);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (absolute === '/' || ![...DEAD_SERVER, 'ENOENT', 'ENOTDIR', 'EACCES', 'EIO'].includes(code ?? '')) throw error;
    return join(await realPath(dirname(absolute)), basename(absolute));
  }
}

/** True when the mount at `point` is a FUSE mount whose server has died. */
export async function isDeadMount(point: string): Promise<boolean> {
  try {
    // Not stat: attributes that the kernel keeps outlive the server.
    await statfs(point);
    return false;
  } catch (error) {
    return DEAD_SERVER.includes((error as NodeJS.ErrnoException).code ?? '');
  }
}

/** The live tree's mount at exactly this directory, if there is one. */
export function treeMountAt(mounts: Mount[], directory: string): Mount | undefined {
  return mounts.filter((mount) => mount.point === directory && mount.type === TREE_MOUNT_TYPE).at(-1);
}

/** @throws ERR_NOT_FOUND, ERR_NOT_A_DIRECTORY, ERR_NO_PERMISSION */
export async function checkDirectory(directory: string): Promise<void> {
  let isDirectory: boolean;
  try {
    isDirectory = (await stat(directory)).isDirectory();
    if (isDirectory) await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new RewindError('ERR_NOT_FOUND', `${directory} does not exist`, 'Make it first, or correct the path.', { cause: error });
    }
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
      throw new RewindError('ERR_NO_PERMISSION', `${directory} cannot be read and written by uid ${process.getuid?.()}`,
        'Mount it as its owner or as root.', { cause: error });
    }
    throw error;
  }
  if (!isDirectory) throw new RewindError('ERR_NOT_A_DIRECTORY', `${directory} is not a directory`, 'rewindfs protects directories: name the one that holds it.');
}

/** @throws ERR_UNSUPPORTED_FILE_SYSTEM, ERR_MOUNT_INSIDE, ERR_ALREADY_MOUNTED */
export function checkFileSystem(mounts: Mount[], tree: string): void {
  const on = mountOf(mounts, tree);
  if (on?.type === TREE_MOUNT_TYPE) {
    throw new RewindError('ERR_ALREADY_MOUNTED', `${tree} lies in a tree that is mounted already, at ${on.point}`,
      `Its history is there: rewind log ${tree}`);
  }
  if (!on || !SUPPORTED.has(on.type)) {
    throw new RewindError('ERR_UNSUPPORTED_FILE_SYSTEM', `${tree} is on ${on?.type === VIEW_MOUNT_TYPE ? 'a view of the past' : on?.type ?? 'no file system'}, which cannot be protected`,
      `Supported are local file systems: ${[...SUPPORTED].join(' ')}.`);
  }
  if (on.options.split(',').includes('xino=on')) throw tooLarge(tree, 'an overlay that makes inode numbers of 64 bits (xino=on)');
  const inside = mountsInside(mounts, tree)[0];
  if (inside) {
    throw new RewindError('ERR_MOUNT_INSIDE', `${inside.type} is mounted at ${inside.point}, inside ${tree}`,
      'Unmount it, or mount the directories beside it one by one.');
  }
}

/** Inode numbers are numbers of JavaScript in history: exact below 2^53. @throws ERR_UNSUPPORTED_FILE_SYSTEM */
export function checkInode(tree: string, ino: bigint): void {
  if (ino > BigInt(Number.MAX_SAFE_INTEGER)) throw tooLarge(tree, `a file system whose inode numbers are too large (${ino})`);
}

function tooLarge(tree: string, on: string): RewindError {
  return new RewindError('ERR_UNSUPPORTED_FILE_SYSTEM', `${tree} is on ${on}: history tells objects apart up to 2^53`,
    'Protect a directory on another file system; of an overlay, one that is mounted with xino=off and has all its layers on one file system.');
}

/** @throws ERR_SNAPSHOTS_NAME_TAKEN, ERR_USAGE */
export async function checkSnapshotsName(tree: string, name: string): Promise<void> {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0') || Buffer.byteLength(name) > 255) {
    throw new RewindError('ERR_USAGE', `${JSON.stringify(name)} cannot be a directory's name`, 'Name one that the tree does not hold, like .past');
  }
  const exists = await lstat(join(tree, name)).then(() => true, () => false);
  if (exists) {
    throw new RewindError('ERR_SNAPSHOTS_NAME_TAKEN', `${join(tree, name)} exists, and views of the past would hide it`,
      'Choose another name for them: --snapshots NAME');
  }
}

/** @throws ERR_STORE_INSIDE_TREE, ERR_TREE_INSIDE_STORE */
export async function checkApart(store: string, tree: string, mountpoint: string): Promise<void> {
  const place = await realPath(store);
  for (const directory of new Set([tree, mountpoint])) {
    if (isWithin(place, directory)) {
      throw new RewindError('ERR_STORE_INSIDE_TREE', `The store ${place} lies inside ${directory}, which it records`, 'Name a store outside the tree with --store.');
    }
  }
  if (isWithin(tree, place)) {
    throw new RewindError('ERR_TREE_INSIDE_STORE', `${tree} lies inside the store ${place}`, 'Name another directory with --store.');
  }
}

/** A mountpoint other than the tree: an empty directory outside it. @throws ERR_USAGE, ERR_EXISTS, ERR_ALREADY_MOUNTED and those of checkDirectory */
export async function checkMountpoint(mounts: Mount[], tree: string, mountpoint: string): Promise<void> {
  if (mountpoint === tree) return;
  const taken = treeMountAt(mounts, mountpoint);
  if (taken) {
    throw new RewindError('ERR_ALREADY_MOUNTED', `A tree is mounted at ${mountpoint} already (store ${taken.source})`, `rewind unmount ${mountpoint}`);
  }
  await checkDirectory(mountpoint);
  if (isWithin(mountpoint, tree) || isWithin(tree, mountpoint)) {
    throw new RewindError('ERR_USAGE', `The mountpoint ${mountpoint} and the tree ${tree} lie one inside the other`, 'Name a mountpoint elsewhere, or leave --at out.');
  }
  if ((await readdir(mountpoint)).length > 0) {
    throw new RewindError('ERR_EXISTS', `The mountpoint ${mountpoint} is not empty`, 'Name an empty directory with --at.');
  }
}

/** @throws ERR_NO_FUSE, ERR_NO_FUSERMOUNT */
export async function checkFuse(): Promise<void> {
  try {
    await access('/dev/fuse', constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw new RewindError('ERR_NO_FUSE', '/dev/fuse cannot be opened', 'Load the kernel module `fuse`; in a container give it the device /dev/fuse and the capability SYS_ADMIN.', { cause });
  }
  if (process.getuid?.() === 0) return;
  const found = (process.env['PATH'] ?? '/usr/bin:/bin').split(':').map((directory) => join(directory, 'fusermount3'));
  for (const program of found) if (await access(program, constants.X_OK).then(() => true, () => false)) return;
  throw new RewindError('ERR_NO_FUSERMOUNT', 'fusermount3 is not on the PATH, and only root mounts without it', 'Install the package fuse3.');
}
