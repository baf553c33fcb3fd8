import test from 'ava';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkApart, checkDirectory, checkFileSystem, checkInode, checkMountpoint, checkSnapshotsName, realPath } from '../../../lib/store/checks.js';
import { parseMounts } from '../../../lib/store/mounts.js';
import { scoped } from '../../helpers/scope.js';

const line = (point: string, type: string) => `30 22 0:25 / ${point} rw shared:12 - ${type} source rw\n`;

test.serial('a tree must be a directory that exists', (t) => scoped(async (scope) => {
  const place = scope.temporary();
  await writeFile(join(place, 'file'), '');
  await t.notThrowsAsync(checkDirectory(place));
  await t.throwsAsync(checkDirectory(join(place, 'none')), { code: 'ERR_NOT_FOUND' });
  await t.throwsAsync(checkDirectory(join(place, 'file', 'below')), { code: 'ERR_NOT_FOUND' });
  await t.throwsAsync(checkDirectory(join(place, 'file')), { code: 'ERR_NOT_A_DIRECTORY' });
}));

test.serial('local file systems are supported, all else is refused', (t) => {
  for (const type of ['ext4', 'xfs', 'btrfs', 'tmpfs', 'overlay']) t.notThrows(() => checkFileSystem(parseMounts(line('/', type)), '/t'), type);
  for (const type of ['proc', 'sysfs', 'nfs4', 'vfat', 'fuse.bindfs', 'fuse.rewindfs-view', 'cgroup2']) {
    t.throws(() => checkFileSystem(parseMounts(line('/', 'ext4') + line('/t', type)), '/t'), { code: 'ERR_UNSUPPORTED_FILE_SYSTEM' }, type);
  }
  t.throws(() => checkFileSystem(parseMounts(line('/', 'ext4') + line('/t', 'fuse.rewindfs')), '/t/src'), { code: 'ERR_ALREADY_MOUNTED' });
});

test.serial('inode numbers that history cannot hold are refused before anything is mounted', (t) => {
  const overlay = (options: string) => parseMounts(`30 22 0:25 / / rw shared:12 - overlay source rw,${options}\n`);
  t.notThrows(() => checkFileSystem(overlay('uuid=on'), '/t'));
  t.throws(() => checkFileSystem(overlay('uuid=on,xino=on'), '/t'), { code: 'ERR_UNSUPPORTED_FILE_SYSTEM', message: /xino=on/ });
  t.notThrows(() => checkInode('/t', 2n ** 53n - 1n));
  t.throws(() => checkInode('/t', 2n ** 53n), { code: 'ERR_UNSUPPORTED_FILE_SYSTEM', message: /9007199254740992/ });
});

test.serial('a tree with a mount inside is refused, naming it', (t) => {
  t.throws(() => checkFileSystem(parseMounts(line('/', 'ext4') + line('/t/cache', 'tmpfs')), '/t'), { code: 'ERR_MOUNT_INSIDE', message: /\/t\/cache/ });
});

test.serial('store, tree and mountpoint never lie one inside the other, also not through links', (t) => scoped(async (scope) => {
  const place = scope.temporary();
  const tree = join(place, 'tree');
  await mkdir(join(tree, 'sub'), { recursive: true });
  await symlink(join(tree, 'sub'), join(place, 'link'));
  await t.notThrowsAsync(checkApart(join(place, 'tree-store'), tree, tree));
  await t.throwsAsync(checkApart(join(tree, 'store'), tree, tree), { code: 'ERR_STORE_INSIDE_TREE' });
  await t.throwsAsync(checkApart(join(place, 'link', 'new', 'store'), tree, tree), { code: 'ERR_STORE_INSIDE_TREE' });
  await t.throwsAsync(checkApart(join(place, 'mnt', 's'), tree, join(place, 'mnt')), { code: 'ERR_STORE_INSIDE_TREE' });
  await t.throwsAsync(checkApart(place, tree, tree), { code: 'ERR_TREE_INSIDE_STORE' });
  await mkdir(join(place, 'mnt'));
  const mounts = parseMounts(line('/', 'ext4'));
  await t.notThrowsAsync(checkMountpoint(mounts, tree, join(place, 'mnt')));
  await t.throwsAsync(checkMountpoint(mounts, tree, join(tree, 'sub')), { code: 'ERR_USAGE' });
  await t.throwsAsync(checkMountpoint(mounts, join(tree, 'sub'), tree), { code: 'ERR_USAGE' });
  await writeFile(join(place, 'mnt', 'f'), '');
  await t.throwsAsync(checkMountpoint(mounts, tree, join(place, 'mnt')), { code: 'ERR_EXISTS' });
}));

test.serial('the name of the views must be free, and a name', (t) => scoped(async (scope) => {
  const tree = scope.temporary();
  await symlink('/nowhere', join(tree, '.snapshots'));
  await t.throwsAsync(checkSnapshotsName(tree, '.snapshots'), { code: 'ERR_SNAPSHOTS_NAME_TAKEN' });
  await t.notThrowsAsync(checkSnapshotsName(tree, '.past'));
  for (const name of ['', '.', '..', 'a/b', 'x'.repeat(256)]) await t.throwsAsync(checkSnapshotsName(tree, name), { code: 'ERR_USAGE' });
}));

test.serial('a real path follows what exists and keeps what does not', (t) => scoped(async (scope) => {
  const place = scope.temporary();
  await symlink(place, join(place, 'self'));
  t.is(await realPath(join(place, 'self', 'new', 'deep')), join(place, 'new', 'deep'));
  t.is(await realPath('/'), '/');
}));
