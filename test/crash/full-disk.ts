/** The store's disk runs full: writers are told so, what was acknowledged stays, and all goes on once there is room. */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { mountSettled } from '../helpers/mount.js';
import { must, until } from '../helpers/run.js';
import { scoped } from '../helpers/scope.js';
import { liveAgainstNewest } from './support/kills.js';

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

test('a full store answers ENOSPC, loses nothing, and goes on when space is freed', async (t) => {
  t.timeout(300_000);
  await scoped(async (scope) => {
    const disk = path.join(scope.temporary('disk'), 'small');
    fs.mkdirSync(disk);
    await must('mount', ['-t', 'tmpfs', '-o', 'size=900M', 'rewindfs-test', disk]);
    scope.defer(async () => void (await must('umount', [disk])));
    const ballast = path.join(disk, 'ballast');
    fs.writeFileSync(ballast, Buffer.alloc(400 * MiB));
    const mounted = await mountSettled(scope, { where: 'memory', store: path.join(disk, 'store') });
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
