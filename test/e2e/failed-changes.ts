/** A change that the file system below refuses: what it did nevertheless is in history, what it did not do is not (I4). */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { O } from '../helpers/constants.js';
import { mountSettled } from '../helpers/mount.js';
import { must } from '../helpers/run.js';
import { scoped } from '../helpers/scope.js';
import { differences, metadata } from '../helpers/snapshot.js';

test.serial('an attribute change that is refused makes no record', async (t) => {
  await scoped(async (scope) => {
    const tree = path.join(scope.temporary('disk'), 'tree');
    fs.mkdirSync(tree);
    fs.writeFileSync(path.join(tree, 'fixed'), 'content');
    await must('chattr', ['+i', path.join(tree, 'fixed')]);
    scope.defer(async () => void (await must('chattr', ['-i', path.join(tree, 'fixed')])));
    const mounted = await mountSettled(scope, { tree });
    const driver = await mounted.driver();
    await driver.ok('chmod', '.', 0o755); // who it is, is recorded with its first change
    const { seq } = await mounted.control('status');
    for (const [op, ...args] of [['chmod', 'fixed', 0o600], ['chown', 'fixed', 1, 1], ['utimens', 'fixed', 1n, 2n], ['truncate', 'fixed', 0], ['setxattr', 'fixed', 'user.a', 'b', 0]] as const) {
      t.is((await driver.call(op, ...args)).error, 'EPERM', op);
    }
    t.is((await mounted.control('status'))['seq'], seq);
    await driver.ok('chmod', '.', 0o750);
    t.true(((await mounted.control('status'))['seq'] as number) > (seq as number));
  });
});

test.serial('setuid that goes with a write, a truncate or an allocation that fails is gone in history too', async (t) => {
  await scoped(async (scope) => {
    const mounted = await mountSettled(scope);
    const [root, user] = [await mounted.driver(), await mounted.driver()];
    await root.ok('chmod', '.', 0o777);
    await user.ok('as', 1000, 1000);
    const beyond = 2n ** 60n; // further than the file system below can address
    const calls = [['write', 1, beyond, 10, 1], ['ftruncate', 1, beyond], ['fallocate', 1, 0, beyond, 10]] as const;
    for (const [i, [op, ...args]] of calls.entries()) {
      await root.ok('open', 1, `f${i}`, O.RDWR | O.CREAT, 0o644);
      await root.ok('chmod', `f${i}`, 0o6777);
      await user.ok('open', 1, `f${i}`, O.RDWR, 0);
      t.is((await user.call(op, ...args)).error, 'EFBIG', op);
      const live = await metadata(root, mounted.tree);
      t.deepEqual(differences(live, await metadata(root, path.join(mounted.tree, '.snapshots/@now')), ['mode', 'size', 'ctime']), [], op);
    }
  });
});
