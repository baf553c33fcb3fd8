/** What a file system refuses when it is full or at a limit: a directory, and a mount of one alike. */
import fs from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { O } from '../helpers/constants.js';
import { Driver } from '../helpers/driver.js';
import { smallDisk } from '../helpers/disk.js';
import { mountTree } from '../helpers/mount.js';
import { Scope } from '../helpers/scope.js';
import { alice, runCase, type Calls, type Case } from './cases/case.js';

const MOST_LINKS = 65_000;
const LONG = 'l'.repeat(200);

/** Writes to an open file until it is refused, in ever smaller pieces; nothing of it is compared but the refusal. */
async function fill(c: Calls, slot: number): Promise<void> {
  let at = 0;
  let last = await c.trial('fstat', slot);
  for (const piece of [1 << 20, 64 << 10, 4096]) {
    for (;;) {
      last = await c.trial('write', slot, at, piece, 3);
      if (last.error) break;
      at += Number(last.text);
    }
  }
  c.note('fill', [slot], last);
}

/** On a small disk. */
const ofDisk: Case[] = [
  {
    name: 'the last blocks of a disk are for root: a user meets ENOSPC before',
    async run(c) {
      await c.ok('chmod', '.', 0o777);
      await c.ok('mkdir', 'of-root', 0o755);
      const user = await c.other();
      await user.as(alice);
      await user.ok('open', 1, 'fill', O.RDWR | O.CREAT, 0o644);
      await user.ok('open', 2, 'small', O.RDWR | O.CREAT, 0o644);
      await fill(user, 1);
      await user.fails('ENOSPC', 'write', 2, 0, 4096, 1);
      await user.fails('ENOSPC', 'fallocate', 2, 0, 0, 1 << 20);
      await user.fails('ENOSPC', 'copyrange', 1, 0, 2, 0, 4096);
      await user.fails('ENOSPC', 'mkdir', 'd', 0o755);
      await user.fails('ENOSPC', 'symlink', LONG, 'l');
      await user.fails('ENOSPC', 'setxattr', 'small', 'user.long', 'v'.repeat(3000), 0);
      await user.ok('setxattr', 'small', 'user.short', 'v', 0);
      await user.ok('open', 3, 'empty', O.RDWR | O.CREAT, 0o644);
      await user.ok('rename', 'empty', 'renamed', 0);
      await c.ok('open', 1, 'of-root/f', O.RDWR | O.CREAT, 0o644);
      await c.ok('write', 1, 0, 1 << 20, 1);
      await c.ok('mkdir', 'of-root/d', 0o755);
      await c.ok('setxattr', 'of-root/f', 'user.long', 'v'.repeat(3000), 0);
      await fill(c, 1);
      await c.fails('ENOSPC', 'mkdir', 'of-root/e', 0o755);
      await user.ok('unlink', 'fill');
      await user.ok('close', 1);
    },
  },
  {
    name: 'no more inodes',
    async run(c) {
      await c.ok('mkdir', 'many', 0o755);
      let last = '';
      for (let i = 0; last === ''; i++) last = (await c.trial('mknod', `many/${i}`, 0o100644, 0, 0)).error;
      c.check('ENOSPC in the end', last === 'ENOSPC');
      await c.fails('ENOSPC', 'open', 1, 'f', O.RDWR | O.CREAT, 0o644);
      await c.fails('ENOSPC', 'mkdir', 'd', 0o755);
      await c.fails('ENOSPC', 'symlink', 'target', 'l');
      await c.ok('link', 'many/0', 'hard');
    },
  },
  {
    name: 'the most names of one file',
    async run(c) {
      await c.ok('rename', '../full', 'full', 0);
      await c.stat('full/0');
      await c.fails('EMLINK', 'link', 'full/0', 'one-more');
      await c.ok('unlink', 'full/1');
      await c.ok('link', 'full/0', 'full/1');
    },
  },
];

/** Of extended attributes, where the file system below has no limit of its own: XATTR_SIZE_MAX, XATTR_NAME_MAX, XATTR_LIST_MAX. */
const ofAttributes: Case[] = [
  {
    name: 'the longest value, the longest name',
    async run(c) {
      await c.file('f', 1);
      await c.ok('setxattr', 'f', 'user.most', Buffer.alloc(65_536, 'v'), 0);
      await c.ok('getxattr', 'f', 'user.most');
      await c.ok('getxattr', 'f', 'user.most', 0);
      await c.fails('ERANGE', 'getxattr', 'f', 'user.most', 65_535);
      await c.fails('E2BIG', 'setxattr', 'f', 'user.more', Buffer.alloc(65_537, 'v'), 0);
      await c.ok('setxattr', 'f', `user.${'n'.repeat(250)}`, 'y', 0);
      await c.ok('getxattr', 'f', `user.${'n'.repeat(250)}`);
      await c.fails('ERANGE', 'setxattr', 'f', `user.${'n'.repeat(251)}`, 'y', 0);
      await c.ok('listxattr', 'f');
      await c.ok('removexattr', 'f', 'user.most');
      await c.fails('ENODATA', 'getxattr', 'f', 'user.most');
    },
  },
  {
    name: 'more names than a list can have',
    async run(c) {
      await c.file('f', 1);
      const name = (i: number): string => `user.${'n'.repeat(240)}${i}`;
      let last = 0;
      for (; last < 300; last++) await c.ok('setxattr', 'f', name(last), 'y', 0);
      await c.fails('E2BIG', 'listxattr', 'f');
      await c.ok('getxattr', 'f', name(last - 1));
      for (; last > 250; last--) await c.ok('removexattr', 'f', name(last - 1));
      await c.ok('listxattr', 'f');
    },
  },
];

/** tmpfs knows few modes of fallocate(2). */
const ofModes: Case = {
  name: 'a mode of fallocate that the file system below does not know takes nothing, one that it knows takes setuid',
  async run(c) {
    for (const mode of [0o4777, 0o2777, 0o6767]) {
      for (const fallocate of [16, 0]) {
        await c.as(0);
        await c.file('f', 100);
        await c.ok('chmod', 'f', mode);
        await c.as(alice);
        await c.ok('open', 1, 'f', O.RDWR, 0);
        await c.see('fallocate', 1, fallocate, 0, 5000);
        await c.stat('f');
        await c.ok('close', 1);
        await c.as(0);
        await c.ok('unlink', 'f');
      }
    }
  },
};

/** The case in a directory of its own below each place, the plain one first. */
async function alike(t: ExecutionContext, one: Case, [plain, mounted]: readonly string[]): Promise<void> {
  const seen = [];
  for (const place of [plain!, mounted!]) {
    const directory = path.join(place, 'case');
    fs.mkdirSync(directory);
    seen.push(await runCase(one, directory).catch((error: unknown) => { throw new Error(`${one.name}, in ${directory}: ${String(error)}`, { cause: error }); }));
    fs.rmSync(directory, { recursive: true });
  }
  t.deepEqual(seen[1], seen[0], one.name);
}

test.serial('extended attributes and modes of fallocate have the limits of the file system below', async (t) => {
  const scope = new Scope();
  try {
    const plain = scope.temporary('memory');
    const { tree } = await mountTree(scope, { where: 'memory' });
    for (const place of [plain, tree]) fs.chmodSync(place, 0o755);
    for (const one of [...ofAttributes, ofModes]) await alike(t, one, [plain, tree]);
    const driver = new Driver();
    scope.defer(() => driver.close());
    const value = Buffer.alloc(65_536, 'v');
    fs.writeFileSync(path.join(tree, 'f'), '');
    await driver.ok('setxattr', path.join(tree, 'f'), 'user.most', value, 0);
    t.is(await driver.ok('getxattr', path.join(tree, '.snapshots/@now/f'), 'user.most'), value.toString(), 'history holds it');
  } finally {
    await scope.close();
  }
});

test.serial('a small disk and a mount of one refuse the same', async (t) => {
  t.timeout(300_000);
  const scope = new Scope();
  try {
    const roots = await Promise.all([0, 1].map(() => smallDisk(scope, 48, ['-b', '4096', '-m', '20', '-N', '1024', '-O', '^has_journal'])));
    for (const root of roots) {
      fs.mkdirSync(path.join(root, 'tree/full'), { recursive: true });
      fs.writeFileSync(path.join(root, 'tree/full/0'), '');
      for (let i = 1; i < MOST_LINKS; i++) fs.linkSync(path.join(root, 'tree/full/0'), path.join(root, `tree/full/${i}`));
    }
    await mountTree(scope, { tree: path.join(roots[1]!, 'tree'), where: 'memory' });
    for (const one of ofDisk) await alike(t, one, roots.map((root) => path.join(root, 'tree')));
  } finally {
    await scope.close();
  }
});
