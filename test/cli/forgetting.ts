/** Forgetting as a user does it: a rollback that discards what came later, the trash, and a purge. */
import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { mountSettled, rewind } from '../helpers/mount.js';
import { scoped } from '../helpers/scope.js';

const seqOf = (stdout: string): number => Number(/"seq":(\d+)/.exec(stdout)?.[1]);

test.serial('a rollback forgets what came later, the trash gives it back, and a purged secret is in no file of the store', (t) => scoped(async (scope) => {
  const tree = await mountSettled(scope, { where: 'memory' });
  const inTree = (...args: string[]) => rewind(args, { cwd: tree.tree, timeoutMs: 120_000 });
  const file = path.join(tree.tree, 'file');
  fs.writeFileSync(file, 'one');
  fs.writeFileSync(path.join(tree.tree, 'secret'), 'the password is 4711-0815\n'.repeat(400));
  await inTree('mark', 'one');
  fs.writeFileSync(file, 'two');
  const two = seqOf((await inTree('mark', 'two', '--json')).stdout);
  await inTree('pin', 'two');
  t.regex((await inTree('rollback', '--to', 'one', '--discard-after', '--yes')).stderr, /ERR_PINNED/);
  t.is(fs.readFileSync(file, 'utf8'), 'two', 'nothing was done');
  await inTree('unpin', 'two');
  const rolled = await inTree('rollback', '--to', 'one', '--discard-after', '--yes');
  t.is(rolled.code, 0, rolled.stderr);
  t.is(fs.readFileSync(file, 'utf8'), 'one');
  t.regex((await inTree('cat', 'file', '--at', `#${two}`)).stderr, /the nearest that are kept are #\d+ .*ERR_TIME_THINNED/s);
  t.false(fs.existsSync(path.join(tree.tree, '.snapshots', `@#${two}`)));
  t.is((await inTree('cat', 'file', '--at', 'one')).stdout, 'one');
  t.regex((await inTree('status')).stdout, /trash/i);
  t.is((await inTree('prune', '--undo')).code, 0);
  t.is((await inTree('cat', 'file', '--at', `#${two}`)).stdout, 'two');
  const dry = await inTree('prune', '--dry-run');
  t.regex(dry.stdout, /0 versions of 0 files/);

  fs.mkdirSync(path.join(tree.tree, 'build'));
  const built = path.join(tree.tree, 'build', 'out');
  fs.writeFileSync(built, 'first');
  const first = seqOf((await inTree('mark', 'first', '--json')).stdout);
  fs.writeFileSync(built, 'second');
  await inTree('mark', 'second');
  fs.writeFileSync(path.join(tree.store, 'policy.toml'), '[[rule]]\nmatch = "build/"\nkeep = "1s"\n');
  while (!(await inTree('policy', 'check', 'build/out')).stdout.includes('keep 1s')) await delay(200);
  t.regex((await inTree('policy', 'check', 'build/out')).stdout, /^keep 1s +build\/out {2}\(build\/, .*policy\.toml:3\) {2}then nothing$/m);
  t.regex((await inTree('policy', 'show')).stdout, /^7d +\(the rest\).* then the last of each: hour 14d, day 90d/m);
  t.regex((await inTree('prune', '--dry-run')).stdout, /version.* build\/out .*policy\.toml:3\)\n.*1 versions of 1 files, .*policy\.toml:3\n1 versions/);
  t.is((await inTree('prune', '--now', '--yes')).code, 0);
  t.regex((await inTree('cat', 'build/out', '--at', `#${first}`)).stderr, /build\/out had at .* kept no longer: the nearest that are kept are #\d+ .* and #\d+ .*ERR_TIME_THINNED/s);
  t.throws(() => fs.readFileSync(path.join(tree.tree, '.snapshots', '@first', 'build', 'out')), { code: 'ENODATA' });
  t.is((await inTree('cat', 'build/out', '--at', 'second')).stdout, 'second');
  t.is((await inTree('cat', 'file', '--at', 'first')).stdout, 'one', 'other paths are as they were');

  fs.unlinkSync(path.join(tree.tree, 'secret'));
  t.regex((await inTree('purge', 'secret', '--yes')).stderr, /ERR_ALREADY_MOUNTED/);
  await tree.rewind('unmount');
  const purged = await rewind(['purge', 'secret', '--yes', '--store', tree.store], { cwd: '/', timeoutMs: 120_000 });
  t.is(purged.code, 0, purged.stderr);
  for (const name of fs.readdirSync(tree.store, { recursive: true, encoding: 'utf8' })) {
    const at = path.join(tree.store, name);
    if (fs.statSync(at).isFile()) t.false(fs.readFileSync(at).includes('4711-0815'), name);
  }
  const gone = await rewind(['cat', 'secret', '--at', 'one', '--store', tree.store], { cwd: '/' });
  t.regex(gone.stderr, /ERR_PURGED/);
  t.is((await rewind(['cat', 'file', '--at', 'one', '--store', tree.store], { cwd: '/' })).stdout, 'one');
}));
