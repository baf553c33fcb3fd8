/**
 * Where the live mount differs from the directory on ext4, and may: the kernel's FUSE client decides. Each is in
 * docs/posix-conformance.md with its reason, by this name.
 */
import { O, RENAME, SEEK } from '../../helpers/constants.js';
import type { Calls } from './case.js';

const FUSE_SUPER_MAGIC = '65735546';

export interface Deviation {
  name: string;
  /** Observes one thing, as a word or two. */
  see(calls: Calls): Promise<string>;
  plain: string;
  mount: string;
}

const answer = async (c: Calls, op: string, ...args: (string | number)[]): Promise<string> => {
  const reply = await c.trial(op, ...args);
  return reply.error || 'ok';
};

const opened = async (c: Calls, flags = 0): Promise<void> => {
  await c.file('f', 100_000);
  await c.ok('open', 1, 'f', O.RDWR | flags, 0);
};

/** What one call on an open file answers. */
const onFile = (op: string, args: (string | number)[], flags = 0) => async (c: Calls): Promise<string> => {
  await opened(c, flags);
  return answer(c, op, 1, ...args);
};

export const deviations: readonly Deviation[] = [
  {
    name: 'collapse and insert range',
    plain: 'ok ok',
    mount: 'EOPNOTSUPP EOPNOTSUPP',
    async see(c) {
      await opened(c);
      return `${await answer(c, 'fallocate', 1, 8, 0, 4096)} ${await answer(c, 'fallocate', 1, 32, 0, 4096)}`;
    },
  },
  {
    name: 'inode flags (lsattr, chattr)',
    plain: 'ok',
    mount: 'ENOTTY',
    see: onFile('ioctl', ['flags']),
  },
  {
    name: 'the extent map (filefrag)',
    plain: 'ok',
    mount: 'EOPNOTSUPP',
    see: onFile('ioctl', ['fiemap']),
  },
  {
    name: 'O_DIRECT without alignment',
    plain: 'EINVAL',
    mount: 'ok',
    see: onFile('writealigned', [1, 100, 1], O.DIRECT),
  },
  {
    name: 'the end of a directory (SEEK_END)',
    plain: 'a hash',
    mount: 'its size',
    async see(c) {
      await c.ok('open', 1, '.', O.RDONLY, 0);
      return Number(await c.quiet('seek', 1, 0, SEEK.END)) > 2 ** 40 ? 'a hash' : 'its size';
    },
  },
  {
    name: 'seeking beyond the largest file',
    plain: 'EINVAL',
    mount: 'ok',
    see: onFile('seek', [2 ** 50, SEEK.SET]),
  },
  {
    name: 'setuid after a write beyond the largest file',
    plain: 'EFBIG, kept',
    mount: 'EFBIG, gone',
    async see(c) {
      await c.file('f', 10);
      await c.ok('chmod', '.', 0o777);
      await c.ok('chmod', 'f', 0o4777);
      await c.as(1000);
      await c.ok('open', 1, 'f', O.RDWR, 0);
      const error = await answer(c, 'write', 1, 2 ** 50, 10, 1);
      return `${error}, ${(await c.stat('f')).mode === '104777' ? 'kept' : 'gone'}`;
    },
  },
  {
    name: 'RENAME_WHITEOUT',
    plain: 'ok',
    mount: 'EINVAL',
    async see(c) {
      await c.file('f', 10);
      return answer(c, 'rename', 'f', 'g', RENAME.WHITEOUT);
    },
  },
  {
    name: 'the type of the file system (statfs)',
    plain: 'of the directory',
    mount: 'FUSE',
    async see(c) {
      const magic = await c.quiet('fstype', '.');
      return magic === FUSE_SUPER_MAGIC ? 'FUSE' : 'of the directory';
    },
  },
  {
    name: 'names beside the tree',
    plain: 'same device, ok, ok',
    mount: 'another device, EXDEV, EXDEV',
    async see(c) {
      await c.file('f', 10);
      const device = async (path: string): Promise<string | undefined> => / dev=(\d+)/.exec(await c.quiet('stat', path))?.[1];
      const outside = '../../beside-the-tree';
      const same = (await device('.')) === (await device('../..'));
      const linked = await answer(c, 'link', 'f', outside);
      if (linked === 'ok') await c.quiet('unlink', outside);
      const renamed = await answer(c, 'rename', 'f', outside, 0);
      if (renamed === 'ok') await c.quiet('unlink', outside);
      return `${same ? 'same' : 'another'} device, ${linked}, ${renamed}`;
    },
  },
  {
    name: 'the name .snapshots at the root',
    plain: 'ENOENT, ok, ok',
    mount: 'ok, EEXIST, EBUSY',
    async see(c) {
      const there = await answer(c, 'stat', '../.snapshots');
      const made = await answer(c, 'mkdir', '../.snapshots', 0o755);
      return `${there}, ${made}, ${await answer(c, 'rmdir', '../.snapshots')}`;
    },
  },
  {
    name: 'access time of a read from the page cache',
    plain: 'moves',
    mount: 'stays',
    async see(c) {
      await c.file('f', 100);
      await c.ok('open', 1, 'f', O.RDWR, 0);
      await c.ok('read', 1, 0, 100);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await c.ok('write', 1, 0, 4096, 3); // relatime: from now on a read moves it
      await new Promise((resolve) => setTimeout(resolve, 20));
      const before = await c.stat('f');
      await c.ok('read', 1, 0, 100);
      return (await c.stat('f')).atime > before.atime ? 'moves' : 'stays';
    },
  },
];
