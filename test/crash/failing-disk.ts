/** The disk of the store refuses what it had room for: no change is taken, everyone can see why, and a mount goes on. */
import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { mountSettled } from '../helpers/mount.js';
import { until } from '../helpers/run.js';
import { scoped } from '../helpers/scope.js';
import { fill, thinDisk } from './support/thin-disk.js';

test.serial('a journal that cannot be synced refuses every change and says so in the status and the log; what was acknowledged is there after a mount', async (t) => {
  t.timeout(240_000);
  await scoped(async (scope) => {
    const { disk, holder } = await thinDisk(scope);
    const mounted = await mountSettled(scope, { where: 'memory', store: path.join(disk, 'store') });
    const file = path.join(mounted.tree, 'file');
    fs.writeFileSync(file, 'before');
    await mounted.settled();
    const ballast = path.join(holder, 'ballast');
    fill(ballast);
    await until('changes are refused', () => {
      try {
        fs.writeFileSync(path.join(mounted.tree, 'large'), Buffer.alloc(4 << 20, 'x'));
        return false;
      } catch (error) {
        return (error as NodeJS.ErrnoException).code === 'EIO';
      }
    });
    const { failed, failed_hint } = await mounted.status();
    t.regex(String(failed), /The journal cannot be written \(\w+\): every change of the tree fails with EIO/);
    t.regex(await mounted.rewind('status'), /^FAILED +The journal cannot be written/m);
    t.regex(String(failed_hint), /unmount and mount again/);
    await until('the log says so', () => /Changes are refused: .*The journal cannot be written[^]*unmount and mount again/.test(fs.readFileSync(path.join(mounted.store, 'daemon.log'), 'utf8')));
    t.is(fs.readFileSync(file, 'utf8'), 'before', 'reading goes on');
    fs.rmSync(ballast);
    await mounted.unmount();
    await mounted.mount();
    fs.writeFileSync(file, 'after');
    t.is((await mounted.settled())['failed'], null);
    t.is(await mounted.rewind('cat', file), 'after');
  });
});
