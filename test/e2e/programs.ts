/**
 * Real programs give the same result on the mount as on a plain directory, and a rollback to before them gives back the
 * tree as it was, to the nanosecond.
 */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { Driver } from '../helpers/driver.js';
import { mountSettled, type MountedTree } from '../helpers/mount.js';
import { shell } from '../helpers/run.js';
import { Scope, scoped } from '../helpers/scope.js';
import { differences, snapshot } from '../helpers/snapshot.js';
import { copyTree, rsyncDifferences } from '../helpers/trees.js';
import { copySources, programs } from './support/programs.js';

const scope = new Scope();
let mounted: MountedTree;

/** A tree with something in it, so that a rollback has something to spoil. */
test.before(async () => {
  mounted = await mountSettled(scope);
  await copySources(path.join(mounted.tree, 'sources'));
  await shell('ln sources/package.json linked; ln -s sources/lib lib; mkfifo fifo; setfattr -n user.note -v kept sources; setfacl -m u:1000:r linked; truncate -s 3M sparse', { cwd: mounted.tree });
});
test.after.always(() => scope.close());

for (const program of programs) {
  test.serial(program.name, async (t) => {
    t.timeout(600_000);
    await scoped(async (local) => {
      const plain = path.join(local.temporary('disk'), 'work');
      const live = path.join(mounted.tree, 'work');
      const before = local.temporary('disk');
      await copyTree(mounted.tree, before);
      const { seq } = await mounted.status();
      for (const directory of [plain, live]) fs.mkdirSync(directory);
      const expected = await program.run(plain);
      t.is(await program.run(live), expected);
      if (program.deterministic) {
        const driver = new Driver(120_000);
        local.defer(() => driver.close());
        t.deepEqual(differences(await snapshot(driver, plain), await snapshot(driver, live), ['mode', 'uid', 'gid', 'nlink', 'size', 'body', 'xattrs']), []);
        await driver.close();
      }
      await mounted.rewind('rollback', '--to', `#${seq}`, '--yes');
      t.is(await rsyncDifferences(before, mounted.tree), '');
    });
  });
}

test.serial('rm -rf of 20,000 files is rolled back byte- and metadata-exact', async (t) => {
  t.timeout(600_000);
  await scoped(async (local) => {
    const before = local.temporary('disk');
    const tree = path.join(mounted.tree, 'large');
    fs.mkdirSync(tree);
    await shell('for d in $(seq 200); do mkdir d$d; for f in $(seq 100); do echo "content $d $f" > d$d/f$f; done; chmod 7$((d % 8))0 d$d/f1; ln d$d/f2 d$d/hard; ln -s f3 d$d/link; done; chown -R 1000:1000 d7; setfattr -n user.a -v b d9/f9', { cwd: tree, timeoutMs: 300_000 });
    await copyTree(mounted.tree, before);
    const { seq } = await mounted.status();
    const removed = Date.now();
    await shell('rm -rf large sources/*', { cwd: mounted.tree, timeoutMs: 300_000 });
    const rolled = Date.now();
    await mounted.rewind('rollback', '--to', `#${seq}`, '--yes');
    t.log(`rm -rf took ${rolled - removed} ms, the rollback ${Date.now() - rolled} ms`);
    t.is(await rsyncDifferences(before, mounted.tree), '');
  });
});
