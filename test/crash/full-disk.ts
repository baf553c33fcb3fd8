/** The store's disk runs full: writers are told so, what was acknowledged stays, and all goes on once there is room. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { unmount } from '../helpers/disk.js';
import { mountSettled, rewind, type MountedTree } from '../helpers/mount.js';
import { must, until } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { liveAgainstNewest } from './support/newest.js';

const MiB = 1 << 20;

/** Writes 1 MiB blocks that do not compress until the file system refuses; resolves to how many were taken and why it ended. */
function fill(file: string, blocks: number): { taken: number; code: string | undefined } {
  const fd = fs.openSync(file, 'w');
  let taken = 0;
  try {
    for (; taken < blocks; taken++) {
      const block = Buffer.alloc(MiB);
      for (let i = 0, x = taken + 1; i < MiB; i += 4) block.writeUInt32LE((x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0), i);
      fs.writeSync(fd, block, 0, MiB, taken * MiB);
    }
    return { taken, code: undefined };
  } catch (error) {
    return { taken, code: (error as NodeJS.ErrnoException).code };
  } finally {
    fs.closeSync(fd);
  }
}

/** All that is left, as fast as possible. */
function take(file: string): string | undefined {
  const fd = fs.openSync(file, 'w');
  const block = Buffer.alloc(16 * MiB);
  try {
    for (;;) fs.writeSync(fd, block);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  } finally {
    fs.closeSync(fd);
  }
}

/** A tree whose store is on a disk of its own, of which so much is taken already by `ballast`. */
async function onSmallDisk(scope: Scope): Promise<{ disk: string; ballast: string; mounted: MountedTree }> {
  const disk = path.join(scope.temporary('disk'), 'small');
  fs.mkdirSync(disk);
  await must('mount', ['-t', 'tmpfs', '-o', 'size=900M', 'rewindfs-test', disk]);
  scope.defer(() => unmount(disk));
  const ballast = path.join(disk, 'ballast');
  fs.writeFileSync(ballast, Buffer.alloc(400 * MiB));
  return { disk, ballast, mounted: await mountSettled(scope, { where: 'memory', store: path.join(disk, 'store') }) };
}

test.serial('a full store answers ENOSPC, loses nothing, and goes on when space is freed', async (t) => {
  t.timeout(300_000);
  await scoped(async (scope) => {
    const { ballast, mounted } = await onSmallDisk(scope);
    fs.writeFileSync(path.join(mounted.tree, 'early'), 'acknowledged before');
    const filled = fill(path.join(mounted.tree, 'large'), 600);
    t.is(filled.code, 'ENOSPC');
    t.is(fs.statSync(path.join(mounted.tree, 'large')).size, filled.taken * MiB, 'a refused write changes nothing');
    // Where extraction has made room meanwhile it is taken, and must then be in history as everything else.
    try {
      fs.writeFileSync(path.join(mounted.tree, 'next'), 'x'.repeat(4096));
    } catch (error) {
      t.is((error as NodeJS.ErrnoException).code, 'ENOSPC');
    }
    t.is(fs.readFileSync(path.join(mounted.tree, 'early'), 'utf8'), 'acknowledged before', 'reading goes on');
    await mounted.settled();
    t.notRegex(String((await mounted.status()).failed), /history/, 'what the journal leaves free is enough for history to take everything in');
    t.deepEqual(await liveAgainstNewest(mounted), []);
    fs.rmSync(ballast);
    await until('writes are taken again', () => {
      try {
        fs.writeFileSync(path.join(mounted.tree, 'later'), 'after');
        return true;
      } catch {
        return false;
      }
    });
    await mounted.settled();
    t.deepEqual(await liveAgainstNewest(mounted), []);
    t.is(await mounted.rewind('cat', path.join(mounted.tree, 'early'), '--at', 'now'), 'acknowledged before');
    await mounted.unmount();
    await mounted.mount();
    t.deepEqual(await liveAgainstNewest(mounted), []);
  });
});

test.serial('another program takes the last byte of the store\'s disk: history waits, says so, and goes on when there is room', async (t) => {
  t.timeout(300_000);
  await scoped(async (scope) => {
    const { disk, ballast, mounted } = await onSmallDisk(scope);
    fs.writeFileSync(path.join(mounted.tree, 'early'), 'of before');
    const { extracted_seq: early } = await mounted.settled();
    const large = path.join(mounted.tree, 'large');
    const content = Buffer.concat(Array.from({ length: 100 }, () => randomBytes(MiB)));
    fs.writeFileSync(large, content);
    t.is(take(path.join(disk, 'greedy')), 'ENOSPC');
    await until('history stands still', async () => (await mounted.status()).failed !== null);
    const { failed } = await mounted.status();
    t.regex(String(failed), /no room left for history/);
    const refused = await rewind(['cat', large, '--at', 'now']);
    t.regex(refused.stderr, /make room/i);
    const past = path.join(mounted.tree, '.snapshots');
    t.is(fs.readFileSync(path.join(past, `@#${early}`, 'early'), 'utf8'), 'of before', 'what history has can still be seen');
    t.is(await mounted.rewind('cat', path.join(mounted.tree, 'early'), '--at', `#${early}`), 'of before');
    t.throws(() => fs.readdirSync(path.join(past, '@now')), { code: 'EIO' });
    fs.rmSync(path.join(disk, 'greedy'));
    fs.rmSync(ballast);
    await mounted.settled();
    t.is((await mounted.status()).failed, null);
    t.deepEqual(await liveAgainstNewest(mounted), []);
  });
});
