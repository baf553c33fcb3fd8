/** What was in the tree at the first mount is in history, exact, however fast it is changed after the mount (invariant I9). */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { Driver } from '../helpers/driver.js';
import { baselineDone, mountTree } from '../helpers/mount.js';
import { shell } from '../helpers/run.js';
import { scoped } from '../helpers/scope.js';
import { differences, snapshot, type Field } from '../helpers/snapshot.js';
import { copyTree, rsyncDifferences } from '../helpers/trees.js';
import { liveAgainstNewest } from '../crash/support/newest.js';

const everything: readonly Field[] = ['mode', 'uid', 'gid', 'nlink', 'size', 'rdev', 'body', 'xattrs', 'mtime'];

const existing = `
  for d in $(seq 60); do
    mkdir -p d$d/deep
    for f in $(seq 40); do head -c $((f * 997)) /dev/urandom > d$d/f$f; done
    ln d$d/f1 d$d/deep/hard; ln -s ../f2 d$d/deep/link; mkfifo d$d/p; setfattr -n user.n -v v$d d$d/f3; chmod 2770 d$d/deep
  done
  head -c 30M /dev/urandom > large; truncate -s 50M sparse; echo end >> sparse; touch -d 1999-12-31 d1/f5; chown -R 1000:2000 d9
`;

/** Changes of every kind, as fast as a shell does them, over all of the tree while the walk is on. */
const changes = `
  dd if=/dev/zero of=large bs=1M seek=3 count=5 conv=notrunc status=none
  rm -rf d60 d59; mv d58 moved; mv d1 d57/inside
  for d in $(seq 40 56); do echo over > d$d/f2; truncate -s 100 d$d/f40; mv d$d/f3 d$d/f4; chmod 600 d$d/f6; rm d$d/f1; ln d$d/f7 d$d/new; done
  truncate -s 1M sparse; fallocate -p -o 0 -l 100000 d20/f39
  for d in $(seq 2 30); do setfattr -x user.n d$d/f3; touch d$d/f8; ln -sf elsewhere d$d/deep/link; sed -i s/a/b/g d$d/f9; done
  mv --exchange d3 d4 2>/dev/null || { mv d3 x; mv d4 d3; mv x d4; }
`;

test.serial('the view of the mount shows the tree as it was found, although it was changed at once', async (t) => {
  t.timeout(300_000);
  await scoped(async (scope) => {
    const tree = path.join(scope.temporary('disk'), 'tree');
    fs.mkdirSync(tree);
    await shell(existing, { cwd: tree });
    const before = scope.temporary('disk');
    await copyTree(tree, before);
    const started = Date.now();
    const mounted = await mountTree(scope, { tree });
    t.log(`mounted after ${Date.now() - started} ms`);
    await shell(changes, { cwd: tree });
    await baselineDone(mounted);
    const points = JSON.parse(`[${(await mounted.rewind('points', '--json')).trim().split('\n').join(',')}]`) as { kind: string; seq: number }[];
    const seq = points.find((point) => point.kind === 'mount')!.seq;
    const driver = new Driver(120_000);
    scope.defer(() => driver.close());
    const then = await snapshot(driver, path.join(tree, '.snapshots', `@#${seq}`));
    t.deepEqual(differences(await snapshot(driver, before), then, everything), []);
    t.deepEqual(await liveAgainstNewest(mounted), []);
    await driver.close();
    await mounted.rewind('rollback', '--to', `#${seq}`, '--yes');
    t.is(await rsyncDifferences(before, tree), '');
  });
});

test.serial('who looks at the past right after the mount waits for the walk', (t) => scoped(async (scope) => {
  const tree = path.join(scope.temporary(), 'tree');
  fs.mkdirSync(path.join(tree, 'dir'), { recursive: true });
  fs.writeFileSync(path.join(tree, 'dir', 'file'), 'as it was');
  await mountTree(scope, { tree, preload: new URL('support/late-walk.js', import.meta.url) });
  fs.writeFileSync(path.join(tree, 'dir', 'file'), 'changed');
  // By another process: this one's threads serve what the test runner waits for.
  t.is(await shell(`cat .snapshots/@last-mount/dir/file; ls -R .snapshots/@now | tr '\\n' ' '`, { cwd: tree }), 'as it was.snapshots/@now: dir  .snapshots/@now/dir: file ');
}));

test.serial('a small tree is whole in history when it is unmounted, however soon', (t) => scoped(async (scope) => {
  const tree = path.join(scope.temporary(), 'tree');
  fs.mkdirSync(tree);
  fs.writeFileSync(path.join(tree, 'file'), 'as it was');
  const mounted = await mountTree(scope, { tree, preload: new URL('support/late-walk.js', import.meta.url) });
  await mounted.control('unmount');
  await mounted.daemonEnded();
  t.is(await mounted.rewind('cat', path.join(tree, 'file')), 'as it was');
}));
