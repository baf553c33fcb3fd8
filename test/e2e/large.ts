/** Size: large files, large directories, many existing files. */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { Driver } from '../helpers/driver.js';
import { baselineDone, mountSettled, mountTree } from '../helpers/mount.js';
import { shell } from '../helpers/run.js';
import { scoped } from '../helpers/scope.js';
import { copyTree, rsyncDifferences } from '../helpers/trees.js';

const GiB = 2 ** 30;

test.serial('a sparse file above 4 GiB is in its view and comes back by rollback, still sparse', async (t) => {
  t.timeout(300_000);
  await scoped(async (scope) => {
    const mounted = await mountSettled(scope);
    const file = path.join(mounted.tree, 'big');
    const fd = fs.openSync(file, 'w');
    for (const at of [0, 2 * GiB - 3, 4 * GiB - 3, 5 * GiB]) fs.writeSync(fd, `at ${at}`, at);
    fs.ftruncateSync(fd, 6 * GiB);
    fs.closeSync(fd);
    const { seq } = await mounted.status();
    const check = (where: string): void => {
      t.is(fs.statSync(where).size, 6 * GiB);
      const reading = fs.openSync(where, 'r');
      for (const at of [0, 2 * GiB - 3, 4 * GiB - 3, 5 * GiB]) {
        const text = `at ${at}`;
        const buffer = Buffer.alloc(text.length);
        fs.readSync(reading, buffer, 0, text.length, at);
        t.is(buffer.toString(), text);
      }
      fs.closeSync(reading);
    };
    check(path.join(mounted.tree, '.snapshots', `@#${seq}`, 'big'));
    fs.truncateSync(file, 4 * GiB);
    fs.rmSync(file);
    await mounted.rewind('rollback', '--to', `#${seq}`, '--yes');
    check(file);
    t.true(fs.statSync(file).blocks * 512 < 4 << 20, 'holes are holes again');
  });
});

test.serial('a directory of 100,000 entries is in its view, and comes back', async (t) => {
  t.timeout(600_000);
  await scoped(async (scope) => {
    const mounted = await mountSettled(scope);
    const driver = await mounted.driver();
    await driver.ok('mkdir', 'many', 0o755);
    await driver.ok('many', 'many/entry-', 0, 100_000);
    const { seq } = await mounted.status();
    await driver.ok('unlinkmany', 'many/entry-', 20_000, 5_000);
    const view = path.join('.snapshots', `@#${seq}`, 'many');
    t.is(await driver.ok('seekdir', view, 5_003), '100002 duplicates=0 wrong=0');
    await driver.close();
    await mounted.rewind('rollback', '--to', `#${seq}`, '--yes');
    t.is(fs.readdirSync(path.join(mounted.tree, 'many')).length, 100_000);
  });
});

test.serial('a tree of 20,000 existing files is usable at once, and whole in history after the walk', async (t) => {
  t.timeout(600_000);
  await scoped(async (scope) => {
    const tree = path.join(scope.temporary('disk'), 'tree');
    fs.mkdirSync(tree);
    const driver = new Driver();
    scope.defer(() => driver.close());
    await driver.ok('base', tree);
    for (let d = 0; d < 20; d++) {
      await driver.ok('mkdir', `d${d}`, 0o755);
      await driver.ok('many', `d${d}/f`, 0, 1000);
    }
    await driver.close();
    await shell('for d in $(seq 0 19); do echo content $d > d$d/f7; done', { cwd: tree });
    const copy = scope.temporary('disk');
    await copyTree(tree, copy);
    const started = Date.now();
    const mounted = await mountTree(scope, { tree });
    const usable = Date.now() - started;
    t.is(fs.readFileSync(path.join(tree, 'd3/f7'), 'utf8'), 'content 3\n');
    await baselineDone(mounted);
    t.log(`usable after ${usable} ms, whole after ${Date.now() - started} ms`);
    const { seq } = await mounted.status();
    t.is(await rsyncDifferences(copy, path.join(tree, '.snapshots', `@#${seq}`)), '');
  });
});
