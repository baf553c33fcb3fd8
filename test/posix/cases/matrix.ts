/** Every call on every kind of path and object, by every kind of user: the plain directory says what is right. */
import { O, RENAME, S } from '../../helpers/constants.js';
import type { Argument } from '../../helpers/driver.js';
import { alice, bob, team, type Calls, type Case } from './case.js';

const long = 'n'.repeat(256);

/** Calls that take one path, with their other arguments. */
const byPath: readonly (readonly [op: string, args: (path: Argument) => Argument[]])[] = [
  ['stat', (p) => [p]], ['statfollow', (p) => [p]], ['statx', (p) => [p]], ['list', (p) => [p]], ['access', (p) => [p, 4]], ['access', (p) => [p, 2]],
  ['open', (p) => [1, p, O.RDONLY | O.NONBLOCK, 0]], ['open', (p) => [1, p, O.RDWR | O.NONBLOCK, 0]], ['open', (p) => [1, p, O.RDWR | O.CREAT | O.NONBLOCK, 0o644]],
  ['open', (p) => [1, p, O.RDWR | O.CREAT | O.EXCL, 0o644]], ['open', (p) => [1, p, O.WRONLY | O.TRUNC | O.NONBLOCK, 0]], ['open', (p) => [1, p, O.RDONLY | O.DIRECTORY, 0]],
  ['open', (p) => [1, p, O.RDONLY | O.NOFOLLOW | O.NONBLOCK, 0]], ['open', (p) => [1, p, O.PATH, 0]], ['open', (p) => [1, p, O.PATH | O.NOFOLLOW, 0]],
  ['open', (p) => [1, p, O.RDWR | O.TMPFILE, 0o600]], ['open', (p) => [1, p, O.RDONLY | O.NOATIME | O.NONBLOCK, 0]],
  ['mkdir', (p) => [p, 0o755]], ['rmdir', (p) => [p]], ['unlink', (p) => [p]], ['symlink', (p) => ['x', p]], ['readlink', (p) => [p]], ['mknod', (p) => [p, S.FIFO | 0o644, 0, 0]],
  ['mknod', (p) => [p, S.REG | 0o644, 0, 0]], ['mknod', (p) => [p, S.CHR | 0o644, 1, 3]], ['bind', (p) => [p]],
  ['link', (p) => [p, 'linked']], ['link', (p) => ['other', p]], ['rename', (p) => [p, 'renamed', 0]], ['rename', (p) => ['other', p, 0]], ['rename', (p) => ['otherdir', p, 0]],
  ['rename', (p) => [p, p, 0]], ['rename', (p) => [p, 'other', RENAME.EXCHANGE]], ['rename', (p) => ['other', p, RENAME.NOREPLACE]],
  ['truncate', (p) => [p, 3]], ['truncate', (p) => [p, -1]], ['chmod', (p) => [p, 0o755]], ['chown', (p) => [p, alice, alice]], ['chown', (p) => [p, -1, -1]],
  ['utimens', (p) => [p, 1n, 2n]], ['utimens', (p) => [p, 'now', 'now']], ['utimens', (p) => [p, 'omit', 'omit']],
  ['setxattr', (p) => [p, 'user.x', 'y', 0]], ['setxattr', (p) => [p, 'trusted.x', 'y', 0]], ['getxattr', (p) => [p, 'user.none']], ['listxattr', (p) => [p]],
  ['removexattr', (p) => [p, 'user.none']], ['exec', (p) => [p]],
];

/** What differs by the clock or the disk is left out of an answer. */
const steady = new Set(['stat', 'statfollow']);

async function attempt(c: Calls, op: string, args: Argument[]): Promise<void> {
  const reply = await c.trial(op, ...args);
  c.note(op, args, steady.has(op) ? { error: reply.error, text: '' } : reply);
}

/** Calls on a descriptor in slot 1. */
const byDescriptor: readonly (readonly [op: string, ...args: Argument[]])[] = [
  ['read', 1, 0, 10], ['read', 1, -1, 10], ['write', 1, 0, 10, 1], ['writev', 1, 0, 10, 1], ['ftruncate', 1, 3], ['ftruncate', 1, -1], ['seek', 1, 0, 2], ['seek', 1, -5, 0],
  ['seek', 1, 0, 4], ['seek', 1, 0, 3], ['seek', 1, 0, 9], ['fsync', 1], ['fdatasync', 1], ['syncfs', 1], ['fallocate', 1, 0, 0, 10], ['fallocate', 1, 3, 0, 10], ['fchmod', 1, 0o600],
  ['fchown', 1, alice, -1], ['futimens', 1, 'now', 'now'], ['flock', 1, 5], ['lock', 1, 'read', 0, 1], ['lock', 1, 'write', 0, 1], ['map', 1, 1, 4096, 1, 1], ['map', 1, 1, 4096, 3, 1],
  ['map', 1, 1, 4096, 3, 2], ['copyrange', 1, 0, 2, 0, 5], ['copyrange', 2, 0, 1, 0, 5], ['sendfile', 2, 1, 0, 5], ['linkfd', 1, 'given'],
];

async function everyKind(c: Calls): Promise<void> {
  await c.quiet('mkdir', 'dir', 0o755);
  await c.quiet('mkdir', 'full', 0o755);
  await c.quiet('mkdir', 'full/in', 0o755);
  await c.quiet('mkdir', 'otherdir', 0o755);
  await c.quiet('mkdir', 'closed', 0o755);
  await c.quiet('mkdir', 'closed/dir', 0o755);
  for (const name of ['file', 'other', 'closed/file']) {
    await c.quiet('open', 9, name, O.RDWR | O.CREAT, 0o644);
    await c.quiet('write', 9, 0, 100, 5);
    await c.quiet('close', 9);
  }
  await c.quiet('chmod', 'closed', 0o700);
  await c.quiet('chmod', '.', 0o777);
  for (const name of ['file', 'dir', 'other', 'otherdir']) await c.quiet('chown', name, alice, alice);
  await c.quiet('link', 'file', 'hard');
  await c.quiet('symlink', 'file', 'tofile');
  await c.quiet('symlink', 'dir', 'todir');
  await c.quiet('symlink', 'nowhere', 'dangling');
  await c.quiet('symlink', 'loop', 'loop');
  await c.quiet('mknod', 'fifo', S.FIFO | 0o644, 0, 0);
  await c.quiet('mknod', 'null', S.CHR | 0o666, 1, 3);
  await c.quiet('bind', 'sock');
}

const objects = ['file', 'hard', 'dir', 'full', 'tofile', 'todir', 'dangling', 'loop', 'fifo', 'null', 'sock', 'missing'];
const wrongPaths = ['file/x', 'missing/x', 'dangling/x', 'loop/x', 'tofile/x', long, `${long}/x`, 'x/'.repeat(2100), '', '.', '..', 'dir/.', 'dir/..', 'file/', 'dir/', 'missing/',
  'tofile/', 'todir/', 'dangling/', 'fifo/', 'closed/file', 'closed/missing', 'closed/dir'];

/** Runs `body` in a fresh directory that holds one object of every kind, as this user. */
async function fresh(c: Calls, index: number, user: number, body: () => Promise<void>): Promise<void> {
  const name = `m${index}`;
  await c.quiet('mkdir', name, 0o755);
  const back = await c.enter(name);
  await everyKind(c);
  if (user !== 0) await c.quiet('as', user, user);
  await body();
  await c.quiet('as', 0, 0);
  await back();
}

export const matrixCases: Case[] = [
  ...[0, alice].map((user): Case => ({
    name: `every call that takes a path, on every kind of object and of wrong path, as ${user === 0 ? 'root' : 'a user'}`,
    async run(c) {
      let index = 0;
      for (const [op, args] of byPath) {
        const paths = [...objects, ...wrongPaths];
        // Where two objects take part each path finds both as they were; else one tree serves for all paths.
        const groups = op === 'rename' || op === 'link' ? paths.map((path) => [path]) : [paths];
        for (const group of groups) {
          await fresh(c, index++, user, async () => {
            for (const path of group) await attempt(c, op, args(path));
          });
        }
      }
    },
  })),
  {
    name: 'every call that takes a descriptor, on every kind of object and of open',
    async run(c) {
      let index = 0;
      for (const [path, flags] of [['file', O.RDONLY], ['file', O.WRONLY], ['file', O.RDWR], ['file', O.RDWR | O.APPEND], ['file', O.PATH], ['dir', O.RDONLY], ['dir', O.PATH], ['fifo', O.RDWR],
        ['null', O.RDWR], ['tofile', O.PATH | O.NOFOLLOW], ['.', O.RDWR | O.TMPFILE]] as const) {
        for (const [op, ...args] of byDescriptor) {
          if (path === 'fifo' && (op === 'read' || op === 'sendfile')) continue; // would wait for a writer
          if (path === 'dir' && op === 'seek' && args[2] !== 0) continue; // where a directory ends is the file system's own number
          await fresh(c, index++, 0, async () => {
            await c.quiet('open', 2, 'other', O.RDWR, 0);
            await c.quiet('open', 1, path, flags, 0o600);
            await attempt(c, op, args);
            await c.quiet('close', 1);
          });
        }
      }
      for (const [op, ...args] of byDescriptor) await attempt(c, op, args); // EBADF
    },
  },
  {
    name: 'rename of every kind onto every kind, with every flag',
    async run(c) {
      let index = 0;
      for (const flags of [0, RENAME.NOREPLACE, RENAME.EXCHANGE]) {
        for (const from of objects) {
          for (const to of [...objects, 'full/in', 'dir/new', 'full']) {
            await fresh(c, index++, 0, async () => {
              await attempt(c, 'rename', [from, to, flags]);
              c.note('list', ['.'], await c.trial('list', '.'));
            });
          }
        }
      }
    },
  },
  {
    name: 'the permission matrix: owner, group, supplementary group, other and root on file and directory',
    async run(c) {
      const users: readonly number[][] = [[0, 0], [alice, alice], [bob, team], [bob, bob, team], [bob, bob, 3000, team, 3001], [bob, bob]];
      for (let bits = 0; bits < 8; bits++) {
        for (const shift of [6, 3, 0]) {
          const mode = bits << shift;
          await c.quiet('as', 0, 0);
          await c.quiet('mkdir', `d${shift}${bits}`, 0o755);
          const back = await c.enter(`d${shift}${bits}`);
          await c.quiet('mkdir', 'dir', 0o755);
          await c.quiet('open', 9, 'file', O.CREAT | O.RDWR, 0o644);
          await c.quiet('open', 9, 'dir/in', O.CREAT | O.RDWR, 0o666);
          for (const name of ['file', 'dir']) {
            await c.quiet('chown', name, alice, team);
            await c.quiet('chmod', name, mode);
          }
          for (const [uid, gid, ...groups] of users) {
            await c.as(uid!, gid!, ...groups);
            for (const flags of [O.RDONLY, O.WRONLY, O.RDWR]) await attempt(c, 'open', [1, 'file', flags, 0]);
            for (const mask of [1, 2, 3, 4, 5, 6, 7]) for (const name of ['file', 'dir']) await attempt(c, 'access', [name, mask]);
            await attempt(c, 'exec', ['./file']);
            await attempt(c, 'list', ['dir']);
            await attempt(c, 'stat', ['dir/in']);
            await attempt(c, 'open', [1, 'dir/in', O.RDWR, 0]);
            await attempt(c, 'mkdir', ['dir/made', 0o700]);
            await attempt(c, 'rename', ['dir/made', 'dir/moved', 0]);
            await attempt(c, 'rmdir', ['dir/moved']);
            await attempt(c, 'link', ['dir/in', 'dir/linked']);
            await attempt(c, 'unlink', ['dir/linked']);
            await attempt(c, 'getxattr', ['file', 'user.none']);
            await attempt(c, 'setxattr', ['file', 'user.x', 'y', 0]);
            await attempt(c, 'setxattr', ['dir', 'user.x', 'y', 0]);
            await attempt(c, 'utimens', ['file', 'now', 'now']);
            await attempt(c, 'utimens', ['file', 1n, 2n]);
            await attempt(c, 'truncate', ['file', 0]);
          }
          await c.quiet('as', 0, 0);
          await back();
        }
      }
    },
  },
  {
    name: 'a sticky directory: who may remove, rename and replace whose names',
    async run(c) {
      let index = 0;
      for (const owner of [0, alice, bob]) { // of the directory
        for (const holder of [0, alice, bob]) { // of the objects
          for (const [op, args] of [['unlink', ['file']], ['rmdir', ['sub']], ['rename', ['file', 'moved', 0]], ['rename', ['mine', 'file', 0]], ['rename', ['mine', 'file', RENAME.EXCHANGE]],
            ['rename', ['sub', 'moved', 0]], ['link', ['file', 'linked']], ['rename', ['file', '../out', 0]]] as const) {
            const name = `s${index++}`;
            await c.quiet('mkdir', name, 0o777);
            await c.quiet('chmod', '.', 0o777);
            const back = await c.enter(name);
            await c.quiet('chmod', '.', 0o1777);
            await c.quiet('chown', '.', owner, owner);
            await c.quiet('as', holder, holder);
            await c.quiet('open', 9, 'file', O.RDWR | O.CREAT, 0o666);
            await c.quiet('mkdir', 'sub', 0o777);
            await c.as(alice);
            await c.quiet('open', 9, 'mine', O.RDWR | O.CREAT, 0o666);
            await attempt(c, op, [...args]);
            await c.quiet('as', 0, 0);
            c.note('list', ['.'], await c.trial('list', '.'));
            await back();
          }
        }
      }
    },
  },
];
