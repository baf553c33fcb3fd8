/**
 * A first walk that ends before it is complete, by a kill or an unmount: the next one goes on with it. What was in the tree
 * all the time is in the first session's instants, exact; what may be new is left alone by a rollback to them, and told.
 */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { baselineDone, mountTree, rewind, type MountedTree } from '../helpers/mount.js';
import { shell } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { copyTree, rsyncDifferences } from '../helpers/trees.js';
import { liveAgainstNewest } from './support/newest.js';

const existing = `
  mkdir -p middle late/deep; ln -s late/1 link
  for d in middle late late/deep; do for f in $(seq 9); do echo "$d/$f as it was" > $d/$f; done; done
  for f in partly touched; do head -c 1M /dev/urandom > late/$f; done
`;

/** In the first session, where its walk has not been: all of it is taken back. */
const during = `
  echo changed > late/1; echo more >> late/2; rm late/3; mv late/4 late/deep/moved; echo new > late/new; chmod 600 late/5
  for f in partly touched; do printf changed | dd of=late/$f bs=1 seek=300000 conv=notrunc status=none; done
`;

/** While nothing is mounted: that these are new, or what they were, no walk can tell. */
const unmounted = 'echo edited > middle/7; mkdir made; echo x > made/x; printf changed > late/touched';
const unknown = ['late/touched', 'made', 'middle/7'];

/** A first session whose walk comes nowhere, until its daemon ends. */
async function firstSession(scope: Scope, end: (mounted: MountedTree) => Promise<void>): Promise<{ mounted: MountedTree; seq: number; before: string }> {
  const tree = path.join(scope.temporary('disk'), 'tree');
  fs.mkdirSync(tree);
  await shell(existing, { cwd: tree });
  const before = scope.temporary('disk');
  await copyTree(tree, before);
  const mounted = await mountTree(scope, { tree, preload: new URL('support/hold-walk.js', import.meta.url) });
  const { seq } = await mounted.status();
  await shell(during, { cwd: tree });
  await end(mounted);
  return { mounted, seq, before };
}

/** The backing directory of a mount whose daemon has died is under it. */
const uncover = (mounted: MountedTree): Promise<unknown> => (mounted.mounted ? shell(`umount -l '${mounted.tree}'`) : Promise.resolve());

for (const [how, end] of [['a kill', (mounted: MountedTree) => mounted.kill()], ['an unmount', (mounted: MountedTree) => mounted.unmount()]] as const) {
  test.serial(`after ${how} during the first walk a rollback to that session deletes nothing and is exact`, async (t) => {
    t.timeout(200_000);
    await scoped(async (scope) => {
      const { mounted, seq, before } = await firstSession(scope, end);
      const { code, stderr } = await rewind(['cat', path.join(mounted.tree, 'late/1')]);
      t.is(code, 1);
      t.regex(stderr, /History does not have the whole tree: .* `rewind mount` goes on/);
      t.regex(stderr, /late\/1 never existed as far as history knows.*; the first walk .* not complete \(ERR_NEVER_EXISTED\)/);
      await uncover(mounted);
      await shell(unmounted, { cwd: mounted.tree });
      await mounted.mount();
      await baselineDone(mounted);
      t.deepEqual(await liveAgainstNewest(mounted), []);
      t.is(await mounted.rewind('cat', path.join(mounted.tree, 'late/1'), '--at', `#${seq}`), 'late/1 as it was\n');
      t.is(await mounted.rewind('cat', path.join(mounted.tree, 'middle/3'), '--at', `#${seq}`), 'middle/3 as it was\n');
      await t.throwsAsync(mounted.rewind('cat', path.join(mounted.tree, 'middle/7'), '--at', `#${seq}`), { message: /whether it was there .* is not known/ });
      await t.throwsAsync(mounted.rewind('cat', path.join(mounted.tree, 'late/touched'), '--at', `#${seq}`), { message: /not captured/ });
      const changed = (await mounted.rewind('diff', '--from', `#${seq}`, '--json')).split('\n').filter(Boolean).map((line) => JSON.parse(line) as { path?: string });
      t.false(changed.some((row) => row.path?.startsWith('made') || row.path === 'middle/7'), 'neither is said to be new');
      const rows = (await mounted.rewind('rollback', '--to', `#${seq}`, '--yes', '--json')).split('\n').filter(Boolean).map((line) => JSON.parse(line) as { action?: string; path?: string });
      t.deepEqual(rows.filter((row) => row.action === 'skip').map((row) => row.path).sort(), unknown);
      t.deepEqual(rows.filter((row) => row.action === 'delete').map((row) => row.path).sort(), ['late/new']);
      await shell(`touch -r . ../root; cp -a '${mounted.tree}'/made .; for f in middle/7 late/touched; do cp -a '${mounted.tree}'/$f $f; done; touch -r ../root .; rm ../root`, { cwd: before });
      t.is(await rsyncDifferences(before, mounted.tree), '');
    });
  });
}
