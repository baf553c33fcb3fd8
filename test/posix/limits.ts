/** What a file system refuses when it is full or at a limit, on two small disks alike: a directory, and a mount of one. */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { O } from '../helpers/constants.js';
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

const cases: Case[] = [
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

test('a small disk and a mount of one refuse the same', async (t) => {
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
    for (const one of cases) {
      const seen = [];
      for (const root of roots) {
        const directory = path.join(root, 'tree/case');
        fs.mkdirSync(directory);
        seen.push(await runCase(one, directory).catch((error: unknown) => { throw new Error(`${one.name}, in ${directory}: ${String(error)}`, { cause: error }); }));
        fs.rmSync(directory, { recursive: true });
      }
      t.deepEqual(seen[1], seen[0], one.name);
    }
  } finally {
    await scope.close();
  }
});
