/** Content: reading, writing, holes, allocation, mapping, copying, sizes. */
import { FALLOC, MAP, O, PROT, SEEK } from '../../helpers/constants.js';
import type { Case } from './case.js';

const GiB = 2 ** 30;

export const dataCases: Case[] = [
  {
    name: 'read and write: offsets, short reads, wrong modes',
    async run(c) {
      await c.ok('open', 1, 'f', O.RDWR | O.CREAT, 0o644);
      await c.ok('write', 1, 0, 10_000, 1);
      await c.ok('read', 1, 9_990, 100);
      await c.ok('read', 1, 10_000, 100);
      await c.ok('read', 1, 20_000, 100);
      await c.ok('write', 1, 20_000, 10, 2);
      await c.ok('read', 1, 9_000, 11_010);
      await c.stat('f');
      await c.fails('EINVAL', 'seek', 1, -1, SEEK.SET);
      await c.ok('open', 2, 'f', O.RDONLY, 0);
      await c.fails('EBADF', 'write', 2, 0, 1, 1);
      await c.ok('open', 3, 'f', O.WRONLY, 0);
      await c.fails('EBADF', 'read', 3, 0, 1);
      await c.ok('write', 3, 5, 100, 3);
      await c.ok('read', 2, 0, 200);
      await c.ok('write', 1, 0, 0, 1);
      await c.ok('writev', 1, 30_000, 5_500, 8);
      await c.ok('read', 2, 0, 50_000);
      await c.ok('open', 4, '.', O.RDONLY, 0);
      await c.fails('EISDIR', 'read', 4, 0, 10);
    },
  },
  {
    name: 'writes of many sizes and alignments, as one call each',
    async run(c) {
      await c.ok('open', 1, 'f', O.RDWR | O.CREAT, 0o644);
      let at = 0;
      for (const bytes of [1, 4095, 4096, 4097, 65_535, 65_536, 65_537, 131_072, 1_048_575, 1_048_576, 1_048_577, 3_000_001]) {
        await c.ok('write', 1, at, bytes, bytes);
        at += bytes - 3;
      }
      await c.stat('f');
      await c.ok('read', 1, 0, 8 << 20);
      await c.ok('fsync', 1);
      await c.ok('fdatasync', 1);
    },
  },
  {
    name: 'O_APPEND: every write goes to the end, whatever the position',
    async run(c) {
      await c.ok('open', 1, 'f', O.WRONLY | O.CREAT | O.APPEND, 0o644);
      await c.ok('text', 1, 'one');
      await c.ok('seek', 1, 0, SEEK.SET);
      await c.ok('text', 1, 'two');
      await c.ok('write', 1, 0, 5, 3);
      await c.ok('seek', 1, 0, SEEK.CUR);
      await c.content('f');
      await c.ok('truncate', 'f', 2);
      await c.ok('text', 1, 'three');
      await c.content('f');
    },
  },
  {
    name: 'O_APPEND from several processes loses no line and tears none',
    async run(c) {
      const others = [c, await c.other(), await c.other(), await c.other()];
      for (const one of others) await one.ok('open', 1, 'log', O.WRONLY | O.CREAT | O.APPEND, 0o644);
      await Promise.all(others.map((one, i) => one.quiet('appendlines', 1, 400, `p${i}`)));
      const st = await c.stat('log');
      c.check('all lines are there', st.size === 4 * 400 * 32);
    },
  },
  {
    name: 'truncate: shrink, grow, errnos',
    async run(c) {
      await c.file('f', 100_000, 0o644, 6);
      await c.ok('truncate', 'f', 1234);
      await c.content('f');
      await c.ok('truncate', 'f', 70_000);
      await c.content('f');
      await c.ok('truncate', 'f', 0);
      await c.stat('f');
      await c.fails('EINVAL', 'truncate', 'f', -1);
      await c.fails('EISDIR', 'truncate', '.', 0);
      await c.fails('ENOENT', 'truncate', 'no', 0);
      await c.ok('open', 1, 'f', O.RDONLY, 0);
      await c.fails('EINVAL', 'ftruncate', 1, 5);
      await c.fails('EFBIG', 'truncate', 'f', 2 ** 52 * 512);
    },
  },
  {
    name: 'holes: SEEK_DATA and SEEK_HOLE, sparse blocks, punching',
    async run(c) {
      await c.ok('open', 1, 'f', O.RDWR | O.CREAT, 0o644);
      await c.ok('write', 1, 1 << 20, 65_536, 1);
      await c.ok('write', 1, 4 << 20, 65_536, 2);
      await c.ok('fsync', 1);
      for (const at of [0, 1 << 20, (1 << 20) + 70_000, 4 << 20]) {
        await c.ok('seek', 1, at, SEEK.DATA);
        await c.ok('seek', 1, at, SEEK.HOLE);
      }
      await c.fails('ENXIO', 'seek', 1, 5 << 20, SEEK.DATA);
      await c.fails('ENXIO', 'seek', 1, 5 << 20, SEEK.HOLE);
      const before = await c.stat('f');
      c.check('blocks are sparse', before.blocks * 512 < 1 << 20);
      await c.ok('fallocate', 1, FALLOC.PUNCH, 1 << 20, 65_536);
      await c.ok('seek', 1, 0, SEEK.DATA);
      const after = await c.stat('f');
      c.check('punching gives blocks back', after.blocks < before.blocks);
      await c.ok('read', 1, 0, 5 << 20);
    },
  },
  {
    name: 'fallocate: allocate, keep size, punch, zero',
    async run(c) {
      await c.ok('open', 1, 'f', O.RDWR | O.CREAT, 0o644);
      await c.ok('write', 1, 0, 300_000, 5);
      await c.ok('fallocate', 1, FALLOC.ALLOCATE, 290_000, 20_000);
      await c.fstat(1);
      await c.ok('fallocate', 1, FALLOC.KEEP_SIZE, 0, 1_000_000);
      await c.fstat(1);
      await c.ok('fallocate', 1, FALLOC.PUNCH, 10_000, 50_001);
      await c.ok('read', 1, 0, 400_000);
      await c.see('fallocate', 1, FALLOC.ZERO, 100_001, 33_333);
      await c.ok('read', 1, 0, 400_000);
      await c.see('fallocate', 1, FALLOC.ZERO, 300_000, 50_000);
      await c.see('fallocate', 1, FALLOC.ZERO_KEEP, 340_000, 50_000);
      await c.fstat(1);
      await c.fails('EINVAL', 'fallocate', 1, FALLOC.ALLOCATE, 0, 0);
      await c.fails('EINVAL', 'fallocate', 1, FALLOC.ALLOCATE, -1, 10);
      await c.fails('EOPNOTSUPP', 'fallocate', 1, 2, 0, 10);
      await c.ok('open', 2, 'f', O.RDONLY, 0);
      await c.fails('EBADF', 'fallocate', 2, FALLOC.ALLOCATE, 0, 10);
    },
  },
  {
    name: 'copy_file_range and sendfile between files and within one',
    async run(c) {
      await c.file('a', 500_000, 0o644, 11);
      await c.ok('open', 1, 'a', O.RDWR, 0);
      await c.ok('open', 2, 'b', O.RDWR | O.CREAT, 0o644);
      const { atime } = await c.fstat(2);
      await c.ok('copyrange', 1, 1000, 2, 0, 300_000);
      c.check('a copy does not read what it makes', (await c.fstat(2)).atime === atime);
      await c.ok('copyrange', 1, 499_000, 2, 600_000, 10_000);
      await c.ok('copyrange', 1, 600_000, 2, 0, 10);
      await c.content('b');
      await c.ok('copyrange', 1, 0, 1, 200_000, 100_000);
      await c.fails('EINVAL', 'copyrange', 1, 0, 1, 50_000, 100_000);
      await c.content('a');
      await c.ok('seek', 2, 0, SEEK.SET);
      await c.ok('sendfile', 2, 1, 5, 70_000);
      await c.content('b');
      await c.ok('open', 3, 'b', O.RDONLY, 0);
      await c.fails('EBADF', 'copyrange', 1, 0, 3, 0, 10);
      await c.ok('open', 4, 'b', O.WRONLY | O.APPEND, 0);
      await c.fails('EBADF', 'copyrange', 1, 0, 4, 0, 10);
    },
  },
  {
    name: 'shared mappings and writes see each other, across descriptors and processes',
    async run(c) {
      await c.file('f', 200_000, 0o644, 3);
      await c.ok('open', 1, 'f', O.RDWR, 0);
      await c.ok('map', 1, 1, 200_000, PROT.READ | PROT.WRITE, MAP.SHARED);
      await c.ok('mapread', 1, 100, 5000);
      await c.ok('mapwrite', 1, 4000, 70_000, 9);
      await c.ok('read', 1, 0, 200_000);
      await c.ok('write', 1, 60_000, 5_000, 10);
      await c.ok('mapread', 1, 0, 200_000);
      const other = await c.other();
      await other.ok('open', 1, 'f', O.RDWR, 0);
      await other.ok('read', 1, 0, 200_000);
      await other.ok('map', 2, 1, 200_000, PROT.READ | PROT.WRITE, MAP.SHARED);
      await other.ok('mapwrite', 2, 0, 100, 12);
      await c.ok('mapread', 1, 0, 200);
      await c.ok('mapsync', 1);
      await c.ok('unmap', 1);
      await other.ok('unmap', 2);
      await c.content('f');
      await c.ok('map', 3, 1, 4096, PROT.READ | PROT.WRITE, MAP.PRIVATE);
      await c.ok('mapwrite', 3, 0, 4096, 77);
      await c.content('f');
      await c.ok('open', 5, 'f', O.RDONLY, 0);
      await c.fails('EACCES', 'map', 4, 5, 4096, PROT.READ | PROT.WRITE, MAP.SHARED);
    },
  },
  {
    name: 'a shared mapping of an unlinked file keeps working',
    async run(c) {
      await c.file('f', 10_000, 0o644, 3);
      await c.ok('open', 1, 'f', O.RDWR, 0);
      await c.ok('map', 1, 1, 10_000, PROT.READ | PROT.WRITE, MAP.SHARED);
      await c.ok('unlink', 'f');
      await c.ok('close', 1);
      await c.ok('mapwrite', 1, 0, 5000, 4);
      await c.ok('mapread', 1, 0, 10_000);
      await c.ok('mapsync', 1);
      await c.ok('unmap', 1);
      await c.ok('list', '.');
    },
  },
  {
    name: 'a file above 4 GiB: sparse writes, reads, sizes, truncation across the boundary',
    async run(c) {
      await c.ok('open', 1, 'big', O.RDWR | O.CREAT, 0o644);
      await c.ok('write', 1, 5 * GiB + 12_345, 100_000, 21);
      await c.ok('write', 1, 4 * GiB - 50, 100, 22);
      await c.ok('write', 1, 2 * GiB - 50, 100, 23);
      const st = await c.stat('big');
      c.check('size', st.size === 5 * GiB + 112_345);
      await c.ok('read', 1, 5 * GiB, 200_000);
      await c.ok('read', 1, 4 * GiB - 100, 200);
      await c.ok('read', 1, 2 * GiB - 100, 200);
      await c.ok('seek', 1, 3 * GiB, SEEK.DATA);
      await c.ok('truncate', 'big', 4 * GiB + 7);
      await c.ok('read', 1, 4 * GiB - 100, 200);
      await c.ok('truncate', 'big', 6 * GiB);
      await c.ok('read', 1, 5 * GiB + 12_345, 64);
      await c.ok('unlink', 'big');
    },
  },
  {
    name: 'several descriptors, one file: sizes and content agree at once',
    async run(c) {
      const other = await c.other();
      await c.ok('open', 1, 'f', O.RDWR | O.CREAT, 0o644);
      await other.ok('open', 1, 'f', O.RDWR, 0);
      for (let i = 0; i < 20; i++) {
        await c.ok('write', 1, i * 1000, 1500, i + 1);
        await other.fstat(1);
        await other.ok('read', 1, 0, 100_000);
        await other.ok('ftruncate', 1, i * 1000 + 700);
        await c.fstat(1);
        await c.ok('read', 1, 0, 100_000);
      }
    },
  },
];
