/** Reading what is there: the same on a plain directory, the live mount and a view of it. */
import { ACCESS, MAP, O, PROT, S, SEEK } from '../../helpers/constants.js';
import { alice, bob, team, type Case } from './case.js';

export const viewCases: Case[] = [
  {
    name: 'reading names, attributes and targets of every kind of object',
    async run(c) {
      await c.ok('mkdir', 'd', 0o2775);
      await c.file('d/f', 70_000, 0o640, 3);
      await c.ok('link', 'd/f', 'hard');
      await c.ok('chown', 'd/f', alice, team);
      await c.ok('symlink', 'd/f', 'l');
      await c.ok('symlink', 'l', 'l2');
      await c.ok('symlink', 'loop', 'loop');
      await c.ok('symlink', 'nowhere', 'dangling');
      await c.ok('mknod', 'fifo', S.FIFO | 0o640, 0, 0);
      await c.ok('mknod', 'null', S.CHR | 0o666, 1, 3);
      await c.ok('bind', 'sock');
      await c.file(Buffer.from([0xff, 0x0a, 0x80]), 3);
      await c.ok('setxattr', 'd/f', 'user.a', 'b', 0);
      await c.ok('setxattr', 'd', 'user.long', 'v'.repeat(2000), 0);
      await c.ok('setxattr', 'hard', 'trusted.t', 'x', 0);
      for (let i = 0; i < 500; i++) await c.quiet('symlink', `target ${i}`, `d/entry-${i}`);
      await c.ok('utimens', 'd/f', 1_234_567_890_123_456_789n, -5n);
    },
    async look(c) {
      for (const name of ['.', 'd', 'd/f', 'hard', 'l', 'l2', 'loop', 'dangling', 'fifo', 'null', 'sock', Buffer.from([0xff, 0x0a, 0x80]), 'd/entry-77']) {
        await c.stat(name);
        for (const op of ['readlink', 'listxattr', 'list'] as const) await c.see(op, name);
        for (const attribute of ['user.a', 'user.long', 'trusted.t', 'user.none']) await c.see('getxattr', name, attribute);
        // A view is mounted nodev: its devices are not opened.
        if (name !== 'null') await c.see('open', 1, name, O.RDONLY | O.NONBLOCK | O.NOFOLLOW, 0);
        for (const flags of [O.RDONLY | O.DIRECTORY, O.PATH]) await c.see('open', 1, name, flags, 0);
        const reply = await c.trial('statfollow', name);
        c.note('statfollow', [name], { error: reply.error, text: '' });
      }
      const [one, two] = [await c.stat('d/f'), await c.stat('hard')];
      c.check('hard links are one object', one.ino === two.ino && one.mtime === -5n && one.atime === 1_234_567_890_123_456_789n);
      await c.ok('seekdir', 'd', 7);
      await c.fails('ERANGE', 'getxattr', 'd', 'user.long', 10);
      await c.fails('ERANGE', 'listxattr', 'd', 1);
      for (const [op, path] of [['stat', 'missing'], ['stat', 'd/f/x'], ['stat', 'n'.repeat(256)], ['statfollow', 'loop/x'], ['list', 'd/f'], ['readlink', 'd'], ['statfollow', ''], ['stat', 'd/f/']] as const) await c.see(op, path);
    },
  },
  {
    name: 'reading content: offsets, holes, mappings, above 4 GiB',
    async run(c) {
      await c.ok('open', 1, 'f', O.RDWR | O.CREAT, 0o644);
      await c.ok('write', 1, 0, 200_001, 1);
      await c.ok('open', 2, 'holes', O.RDWR | O.CREAT, 0o644);
      await c.ok('write', 2, 1 << 20, 65_536, 2);
      await c.ok('write', 2, 5 * 2 ** 30, 1000, 3);
      await c.ok('open', 3, 'empty', O.RDWR | O.CREAT, 0o644);
      await c.ok('fsync', 2);
      await c.ok('close', 1);
      await c.ok('close', 2);
      await c.ok('close', 3);
    },
    async look(c) {
      await c.ok('open', 1, 'f', O.RDONLY, 0);
      for (const [at, bytes] of [[0, 10], [0, 300_000], [65_530, 12], [131_072, 4096], [200_000, 10], [200_001, 10], [900_000, 10]] as const) await c.ok('read', 1, at, bytes);
      await c.ok('map', 1, 1, 200_001, PROT.READ, MAP.SHARED);
      await c.ok('mapread', 1, 60_000, 100_000);
      await c.ok('map', 2, 1, 200_001, PROT.READ | PROT.WRITE, MAP.PRIVATE);
      await c.ok('mapwrite', 2, 5, 70_000, 9);
      await c.ok('read', 1, 0, 100_000);
      await c.ok('touchmap', 1, 48 * 4096 + 3500);
      await c.fails('EBADF', 'write', 1, 0, 1, 1);
      await c.ok('seek', 1, 0, SEEK.END);
      await c.ok('open', 2, 'holes', O.RDONLY, 0);
      for (const at of [0, 1 << 20, (1 << 20) + 65_536]) for (const whence of [SEEK.DATA, SEEK.HOLE]) await c.ok('seek', 2, at, whence);
      await c.fails('ENXIO', 'seek', 2, 6 * 2 ** 30, SEEK.DATA);
      await c.ok('read', 2, (1 << 20) - 100, 70_000);
      await c.ok('read', 2, 5 * 2 ** 30 - 10, 5000);
      const st = await c.stat('holes');
      c.check('holes take no room', st.blocks * 512 < 1 << 20);
      await c.ok('open', 3, 'empty', O.RDONLY, 0);
      await c.ok('read', 3, 0, 10);
      await c.ok('flock', 3, 5);
      await c.ok('lock', 3, 'read', 0, 10);
      await c.fails('EBADF', 'lock', 3, 'write', 0, 10);
    },
  },
  {
    name: 'reading by rights: modes, groups, ACLs, closed directories',
    async run(c) {
      await c.ok('mkdir', 'd', 0o755);
      for (const mode of [0o400, 0o040, 0o004, 0o440, 0o444, 0o000, 0o640]) {
        await c.file(`d/${mode}`, 5, 0o600);
        await c.ok('chown', `d/${mode}`, alice, team);
        await c.ok('chmod', `d/${mode}`, mode);
      }
      for (const mode of [0o700, 0o710, 0o750, 0o751, 0o744]) {
        await c.ok('mkdir', `c${mode}`, 0o700);
        await c.file(`c${mode}/in`, 5, 0o644);
        await c.ok('chown', `c${mode}`, alice, team);
        await c.ok('chmod', `c${mode}`, mode);
      }
      await c.file('acl', 5, 0o600);
      const entry = (tag: number, perm: number, id = 0xffffffff): number[] => [tag, 0, perm, 0, id & 255, (id >> 8) & 255, (id >> 16) & 255, (id >>> 24) & 255];
      await c.ok('setxattr', 'acl', 'system.posix_acl_access', Buffer.from([2, 0, 0, 0, ...entry(1, 6), ...entry(2, 4, alice), ...entry(4, 0), ...entry(8, 4, team), ...entry(16, 4), ...entry(32, 0)]), 0);
    },
    async look(c) {
      for (const [uid, gid, ...groups] of [[0, 0], [alice, alice], [bob, team], [bob, bob, team], [bob, bob]] as const) {
        await c.as(uid, gid, ...groups);
        for (const mode of [0o400, 0o040, 0o004, 0o440, 0o444, 0o000, 0o640]) {
          await c.see('open', 1, `d/${mode}`, O.RDONLY, 0);
          await c.see('access', `d/${mode}`, ACCESS.R);
        }
        for (const mode of [0o700, 0o710, 0o750, 0o751, 0o744]) {
          await c.see('list', `c${mode}`);
          await c.see('open', 1, `c${mode}/in`, O.RDONLY, 0);
          await c.see('access', `c${mode}`, ACCESS.X);
        }
        await c.see('open', 1, 'acl', O.RDONLY, 0);
        await c.see('getxattr', 'acl', 'system.posix_acl_access');
      }
    },
  },
];
