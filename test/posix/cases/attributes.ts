/** Attributes: mode, owner, times, extended attributes, the file system. */
import { O, S, XATTR } from '../../helpers/constants.js';
import type { Case } from './case.js';

const second = 1_000_000_000n;
/** A POSIX ACL as the kernel takes it: version 2, then (tag, perm, id) entries. */
function acl(entries: [tag: number, perm: number, id?: number][]): Buffer {
  const out = Buffer.alloc(4 + entries.length * 8);
  out.writeUInt32LE(2, 0);
  entries.forEach(([tag, perm, id], i) => {
    out.writeUInt16LE(tag, 4 + i * 8);
    out.writeUInt16LE(perm, 6 + i * 8);
    out.writeUInt32LE(id ?? 0xffffffff, 8 + i * 8);
  });
  return out;
}
const ACL = { USER_OBJ: 1, USER: 2, GROUP_OBJ: 4, GROUP: 8, MASK: 16, OTHER: 32 };
const accessAcl = acl([[ACL.USER_OBJ, 6], [ACL.USER, 6, 1000], [ACL.GROUP_OBJ, 4], [ACL.MASK, 6], [ACL.OTHER, 0]]);
const defaultAcl = acl([[ACL.USER_OBJ, 7], [ACL.USER, 7, 1000], [ACL.GROUP_OBJ, 5], [ACL.GROUP, 7, 2000], [ACL.MASK, 7], [ACL.OTHER, 0]]);

export const attributeCases: Case[] = [
  {
    name: 'chmod and chown: every bit, by path and descriptor, on every type',
    async run(c) {
      await c.file('f');
      for (const mode of [0, 0o777, 0o4755, 0o2755, 0o1777, 0o7777, 0o600]) {
        await c.ok('chmod', 'f', mode);
        await c.stat('f');
      }
      await c.ok('chown', 'f', 1000, 1001);
      await c.stat('f');
      await c.ok('chown', 'f', -1, 1002);
      await c.stat('f');
      await c.ok('chown', 'f', 1003, -1);
      await c.stat('f');
      await c.ok('mkdir', 'd', 0o755);
      await c.ok('chmod', 'd', 0o3770);
      await c.ok('chown', 'd', 7, 8);
      await c.stat('d');
      await c.ok('symlink', 'f', 'l');
      await c.ok('chown', 'l', 9, 10);
      await c.stat('l');
      await c.ok('chmod', 'l', 0o640);
      await c.stat('f');
      await c.ok('open', 1, 'f', O.RDONLY, 0);
      await c.ok('fchmod', 1, 0o604);
      await c.ok('fchown', 1, 11, 12);
      await c.fstat(1);
      await c.fails('ENOENT', 'chmod', 'no', 0o644);
      await c.fails('ENOENT', 'chown', 'no', 1, 1);
      await c.ok('chown', 'f', 4_000_000_000, 4_000_000_001);
      await c.stat('f');
    },
  },
  {
    name: 'setuid and setgid are cleared by chown, write, truncate and fallocate of others',
    async run(c) {
      const fresh = async (mode: number): Promise<void> => {
        await c.as(0);
        await c.file('f', 100, 0o644);
        await c.ok('chown', 'f', 1000, 1000);
        await c.ok('chmod', 'f', mode);
      };
      for (const mode of [0o6777, 0o4777, 0o2777, 0o2767]) {
        await fresh(mode);
        await c.ok('chown', 'f', 1000, 1000);
        await c.stat('f');
        await fresh(mode);
        await c.as(1001);
        await c.ok('open', 1, 'f', O.RDWR, 0);
        await c.ok('write', 1, 0, 10, 1);
        await c.stat('f');
        await fresh(mode);
        await c.as(1001);
        await c.ok('truncate', 'f', 10);
        await c.stat('f');
        await fresh(mode);
        await c.as(1001);
        await c.ok('open', 1, 'f', O.RDWR | O.TRUNC, 0);
        await c.stat('f');
        await fresh(mode);
        await c.as(1001);
        await c.ok('open', 1, 'f', O.RDWR, 0);
        await c.ok('fallocate', 1, 0, 0, 5000);
        await c.stat('f');
        await fresh(mode);
        await c.ok('open', 1, 'f', O.RDWR, 0);
        await c.ok('write', 1, 0, 10, 1); // root may: CAP_FSETID keeps them
        await c.stat('f');
      }
    },
  },
  {
    name: 'setgid of a file that its group may not execute stays when a member of the group changes it',
    async run(c) {
      await c.file('from', 100);
      await c.file('f', 100);
      await c.ok('chown', 'f', 1000, 1002);
      await c.ok('chmod', 'f', 0o2766);
      for (const [gid, group] of [[1002, 1001], [1001, 1002]] as const) {
        await c.as(1001, gid, group);
        await c.ok('open', 1, 'f', O.RDWR, 0);
        await c.ok('open', 2, 'from', O.RDONLY, 0);
        for (const [op, ...args] of [['write', 1, 0, 10, 1], ['fallocate', 1, 0, 0, 5000], ['copyrange', 2, 0, 1, 6000, 100], ['ftruncate', 1, 20]] as const) {
          await c.ok(op, ...args);
          await c.stat('f');
        }
      }
    },
  },
  {
    name: 'utimensat: nanoseconds, now, omit, before 1970, far future, on links and descriptors',
    async run(c) {
      await c.file('f', 1);
      const times = async (path: string): Promise<void> => {
        const st = await c.stat(path);
        c.check(`${path} ${st.atime} ${st.mtime}`, true);
      };
      await c.ok('utimens', 'f', 1_234_567_890_123_456_789n, 987_654_321_000_000_001n);
      await times('f');
      await c.ok('utimens', 'f', 'omit', 5n * second + 999_999_999n);
      await times('f');
      await c.ok('utimens', 'f', 7n, 'omit');
      await times('f');
      await c.ok('utimens', 'f', -1_000_000_001n, -1n);
      await times('f');
      await c.ok('utimens', 'f', 6_000_000_000n * second, 4_294_967_296n * second + 1n);
      await times('f');
      await c.ok('symlink', 'f', 'l');
      await c.ok('utimens', 'l', 1n * second, 2n * second);
      await times('l');
      await c.ok('open', 1, 'f', O.RDWR, 0);
      await c.ok('futimens', 1, 3n * second, 4n * second);
      await times('f');
      await c.ok('utimens', '.', 11n * second, 12n * second);
      await times('.');
      const before = BigInt(Date.now()) * 1_000_000n - 60n * second;
      await c.ok('utimens', 'f', 'now', 'now');
      const st = await c.stat('f');
      c.check('now is now', st.atime > before && st.mtime > before && st.ctime > before);
    },
  },
  {
    name: 'utimensat of others: owner, writer and stranger',
    async run(c) {
      await c.file('f', 1);
      await c.ok('chmod', 'f', 0o666);
      await c.ok('chown', 'f', 1000, 1000);
      await c.as(1001);
      await c.ok('utimens', 'f', 'now', 'now');
      await c.fails('EPERM', 'utimens', 'f', 1n, 2n);
      await c.fails('EPERM', 'utimens', 'f', 'now', 'omit');
      await c.as(0);
      await c.ok('chmod', 'f', 0o644);
      await c.as(1001);
      await c.fails('EACCES', 'utimens', 'f', 'now', 'now');
      await c.as(1000);
      await c.ok('utimens', 'f', 1n, 2n);
    },
  },
  {
    name: 'mtime and ctime move with what changes, and with nothing else',
    async run(c) {
      await c.ok('mkdir', 'd', 0o755);
      await c.file('d/f', 10);
      const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 15));
      const moved = async (what: string, path: string, act: () => Promise<unknown>): Promise<void> => {
        const before = await c.stat(path);
        await pause();
        await act();
        const after = await c.stat(path);
        c.check(`${what}: mtime moved ${after.mtime > before.mtime}, ctime moved ${after.ctime > before.ctime}`, true);
      };
      await moved('write moves the file', 'd/f', () => c.file('d/f', 20));
      await moved('write does not move the directory', 'd', () => c.file('d/f', 30));
      await moved('create moves the directory', 'd', () => c.file('d/g'));
      await moved('chmod', 'd/f', () => c.ok('chmod', 'd/f', 0o600));
      await moved('chown', 'd/f', () => c.ok('chown', 'd/f', 3, 3));
      await moved('setxattr', 'd/f', () => c.ok('setxattr', 'd/f', 'user.a', 'b', 0));
      await moved('link moves the file', 'd/f', () => c.ok('link', 'd/f', 'd/h'));
      await moved('unlink moves the other link', 'd/f', () => c.ok('unlink', 'd/h'));
      await moved('unlink moves the directory', 'd', () => c.ok('unlink', 'd/g'));
      await moved('rename moves the file', 'd/f', async () => {
        await c.ok('rename', 'd/f', 'd/x', 0);
        await c.ok('rename', 'd/x', 'd/f', 0);
      });
      await moved('rename moves the directory', 'd', () => c.ok('rename', 'd/f', 'd/y', 0));
      await moved('truncate to the same size', 'd/y', () => c.ok('truncate', 'd/y', 30));
      await moved('truncate', 'd/y', () => c.ok('truncate', 'd/y', 3));
      await moved('utimens', 'd/y', () => c.ok('utimens', 'd/y', 5n, 6n));
      await moved('reading', 'd/y', () => c.content('d/y'));
      await moved('empty write', 'd/y', async () => {
        await c.ok('open', 1, 'd/y', O.RDWR, 0);
        await c.ok('write', 1, 0, 0, 1);
      });
      await moved('fallocate', 'd/y', () => c.ok('fallocate', 1, 0, 0, 9000));
      await moved('opening with O_TRUNC', 'd/y', () => c.ok('open', 2, 'd/y', O.RDWR | O.TRUNC, 0));
      await moved('opening an empty file with O_TRUNC', 'd/y', () => c.ok('open', 2, 'd/y', O.RDWR | O.TRUNC, 0));
    },
  },
  {
    name: 'extended attributes: user namespace, flags, sizes, errnos',
    async run(c) {
      await c.file('f');
      await c.ok('setxattr', 'f', 'user.a', 'one', 0);
      await c.ok('getxattr', 'f', 'user.a');
      await c.fails('EEXIST', 'setxattr', 'f', 'user.a', 'two', XATTR.CREATE);
      await c.ok('setxattr', 'f', 'user.a', 'three', XATTR.REPLACE);
      await c.fails('ENODATA', 'setxattr', 'f', 'user.b', 'x', XATTR.REPLACE);
      await c.fails('ENODATA', 'getxattr', 'f', 'user.b');
      await c.ok('setxattr', 'f', 'user.empty', '', 0);
      await c.ok('getxattr', 'f', 'user.empty');
      await c.ok('setxattr', 'f', 'user.bytes', Buffer.from([0, 255, 10, 0]), 0);
      await c.ok('getxattr', 'f', 'user.bytes');
      await c.ok('setxattr', 'f', 'user.long', 'v'.repeat(3000), 0);
      await c.ok('getxattr', 'f', 'user.long', 0);
      await c.fails('ERANGE', 'getxattr', 'f', 'user.long', 10);
      await c.fails('ERANGE', 'listxattr', 'f', 3);
      await c.ok('listxattr', 'f');
      await c.ok('removexattr', 'f', 'user.a');
      await c.fails('ENODATA', 'removexattr', 'f', 'user.a');
      await c.ok('listxattr', 'f');
      await c.fails('EOPNOTSUPP', 'setxattr', 'f', 'bogus.x', 'y', 0);
      await c.fails('ERANGE', 'setxattr', 'f', `user.${'n'.repeat(256)}`, 'y', 0);
      await c.fails('E2BIG', 'setxattr', 'f', 'user.huge', Buffer.alloc(70_000), 0);
      await c.ok('mkdir', 'd', 0o755);
      await c.ok('setxattr', 'd', 'user.dir', 'yes', 0);
      await c.ok('listxattr', 'd');
      await c.ok('symlink', 'f', 'l');
      await c.fails('EPERM', 'setxattr', 'l', 'user.a', 'b', 0);
      await c.fails('ENOENT', 'setxattr', 'no', 'user.a', 'b', 0);
      await c.fails('ENOENT', 'listxattr', 'no');
      await c.ok('rename', 'f', 'g', 0);
      await c.ok('listxattr', 'g');
    },
  },
  {
    name: 'extended attributes: trusted and security namespaces, on links and special files, by rights',
    async run(c) {
      await c.file('f');
      await c.ok('setxattr', 'f', 'trusted.t', 'root', 0);
      await c.ok('setxattr', 'f', 'security.note', 'sec', 0);
      await c.ok('symlink', 'f', 'l');
      await c.ok('setxattr', 'l', 'trusted.link', 'on', 0);
      await c.ok('listxattr', 'l');
      await c.ok('mknod', 'p', S.FIFO | 0o666, 0, 0);
      await c.fails('EPERM', 'setxattr', 'p', 'user.a', 'b', 0);
      await c.ok('setxattr', 'p', 'trusted.a', 'b', 0);
      await c.ok('listxattr', 'f');
      await c.ok('setxattr', 'f', 'user.u', '1', 0);
      await c.ok('chmod', 'f', 0o644);
      await c.as(1000);
      await c.see('listxattr', 'f');
      await c.fails('EPERM', 'setxattr', 'f', 'trusted.t', 'x', 0);
      await c.fails('ENODATA', 'getxattr', 'f', 'trusted.t');
      await c.fails('EACCES', 'setxattr', 'f', 'user.u', '2', 0);
      await c.ok('getxattr', 'f', 'user.u');
      await c.as(0);
      await c.ok('chmod', 'f', 0o600);
      await c.as(1000);
      await c.fails('EACCES', 'getxattr', 'f', 'user.u');
    },
  },
  {
    name: 'POSIX ACLs: set, seen in the mode, enforced, changed by chmod, inherited',
    async run(c) {
      await c.file('f', 5, 0o640);
      await c.ok('setxattr', 'f', 'system.posix_acl_access', accessAcl, 0);
      await c.stat('f');
      await c.ok('getxattr', 'f', 'system.posix_acl_access');
      await c.ok('listxattr', 'f');
      await c.as(1000);
      await c.ok('open', 1, 'f', O.RDWR, 0);
      await c.as(1001);
      await c.fails('EACCES', 'open', 1, 'f', O.RDONLY, 0);
      await c.as(0);
      await c.ok('chmod', 'f', 0o600);
      await c.ok('getxattr', 'f', 'system.posix_acl_access');
      await c.as(1000);
      await c.fails('EACCES', 'open', 1, 'f', O.RDONLY, 0);
      await c.as(0);
      await c.ok('removexattr', 'f', 'system.posix_acl_access');
      await c.stat('f');
      await c.ok('mkdir', 'd', 0o755);
      await c.ok('setxattr', 'd', 'system.posix_acl_default', defaultAcl, 0);
      await c.stat('d');
      await c.file('d/f', 1, 0o666);
      await c.ok('umask', 0o077);
      await c.file('d/g', 1, 0o666);
      await c.ok('mkdir', 'd/e', 0o777);
      await c.ok('mknod', 'd/p', S.FIFO | 0o666, 0, 0);
      await c.ok('symlink', 'f', 'd/l');
      await c.ok('open', 5, 'd', O.TMPFILE | O.RDWR, 0o666);
      await c.fstat(5);
      await c.ok('linkfd', 5, 'd/t');
      for (const name of ['f', 'g', 'e', 'p', 'l', 't']) {
        await c.stat(`d/${name}`);
        await c.see('getxattr', `d/${name}`, 'system.posix_acl_access');
        await c.see('getxattr', `d/${name}`, 'system.posix_acl_default');
      }
      await c.fails('EACCES', 'setxattr', 'd/f', 'system.posix_acl_default', defaultAcl, 0);
      await c.fails('EOPNOTSUPP', 'setxattr', 'd/f', 'system.posix_acl_access', Buffer.from([9, 0, 0, 0]), 0);
      await c.as(1001);
      await c.fails('EPERM', 'setxattr', 'f', 'system.posix_acl_access', accessAcl, 0);
    },
  },
  {
    name: 'an access ACL set by an owner outside of the group clears setgid; a default ACL does not',
    async run(c) {
      await c.ok('mkdir', 'd', 0o700);
      await c.ok('chown', 'd', 1000, 2000);
      await c.ok('chmod', 'd', 0o2700);
      await c.as(1000);
      await c.ok('setxattr', 'd', 'system.posix_acl_default', defaultAcl, 0);
      await c.stat('d');
      await c.ok('setxattr', 'd', 'system.posix_acl_access', defaultAcl, 0);
      await c.stat('d');
    },
  },
  {
    name: 'chown of neither owner nor group: the owner loses setuid and setgid by it, others may not take them',
    async run(c) {
      await c.file('f', 5, 0o644);
      await c.ok('mknod', 'fifo', S.FIFO | 0o644, 0, 0);
      await c.ok('mknod', 'device', S.BLK | 0o644, 7, 77);
      await c.ok('mkdir', 'd', 0o755);
      for (const name of ['f', 'fifo', 'device', 'd']) {
        await c.ok('chown', name, 1000, 1000);
        for (const mode of [0o755, 0o4755, 0o2755, 0o2745, 0o6777]) {
          for (const who of [1001, 1000, 0]) {
            await c.as(0);
            await c.ok('chmod', name, mode);
            await c.as(who);
            await c.see('chown', name, -1, -1);
            await c.stat(name);
          }
        }
        await c.as(0);
      }
      // That somebody else may write to it gives no right to it.
      const other = await c.other();
      await other.ok('open', 1, 'f', O.RDWR, 0);
      await c.as(0);
      await c.ok('chmod', 'f', 0o4755);
      await c.as(1001);
      await c.see('chown', 'f', -1, -1);
      await c.stat('f');
      await other.ok('close', 1);
      await c.as(0);
      await c.ok('chmod', 'f', 0o4777);
      await c.as(1001);
      await c.ok('open', 1, 'f', O.RDWR, 0);
      await c.see('chown', 'f', -1, -1);
      await c.stat('f');
      await c.ok('write', 1, 0, 1, 1);
      await c.stat('f');
    },
  },
  {
    name: 'statfs is that of the file system below; birth time exists and is kept',
    async run(c) {
      await c.ok('statfs', '.');
      await c.file('f', 3);
      const before = await c.quiet('birth', 'f');
      await c.ok('chmod', 'f', 0o600);
      await c.ok('rename', 'f', 'g', 0);
      c.check('birth time stays', (await c.quiet('birth', 'g')) === before);
    },
  },
];
