/** Names: creating, removing, renaming, linking, listing. */
import { O, RENAME, S } from '../../helpers/constants.js';
import type { Case } from './case.js';

const long = 'n'.repeat(255);

export const nameCases: Case[] = [
  {
    name: 'mkdir and rmdir: results and errnos',
    async run(c) {
      await c.ok('mkdir', 'd', 0o755);
      await c.stat('d');
      await c.fails('EEXIST', 'mkdir', 'd', 0o755);
      await c.fails('ENOENT', 'mkdir', 'no/d', 0o755);
      await c.file('f');
      await c.fails('EEXIST', 'mkdir', 'f', 0o755);
      await c.fails('ENOTDIR', 'mkdir', 'f/d', 0o755);
      await c.fails('ENOTDIR', 'rmdir', 'f');
      await c.fails('ENOENT', 'rmdir', 'no');
      await c.ok('mkdir', 'd/e', 0o700);
      await c.stat('d');
      await c.fails('ENOTEMPTY', 'rmdir', 'd');
      await c.fails('EINVAL', 'rmdir', 'd/.');
      await c.fails('ENOTEMPTY', 'rmdir', 'd/e/..');
      await c.ok('rmdir', 'd/e');
      await c.stat('d');
      await c.ok('rmdir', 'd');
      await c.fails('ENOENT', 'stat', 'd');
    },
  },
  {
    name: 'unlink: results and errnos',
    async run(c) {
      await c.file('f', 10);
      await c.ok('mkdir', 'd', 0o755);
      await c.fails('EISDIR', 'unlink', 'd');
      await c.fails('ENOENT', 'unlink', 'no');
      await c.fails('ENOTDIR', 'unlink', 'f/x');
      await c.ok('unlink', 'f');
      await c.fails('ENOENT', 'unlink', 'f');
      await c.fails('ENOENT', 'stat', 'f');
    },
  },
  {
    name: 'open with O_CREAT, O_EXCL, O_TRUNC, O_DIRECTORY, O_NOFOLLOW',
    async run(c) {
      await c.fails('ENOENT', 'open', 1, 'f', O.RDWR, 0);
      await c.ok('open', 1, 'f', O.RDWR | O.CREAT | O.EXCL, 0o640);
      await c.stat('f');
      await c.fails('EEXIST', 'open', 2, 'f', O.RDWR | O.CREAT | O.EXCL, 0o640);
      await c.ok('write', 1, 0, 100, 3);
      await c.ok('open', 2, 'f', O.RDWR | O.TRUNC, 0);
      await c.stat('f');
      await c.fails('ENOTDIR', 'open', 3, 'f', O.RDONLY | O.DIRECTORY, 0);
      await c.ok('mkdir', 'd', 0o755);
      await c.fails('EISDIR', 'open', 3, 'd', O.RDWR, 0);
      await c.fails('EISDIR', 'open', 3, 'd', O.RDWR | O.CREAT, 0o644);
      await c.ok('symlink', 'f', 'l');
      await c.fails('ELOOP', 'open', 3, 'l', O.RDONLY | O.NOFOLLOW, 0);
      await c.fails('EEXIST', 'open', 3, 'l', O.RDWR | O.CREAT | O.EXCL, 0o644);
      await c.ok('open', 3, 'l', O.RDWR, 0);
      await c.ok('symlink', 'made', 'dangling');
      await c.ok('open', 4, 'dangling', O.RDWR | O.CREAT, 0o600);
      await c.stat('made');
      await c.fails('ENOTDIR', 'open', 5, 'f/', O.RDONLY, 0);
      await c.fails('EISDIR', 'open', 5, 'new/', O.RDWR | O.CREAT, 0o644);
      await c.ok('list', '.');
    },
  },
  {
    name: 'names of 255 bytes are kept, of 256 refused; a path of 4096 is too long',
    async run(c) {
      await c.file(long, 5);
      await c.stat(long);
      await c.fails('ENAMETOOLONG', 'stat', `${long}x`);
      await c.fails('ENAMETOOLONG', 'open', 1, `${long}x`, O.RDWR | O.CREAT, 0o644);
      await c.fails('ENAMETOOLONG', 'mkdir', `${long}x`, 0o755);
      await c.fails('ENAMETOOLONG', 'symlink', 'a', `${long}x`);
      await c.fails('ENAMETOOLONG', 'mknod', `${long}x`, S.FIFO | 0o644, 0, 0);
      await c.fails('ENAMETOOLONG', 'link', long, `${long}x`);
      await c.fails('ENAMETOOLONG', 'rename', long, `${long}x`, 0);
      await c.fails('ENAMETOOLONG', 'unlink', `${long}x`);
      await c.fails('ENAMETOOLONG', 'stat', 'a/'.repeat(2048) + 'b');
      await c.ok('rename', long, 'm'.repeat(255), 0);
      await c.ok('list', '.');
    },
  },
  {
    name: 'names that are not UTF-8, with newlines, spaces, controls and backslashes',
    async run(c) {
      const names = [Buffer.from([0xff, 0xfe, 0x80]), Buffer.from('a\nb\tc'), Buffer.from([0xc3, 0x28]), Buffer.from(' lead'), Buffer.from('back\\slash'),
        Buffer.from('é'), Buffer.from('e\u0301'), Buffer.from([1, 2, 3]), Buffer.from('日本語'), Buffer.alloc(255, 0xe9)];
      for (const name of names) await c.file(name, 3);
      await c.ok('list', '.');
      for (const name of names) await c.stat(name);
      await c.ok('rename', names[0]!, Buffer.from([0x81, 0x82]), 0);
      await c.ok('symlink', Buffer.from([0xff, 0x2f, 0xfe]), Buffer.from([0xfd]));
      await c.ok('readlink', Buffer.from([0xfd]));
      for (const name of names.slice(1)) await c.ok('unlink', name);
      await c.ok('list', '.');
    },
  },
  {
    name: 'rename: over nothing, files, directories, itself and its own links',
    async run(c) {
      await c.file('a', 1);
      await c.ok('rename', 'a', 'b', 0);
      await c.file('a', 2, 0o600);
      await c.ok('rename', 'a', 'b', 0);
      await c.stat('b');
      await c.ok('rename', 'b', 'b', 0);
      await c.ok('link', 'b', 'b2');
      await c.ok('rename', 'b', 'b2', 0); // two links of one file: nothing happens
      await c.ok('list', '.');
      await c.ok('mkdir', 'd', 0o755);
      await c.ok('mkdir', 'e', 0o755);
      await c.ok('mkdir', 'd/s', 0o755);
      await c.fails('EINVAL', 'rename', 'd', 'd/s/t', 0);
      await c.fails('EISDIR', 'rename', 'b', 'd', 0);
      await c.fails('ENOTDIR', 'rename', 'd', 'b', 0);
      await c.fails('ENOTEMPTY', 'rename', 'e', 'd', 0);
      await c.fails('ENOTEMPTY', 'rename', 'd/s', 'd', 0);
      await c.fails('ENOENT', 'rename', 'no', 'x', 0);
      await c.fails('ENOENT', 'rename', 'b', 'no/x', 0);
      await c.ok('rename', 'd', 'e', 0);
      await c.stat('e');
      await c.ok('rename', 'e/s', 's', 0);
      await c.stat('e');
      await c.stat('.');
      await c.ok('list', '.');
    },
  },
  {
    name: 'rename with RENAME_NOREPLACE and RENAME_EXCHANGE',
    async run(c) {
      await c.file('a', 1);
      await c.file('b', 2);
      await c.ok('mkdir', 'd', 0o700);
      await c.file('d/in', 3);
      await c.fails('EEXIST', 'rename', 'a', 'b', RENAME.NOREPLACE);
      await c.fails('EEXIST', 'rename', 'a', 'a', RENAME.NOREPLACE);
      await c.ok('rename', 'a', 'c', RENAME.NOREPLACE);
      await c.fails('ENOENT', 'rename', 'c', 'no', RENAME.EXCHANGE);
      await c.fails('EINVAL', 'rename', 'c', 'b', RENAME.EXCHANGE | RENAME.NOREPLACE);
      await c.ok('rename', 'c', 'b', RENAME.EXCHANGE);
      await c.stat('c');
      await c.stat('b');
      await c.ok('rename', 'b', 'd', RENAME.EXCHANGE);
      await c.stat('b');
      await c.stat('d');
      await c.stat('b/in');
      await c.fails('EINVAL', 'rename', 'b', 'b/in', RENAME.EXCHANGE);
      await c.ok('rename', 'b/in', 'c', RENAME.EXCHANGE);
      await c.ok('list', '.');
      await c.ok('list', 'b');
      await c.stat('c');
      await c.stat('b/in');
    },
  },
  {
    name: 'rename over and of open files: descriptors keep what they opened',
    async run(c) {
      await c.file('a', 100, 0o644, 1);
      await c.file('b', 200, 0o644, 2);
      await c.ok('open', 1, 'a', O.RDWR, 0);
      await c.ok('open', 2, 'b', O.RDWR, 0);
      await c.ok('rename', 'a', 'b', 0);
      await c.ok('read', 1, 0, 300);
      await c.ok('read', 2, 0, 300);
      await c.fstat(2);
      await c.ok('write', 1, 50, 100, 3);
      await c.ok('write', 2, 0, 10, 4);
      await c.ok('read', 2, 0, 300);
      await c.content('b');
      await c.ok('ftruncate', 2, 7);
      await c.fstat(2);
      await c.stat('b');
    },
  },
  {
    name: 'hard links: counts, content, owner and mode are shared',
    async run(c) {
      await c.file('a', 10);
      await c.ok('link', 'a', 'b');
      await c.ok('mkdir', 'd', 0o755);
      await c.ok('link', 'b', 'd/c');
      const [a, b] = [await c.stat('a'), await c.stat('d/c')];
      c.check('links have one inode number', a.ino === b.ino);
      await c.ok('chmod', 'd/c', 0o600);
      await c.stat('a');
      await c.ok('truncate', 'b', 3);
      await c.stat('a');
      await c.ok('unlink', 'a');
      await c.stat('b');
      await c.ok('unlink', 'd/c');
      await c.stat('b');
      await c.fails('EEXIST', 'link', 'b', 'b');
      await c.fails('ENOENT', 'link', 'no', 'x');
      await c.fails('EPERM', 'link', 'd', 'x');
      await c.ok('symlink', 'b', 's');
      await c.ok('link', 's', 's2');
      await c.ok('readlink', 's2');
      await c.stat('s2');
    },
  },
  {
    name: 'symlinks: targets are bytes, loops are ELOOP, chains are followed',
    async run(c) {
      await c.ok('symlink', 'x/../y//z', 'l');
      await c.ok('readlink', 'l');
      const st = await c.stat('l');
      c.check('size of a symlink is its target\'s length', st.size === 9);
      await c.ok('symlink', 'loop', 'loop');
      await c.fails('ELOOP', 'open', 1, 'loop', O.RDONLY, 0);
      await c.fails('ELOOP', 'statfollow', 'loop');
      await c.ok('symlink', 't'.repeat(4000), 'far');
      await c.ok('readlink', 'far');
      await c.fails('ENOENT', 'symlink', '', 'empty');
      await c.fails('EINVAL', 'readlink', '.');
      await c.file('f', 4);
      await c.ok('symlink', 'f', 'l0');
      for (let i = 0; i < 12; i++) await c.ok('symlink', `l${i}`, `l${i + 1}`);
      await c.content('l12');
      await c.fails('EEXIST', 'symlink', 'f', 'l0');
      await c.ok('symlink', '.', 'here');
      await c.content('here/here/here/f');
      await c.ok('unlink', 'l');
    },
  },
  {
    name: 'special files: fifo, socket, devices, whiteout, mknod of a regular file',
    async run(c) {
      await c.ok('mknod', 'fifo', S.FIFO | 0o640, 0, 0);
      await c.ok('mknod', 'null', S.CHR | 0o666, 1, 3);
      await c.ok('mknod', 'big', S.CHR | 0o600, 4000, 1_000_000);
      await c.ok('mknod', 'disk', S.BLK | 0o660, 7, 200);
      await c.ok('mknod', 'white', S.CHR | 0o600, 0, 0);
      await c.ok('mknod', 'sock', S.SOCK | 0o700, 0, 0);
      await c.ok('mknod', 'reg', S.REG | 0o604, 0, 0);
      await c.ok('bind', 'bound');
      for (const name of ['fifo', 'null', 'big', 'disk', 'white', 'sock', 'reg', 'bound']) await c.stat(name);
      await c.fails('EEXIST', 'mknod', 'fifo', S.FIFO | 0o644, 0, 0);
      await c.ok('list', '.');
      await c.fails('ENXIO', 'open', 1, 'fifo', O.WRONLY | O.NONBLOCK, 0);
      await c.ok('open', 1, 'fifo', O.RDWR, 0);
      await c.ok('text', 1, 'through');
      await c.ok('read', 1, -1, 100);
      await c.fails('ENXIO', 'open', 2, 'sock', O.RDWR, 0);
      await c.ok('open', 2, 'null', O.RDWR, 0);
      await c.ok('text', 2, 'gone');
      await c.ok('link', 'fifo', 'fifo2');
      await c.stat('fifo');
      await c.ok('rename', 'null', 'nil', 0);
      await c.ok('unlink', 'disk');
      await c.ok('chmod', 'fifo', 0o600);
      await c.ok('chown', 'sock', 5, 6);
      await c.stat('fifo2');
      await c.stat('sock');
    },
  },
  {
    name: 'O_TMPFILE: nameless until linked, gone when closed',
    async run(c) {
      await c.ok('open', 1, '.', O.TMPFILE | O.RDWR, 0o640);
      await c.ok('write', 1, 0, 5000, 9);
      await c.fstat(1);
      await c.ok('list', '.');
      await c.ok('linkfd', 1, 'named');
      await c.fstat(1);
      await c.content('named');
      await c.ok('write', 1, 5000, 10, 9);
      await c.stat('named');
      await c.ok('open', 2, '.', O.TMPFILE | O.RDWR | O.EXCL, 0o600);
      await c.fails('ENOENT', 'linkfd', 2, 'never');
      await c.ok('close', 2);
      await c.fails('EINVAL', 'open', 3, '.', O.TMPFILE | O.RDONLY, 0o600);
      await c.fails('ENOENT', 'open', 3, 'no', O.TMPFILE | O.RDWR, 0o600);
      await c.ok('open', 3, '.', O.TMPFILE | O.RDWR, 0o600);
      await c.fails('EEXIST', 'linkfd', 3, 'named');
      await c.ok('list', '.');
    },
  },
  {
    name: 'unlinked open files live on: read, write, truncate, stat, attributes',
    async run(c) {
      await c.file('f', 1000, 0o644, 4);
      await c.ok('open', 1, 'f', O.RDWR, 0);
      await c.ok('unlink', 'f');
      await c.fstat(1);
      await c.ok('read', 1, 0, 2000);
      await c.ok('write', 1, 900, 500, 5);
      await c.ok('read', 1, 0, 2000);
      await c.ok('ftruncate', 1, 100);
      await c.ok('fchmod', 1, 0o600);
      await c.ok('fchown', 1, 12, 13);
      await c.ok('futimens', 1, '1000000001', '2000000002');
      await c.fstat(1);
      await c.ok('fsync', 1);
      await c.file('f', 3);
      await c.stat('f');
      await c.ok('close', 1);
      await c.content('f');
    },
  },
  {
    name: 'a directory that is open or a process\'s own can be removed',
    async run(c) {
      await c.ok('mkdir', 'd', 0o755);
      const other = await c.other();
      await other.ok('base', 'd');
      await c.ok('rmdir', 'd');
      await other.fails('ENOENT', 'open', 1, 'x', O.RDWR | O.CREAT, 0o644);
      await other.fails('ENOENT', 'mkdir', 'x', 0o755);
      await other.ok('list', '.');
      await c.ok('list', '.');
    },
  },
  {
    name: 'a listing has each name once with its type; . and .. are there',
    async run(c) {
      for (let i = 0; i < 300; i++) await c.quiet('mkdir', `dir-${i}`, 0o755);
      await c.ok('many', 'file-', 0, 700);
      await c.ok('list', '.');
      await c.ok('seekdir', '.', 7);
      await c.ok('mkdir', 'inner', 0o755);
      await c.ok('list', 'inner');
      await c.stat('.');
      await c.ok('mkdir', 'go', 0o755);
      await c.ok('many', 'go/x', 0, 1500);
      await c.ok('emptydir', 'go');
      await c.ok('rmdir', 'go');
    },
  },
];
