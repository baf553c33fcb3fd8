/** What the kernel offers beside plain calls: watches, leases, limits, direct and synchronous writes, handles, statx. */
import { FALLOC, IN, MAP, O, PROT, RWF, SEEK } from '../../helpers/constants.js';
import type { Case } from './case.js';

const page = 4096;
const TiB = 2 ** 40;

export const kernelCases: Case[] = [
  {
    name: 'inotify: what is done to files and names is told as on a plain directory',
    async run(c) {
      const other = await c.other();
      await c.ok('mkdir', 'd', 0o755);
      await c.file('d/f', 10);
      await c.ok('watch', 1, 'd', IN.ALL);
      await c.ok('watch', 2, 'd/f', IN.ALL);
      const told = async (): Promise<void> => {
        await c.ok('events', 1);
        await c.ok('events', 2);
      };
      await other.ok('open', 1, 'd/f', O.RDWR, 0);
      await other.ok('write', 1, 0, 20, 1);
      await other.ok('read', 1, 0, 5);
      await other.ok('ftruncate', 1, 7);
      await other.ok('close', 1);
      await told();
      await other.ok('chmod', 'd/f', 0o600);
      await other.ok('utimens', 'd/f', 1n, 2n);
      await other.ok('setxattr', 'd/f', 'user.a', 'b', 0);
      await told();
      await other.ok('open', 1, 'd/new', O.RDWR | O.CREAT, 0o644);
      await other.ok('close', 1);
      await other.ok('open', 1, 'd/new', O.RDWR | O.TRUNC, 0);
      await other.ok('close', 1);
      await other.ok('mkdir', 'd/sub', 0o755);
      await other.ok('symlink', 'x', 'd/sym');
      await other.ok('link', 'd/f', 'd/hard');
      await told();
      await other.ok('rename', 'd/new', 'd/moved', 0);
      await other.ok('rename', 'd/moved', 'away', 0);
      await other.ok('rename', 'away', 'd/sym', 0);
      await told();
      await other.ok('unlink', 'd/hard');
      await other.ok('rmdir', 'd/sub');
      await other.ok('rename', 'd/f', 'd/g', 0);
      await other.ok('unlink', 'd/g');
      await told();
      await other.ok('rename', 'd', 'e', 0);
      await other.ok('unlink', 'e/sym');
      await other.ok('rmdir', 'e');
      await told();
    },
  },
  {
    name: 'leases: granted and refused as on a plain directory',
    async run(c) {
      await c.file('f', 10);
      await c.ok('open', 1, 'f', O.RDONLY, 0);
      await c.see('lease', 1, 'read');
      await c.see('lease', 1, 'none');
      await c.see('lease', 1, 'write');
      await c.see('lease', 1, 'none');
      await c.ok('open', 2, 'f', O.RDWR, 0);
      await c.see('lease', 1, 'read');
      await c.see('lease', 1, 'write');
      await c.see('lease', 2, 'read');
      await c.ok('mkdir', 'd', 0o755);
      await c.ok('open', 3, 'd', O.RDONLY, 0);
      await c.see('lease', 3, 'read');
      await c.as(1000);
      await c.see('lease', 1, 'read');
    },
  },
  {
    name: 'RLIMIT_FSIZE: a write ends at the limit, then EFBIG; growing by truncate and fallocate too',
    async run(c) {
      await c.ok('open', 1, 'f', O.RDWR | O.CREAT, 0o644);
      await c.ok('write', 1, 0, 3000, 1);
      await c.ok('limitsize', 10_000);
      await c.ok('write', 1, 3000, 5000, 2);
      await c.ok('write', 1, 8000, 5000, 3); // short
      await c.fails('EFBIG', 'write', 1, 10_000, 1, 4);
      await c.fails('EFBIG', 'write', 1, 50_000, 100, 4);
      await c.fails('EFBIG', 'ftruncate', 1, 10_001);
      await c.fails('EFBIG', 'truncate', 'f', 20_000);
      await c.ok('ftruncate', 1, 10_000);
      await c.fails('EFBIG', 'fallocate', 1, FALLOC.ALLOCATE, 0, 20_000);
      await c.see('fallocate', 1, FALLOC.KEEP_SIZE, 0, 20_000);
      await c.ok('open', 2, 'big', O.RDWR | O.CREAT | O.APPEND, 0o644);
      await c.ok('write', 2, -1, 9_999, 5);
      await c.ok('write', 2, -1, 10, 6);
      await c.fails('EFBIG', 'write', 2, -1, 10, 6);
      await c.see('copyrange', 1, 0, 1, 9_000, 1_000);
      await c.ok('open', 3, 'copy', O.RDWR | O.CREAT, 0o644);
      await c.see('copyrange', 1, 0, 3, 5_000, 9_000);
      await c.fails('EFBIG', 'copyrange', 1, 0, 3, 10_000, 10);
      await c.ok('limitsize', -1);
      await c.ok('write', 1, 10_000, 100, 7);
      for (const name of ['f', 'big', 'copy']) await c.content(name);
    },
  },
  {
    name: 'O_SYNC, O_DSYNC, RWF_DSYNC, RWF_APPEND, syncfs: written and durable',
    async run(c) {
      for (const [i, flag] of [O.SYNC, O.DSYNC, O.SYNC | O.APPEND].entries()) {
        await c.ok('open', 1, `f${i}`, O.RDWR | O.CREAT | flag, 0o644);
        await c.ok('write', 1, 0, 5000, i + 1);
        await c.ok('write', 1, -1, 70_000, i + 2);
        await c.ok('fallocate', 1, FALLOC.ALLOCATE, 0, 200_000);
        await c.ok('close', 1);
        await c.content(`f${i}`);
      }
      await c.ok('open', 1, 'g', O.RDWR | O.CREAT, 0o644);
      await c.ok('writeflags', 1, 0, 3000, 1, RWF.DSYNC);
      await c.ok('writeflags', 1, 0, 3000, 2, RWF.SYNC);
      await c.ok('writeflags', 1, 0, 3000, 3, RWF.APPEND);
      await c.fails('EOPNOTSUPP', 'writeflags', 1, 0, 10, 3, 1 << 20);
      await c.ok('syncfs', 1);
      await c.ok('open', 2, '.', O.RDONLY, 0);
      await c.ok('fsync', 2);
      await c.ok('fdatasync', 2);
      await c.ok('syncfs', 2);
      await c.content('g');
    },
  },
  {
    name: 'O_DIRECT: aligned reads and writes agree with cached ones and with mappings',
    async run(c) {
      await c.ok('open', 1, 'f', O.RDWR | O.CREAT | O.DIRECT, 0o644);
      await c.ok('writealigned', 1, 0, 64 * page, 1);
      await c.ok('readaligned', 1, 0, 64 * page);
      await c.ok('open', 2, 'f', O.RDWR, 0);
      await c.ok('read', 2, 5000, 100_000);
      await c.ok('write', 2, 10_000, 30_000, 2);
      await c.ok('readaligned', 1, 0, 64 * page);
      await c.ok('map', 1, 2, 64 * page, PROT.READ | PROT.WRITE, MAP.SHARED);
      await c.ok('mapread', 1, 0, 64 * page);
      await c.ok('writealigned', 1, 8 * page, 16 * page, 3);
      await c.ok('mapread', 1, 0, 64 * page);
      await c.ok('read', 2, 0, 64 * page);
      await c.ok('mapwrite', 1, 20 * page + 5, 9_000, 4);
      await c.ok('mapsync', 1);
      await c.ok('readaligned', 1, 0, 64 * page);
      await c.ok('writealigned', 1, 64 * page, page, 5);
      await c.ok('readaligned', 1, 60 * page, 64 * page);
      await c.fstat(1);
      await c.ok('open', 3, 'append', O.RDWR | O.CREAT | O.DIRECT | O.APPEND, 0o644);
      await c.ok('writealigned', 3, 0, page, 1);
      await c.ok('writealigned', 3, 0, page, 2);
      await c.content('append');
    },
  },
  {
    name: 'mappings and truncation: what is cut off is SIGBUS, what grows is zero, private pages stay apart',
    async run(c) {
      await c.file('f', 10 * page + 100, 0o644, 3);
      await c.ok('open', 1, 'f', O.RDWR, 0);
      await c.ok('map', 1, 1, 20 * page, PROT.READ | PROT.WRITE, MAP.SHARED);
      await c.ok('map', 2, 1, 20 * page, PROT.READ | PROT.WRITE, MAP.PRIVATE);
      await c.ok('touchmap', 1, 10 * page + 99);
      await c.ok('touchmap', 1, 10 * page + 100); // the last page's rest: zero
      await c.ok('touchmap', 1, 11 * page); // beyond: SIGBUS
      await c.ok('mapwrite', 2, page, page, 9);
      await c.ok('mapwrite', 2, 5 * page, page, 9);
      await c.ok('ftruncate', 1, 3 * page + 50);
      for (const at of [page, 3 * page + 49, 3 * page + 50, 4 * page, 5 * page]) {
        await c.ok('touchmap', 1, at);
        await c.ok('touchmap', 2, at);
      }
      await c.ok('ftruncate', 1, 8 * page);
      for (const at of [page, 3 * page + 49, 3 * page + 50, 4 * page, 5 * page, 8 * page]) {
        await c.ok('touchmap', 1, at);
        await c.ok('touchmap', 2, at);
      }
      await c.ok('mapread', 1, 0, 8 * page);
      await c.ok('mapwrite', 1, 7 * page, page, 4);
      await c.ok('fallocate', 1, FALLOC.PUNCH, 6 * page, page + 10);
      await c.ok('mapread', 1, 0, 8 * page);
      await c.ok('truncate', 'f', 0);
      await c.ok('touchmap', 1, 0);
      await c.ok('truncate', 'f', page);
      await c.ok('mapread', 1, 0, page);
      await c.ok('mapwrite', 1, 100, 200, 6);
      await c.ok('unmap', 1);
      await c.ok('unmap', 2);
      await c.content('f');
      await c.fails('ENODEV', 'map', 3, 50, page, PROT.READ, MAP.SHARED).catch(() => undefined);
      await c.ok('mkdir', 'd', 0o755);
      await c.ok('open', 4, 'd', O.RDONLY, 0);
      await c.fails('ENODEV', 'map', 3, 4, page, PROT.READ, MAP.SHARED);
    },
  },
  {
    name: 'offsets beyond 32 bits, and the largest file',
    async run(c) {
      await c.ok('open', 1, 'f', O.RDWR | O.CREAT, 0o644);
      for (const at of [2 ** 31 - 1, 2 ** 32 - 1, 2 ** 33, TiB, 8 * TiB]) {
        await c.ok('write', 1, at, 10, 1);
        await c.ok('read', 1, at - 5, 20);
        await c.stat('f');
        await c.ok('seek', 1, at + 5, SEEK.SET);
        await c.ok('seek', 1, 0, SEEK.END);
      }
      await c.ok('ftruncate', 1, 15 * TiB);
      await c.stat('f');
      await c.ok('read', 1, 14 * TiB, 100);
      await c.fails('EFBIG', 'write', 1, 2n ** 63n - 2n, 10, 1).catch(async () => c.see('write', 1, 2n ** 63n - 2n, 10, 1));
      await c.fails('EINVAL', 'ftruncate', 1, -5);
      await c.ok('lock', 1, 'write', 10 * TiB, 100);
      const other = await c.other();
      await other.ok('open', 1, 'f', O.RDWR, 0);
      await other.fails('EAGAIN', 'lock', 1, 'write', 10 * TiB + 99, 1);
      await other.ok('lock', 1, 'write', 10 * TiB + 100, 1);
      await c.ok('ftruncate', 1, 100);
      await c.ok('read', 1, 0, 200);
      await c.ok('unlink', 'f');
    },
  },
  {
    name: 'a file system away: EXDEV',
    async run(c) {
      await c.file('f', 10);
      await c.ok('mkdir', 'd', 0o755);
      for (const away of ['/proc/rewindfs-away', '/proc/version']) {
        await c.fails('EXDEV', 'rename', 'f', away, 0);
        await c.fails('EXDEV', 'rename', 'd', away, 0);
        await c.see('link', 'f', away);
      }
      await c.fails('EXDEV', 'rename', '/proc/version', 'd/version', 0);
      await c.fails('EXDEV', 'link', '/proc/version', 'd/version');
    },
  },
  {
    name: 'statx answers every basic field and birth; an object is found again by its file handle',
    async run(c) {
      await c.file('f', 10);
      await c.ok('mkdir', 'd', 0o755);
      await c.ok('symlink', 'f', 'l');
      for (const name of ['f', 'd', 'l', '.']) {
        await c.ok('statx', name);
        await c.ok('byhandle', name);
      }
      await c.ok('rename', 'f', 'd/g', 0);
      await c.ok('byhandle', 'd/g');
      await c.fails('ENOENT', 'statx', 'f');
    },
  },
];
