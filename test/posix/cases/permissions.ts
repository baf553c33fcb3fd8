/** Rights: other users, groups, sticky and setgid directories, umask, ownership of what is made. */
import { ACCESS, O, S } from '../../helpers/constants.js';
import { alice, bob, team, type Case } from './case.js';

export const permissionCases: Case[] = [
  {
    name: 'new objects belong to who made them, with the umask applied once',
    async run(c) {
      await c.ok('chmod', '.', 0o777);
      for (const mask of [0o022, 0o077, 0o002, 0]) {
        await c.as(alice, team);
        await c.ok('umask', mask);
        await c.file(`f${mask}`, 1, 0o666);
        await c.ok('mkdir', `d${mask}`, 0o777);
        await c.ok('symlink', 'x', `l${mask}`);
        await c.ok('mknod', `p${mask}`, S.FIFO | 0o666, 0, 0);
        await c.ok('open', 5, '.', O.TMPFILE | O.RDWR, 0o666);
        await c.fstat(5);
        await c.ok('bind', `s${mask}`);
        for (const kind of ['f', 'd', 'l', 'p', 's']) await c.stat(`${kind}${mask}`);
        await c.as(0);
      }
    },
  },
  {
    name: 'the mode decides for owner, group and others',
    async run(c) {
      await c.ok('chmod', '.', 0o755);
      await c.file('f', 10, 0o644);
      await c.ok('chown', 'f', alice, team);
      const kinds: [number, number, number[]][] = [[alice, alice, []], [bob, team, []], [bob, bob, [team]], [bob, bob, []]];
      for (const mode of [0o400, 0o200, 0o040, 0o020, 0o004, 0o002, 0o640, 0o077, 0o111]) {
        await c.as(0);
        await c.ok('chmod', 'f', mode);
        for (const [uid, gid, groups] of kinds) {
          await c.as(uid, gid, ...groups);
          for (const access of [O.RDONLY, O.WRONLY, O.RDWR, O.WRONLY | O.TRUNC]) await c.see('open', 1, 'f', access, 0);
          for (const access of [ACCESS.R, ACCESS.W, ACCESS.X, ACCESS.F]) await c.see('access', 'f', access);
          await c.see('truncate', 'f', 5);
        }
      }
    },
  },
  {
    name: 'a directory\'s mode guards its names: search, read, write',
    async run(c) {
      await c.ok('mkdir', 'd', 0o755);
      await c.file('d/f', 1, 0o666);
      await c.ok('chown', 'd', alice, team);
      for (const mode of [0o700, 0o600, 0o500, 0o300, 0o100, 0o777, 0o555, 0o070]) {
        await c.as(0);
        await c.ok('chmod', 'd', mode);
        for (const uid of [alice, bob]) {
          await c.as(uid);
          await c.see('list', 'd');
          await c.see('open', 1, 'd/f', O.RDONLY, 0);
          await c.see('open', 1, `d/new${uid}${mode}`, O.RDWR | O.CREAT, 0o644);
          await c.see('mkdir', `d/dir${uid}${mode}`, 0o755);
          await c.see('symlink', 'x', `d/link${uid}${mode}`);
          await c.see('rename', 'd/f', 'd/g', 0);
          await c.see('rename', 'd/g', 'd/f', 0);
          await c.see('link', 'd/f', `d/hard${uid}${mode}`);
          await c.see('unlink', `d/link${uid}${mode}`);
          await c.see('rmdir', `d/dir${uid}${mode}`);
          await c.see('access', 'd', ACCESS.W);
        }
      }
      await c.as(0);
      await c.ok('list', 'd');
    },
  },
  {
    name: 'a sticky directory: only owners remove and rename',
    async run(c) {
      await c.ok('mkdir', 'd', 0o777);
      await c.ok('chmod', 'd', 0o1777);
      await c.as(alice);
      await c.file('d/a', 1);
      await c.ok('mkdir', 'd/ad', 0o755);
      await c.as(bob);
      await c.file('d/b', 1);
      await c.fails('EPERM', 'unlink', 'd/a');
      await c.fails('EPERM', 'rmdir', 'd/ad');
      await c.fails('EPERM', 'rename', 'd/a', 'd/x', 0);
      await c.fails('EPERM', 'rename', 'd/b', 'd/a', 0);
      await c.ok('rename', 'd/b', 'd/b2', 0);
      await c.ok('unlink', 'd/b2');
      await c.as(0);
      await c.ok('unlink', 'd/a');
    },
  },
  {
    name: 'a setgid directory hands its group down; setgid of a file needs its group',
    async run(c) {
      await c.ok('mkdir', 'd', 0o777);
      await c.ok('chown', 'd', 0, team);
      await c.ok('chmod', 'd', 0o2777);
      await c.as(alice);
      await c.file('d/f', 1, 0o2775);
      await c.ok('mkdir', 'd/e', 0o755);
      await c.ok('mkdir', 'd/e/g', 0o755);
      await c.ok('symlink', 'x', 'd/l');
      await c.ok('mknod', 'd/p', S.FIFO | 0o644, 0, 0);
      await c.ok('open', 5, 'd', O.TMPFILE | O.RDWR, 0o666);
      await c.fstat(5);
      for (const name of ['f', 'e', 'e/g', 'l', 'p']) await c.stat(`d/${name}`);
      await c.ok('chmod', 'd/f', 0o2755);
      await c.stat('d/f');
      await c.as(alice, alice, team);
      await c.ok('chmod', 'd/f', 0o2755);
      await c.stat('d/f');
    },
  },
  {
    name: 'chmod and chown need the owner or root',
    async run(c) {
      await c.file('f', 1, 0o666);
      await c.ok('chown', 'f', alice, alice);
      await c.as(bob);
      await c.fails('EPERM', 'chmod', 'f', 0o600);
      await c.fails('EPERM', 'chown', 'f', bob, -1);
      await c.fails('EPERM', 'chown', 'f', -1, bob);
      await c.as(alice, alice, team);
      await c.ok('chmod', 'f', 0o4600);
      await c.fails('EPERM', 'chown', 'f', bob, -1);
      await c.ok('chown', 'f', -1, team);
      await c.stat('f');
      await c.fails('EPERM', 'chown', 'f', -1, 3000);
      await c.ok('chown', 'f', -1, -1);
      await c.stat('f');
    },
  },
  {
    name: 'a path needs search permission on every directory',
    async run(c) {
      await c.ok('mkdir', 'a', 0o755);
      await c.ok('mkdir', 'a/b', 0o755);
      await c.file('a/b/f', 1, 0o666);
      await c.as(alice);
      await c.content('a/b/f');
      await c.as(0);
      await c.ok('chmod', 'a', 0o700);
      await c.as(alice);
      await c.fails('EACCES', 'stat', 'a/b/f');
      await c.fails('EACCES', 'open', 1, 'a/b/f', O.RDONLY, 0);
      await c.fails('EACCES', 'rename', 'a/b/f', 'a/b/g', 0);
      await c.as(0);
      await c.content('a/b/f');
    },
  },
  {
    name: 'an owner without write permission writes through a descriptor that has it',
    async run(c) {
      await c.ok('chmod', '.', 0o777);
      await c.as(alice);
      await c.ok('open', 1, 'f', O.RDWR | O.CREAT, 0o000);
      await c.ok('write', 1, 0, 10, 1);
      await c.ok('read', 1, 0, 10);
      await c.fails('EACCES', 'open', 2, 'f', O.RDONLY, 0);
      await c.ok('open', 3, 'g', O.RDWR | O.CREAT, 0o444);
      await c.ok('write', 3, 0, 10, 1);
      await c.ok('ftruncate', 3, 4);
      await c.fails('EACCES', 'open', 4, 'g', O.RDWR, 0);
      await c.stat('g');
    },
  },
];
