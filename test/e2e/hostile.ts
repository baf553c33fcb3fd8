/** Somebody changes a tree to do harm while it is rolled back, or a destination while it is restored to: nothing outside is touched. */
import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { O, RENAME, S } from '../helpers/constants.js';
import { Driver } from '../helpers/driver.js';
import { mountSettled, rewind } from '../helpers/mount.js';
import { sleep } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { contentFields, differences, snapshot } from '../helpers/snapshot.js';

const FILES = 300;
const names = Array.from({ length: FILES }, (_, i) => `f${i}`);

/** A directory that nothing may touch, with the very names that are rolled back. */
function victimOf(scope: Scope): string {
  const victim = path.join(scope.temporary('memory'), 'victim');
  fs.mkdirSync(victim);
  for (const name of names) fs.writeFileSync(path.join(victim, name), 'of somebody else');
  return victim;
}

/** So often the two change places at least, however fast the work is that they are to mislead. */
const SWAPS = 30;

/** Puts a link to the victim in the place of a directory, and back, until it is told to end; says how often. Each stands there for a moment. */
async function swapping(scope: Scope, directory: string, victim: string): Promise<{ swaps: () => number; end: () => Promise<void> }> {
  const driver = new Driver();
  scope.defer(() => driver.close());
  await driver.ok('base', directory);
  await driver.ok('symlink', victim, 'decoy');
  let [swaps, ending] = [0, false];
  const swapped = (async () => {
    while (!ending) {
      if ((await driver.call('rename', 'd', 'decoy', RENAME.EXCHANGE)).error === '') swaps++;
      await sleep(swaps % 2 === 0 ? 4 : 1);
    }
  })();
  const end = async (): Promise<void> => {
    ending = true;
    await swapped;
    await driver.close();
  };
  return { swaps: () => swaps, end };
}

test.serial('a directory that is swapped for a link while it is rolled back leads nobody out of the tree', (t) => scoped(async (scope) => {
  t.timeout(240_000);
  const victim = victimOf(scope);
  const mounted = await mountSettled(scope, { where: 'memory' });
  const at = (name: string): string => path.join(mounted.tree, 'd', name);
  const driver = new Driver();
  scope.defer(() => driver.close());
  const before = await snapshot(driver, victim);
  fs.mkdirSync(at('.'));
  for (const name of names) fs.writeFileSync(at(name), 'then');
  await mounted.control('mark', { name: 'then' });
  const then = await snapshot(driver, mounted.tree);
  const rollback = (paths: string[]): Promise<unknown> => mounted.items('rollback', { paths, to: 'then', force: true, time_zone: 'UTC' }, 60_000);
  for (const [i, name] of names.entries()) if (i % 3 === 0) fs.rmSync(at(name)); else fs.writeFileSync(at(name), 'now');
  const { swaps, end } = await swapping(scope, mounted.tree, victim);
  for (let round = 0; round < 4 || swaps() < SWAPS; round++) await rollback(['d']).catch((error: Error) => t.regex(error.message, /ERR_(PARTLY_DONE|NEWER_CHANGES)/));
  await end();
  t.deepEqual(differences(before, await snapshot(driver, victim), [...contentFields, 'mtime', 'ctime']), []);
  await rollback([]);
  t.deepEqual(differences(then, await snapshot(driver, mounted.tree), contentFields), []);
  t.log(`${swaps()} swaps`);
}));

test.serial('nor does one in the destination of a restore', (t) => scoped(async (scope) => {
  t.timeout(240_000);
  const victim = victimOf(scope);
  const mounted = await mountSettled(scope, { where: 'memory' });
  fs.mkdirSync(path.join(mounted.tree, 'd'));
  for (const name of names) fs.writeFileSync(path.join(mounted.tree, 'd', name), 'then');
  await mounted.settled();
  const driver = new Driver();
  scope.defer(() => driver.close());
  const before = await snapshot(driver, victim);
  const into = scope.temporary('memory');
  fs.mkdirSync(path.join(into, 'd'));
  const { swaps, end } = await swapping(scope, into, victim);
  for (let round = 0; round < 5 || swaps() < SWAPS; round++) {
    await mounted.items('restore', { path: 'd', at: 'now', into, force: true, time_zone: 'UTC' }, 60_000).catch((error: Error) => t.regex(error.message, /ERR_(PARTLY_DONE|EXISTS|NOT_A_DIRECTORY)/));
  }
  await end();
  t.deepEqual(differences(before, await snapshot(driver, victim), [...contentFields, 'mtime', 'ctime']), []);
  t.log(`${swaps()} swaps`);
}));

test.serial('devices, fifos and setuid files come back as they were; nothing opens or runs them, and no view does either', (t) => scoped(async (scope) => {
  t.timeout(240_000);
  const mounted = await mountSettled(scope, { where: 'memory' });
  const driver = await mounted.driver();
  const ran = path.join(scope.temporary('memory'), 'ran');
  await driver.ok('mknod', 'device', S.CHR | 0o666, 1, 3);
  await driver.ok('mknod', 'fifo', S.FIFO | 0o666, 0, 0);
  await driver.ok('open', 1, 'tool', O.CREAT | O.WRONLY, 0o755);
  await driver.ok('text', 1, `#!/bin/sh\ntouch ${ran}\n`);
  await driver.ok('close', 1);
  await driver.ok('chmod', 'tool', 0o6755);
  await mounted.control('mark', { name: 'then' });
  const then = await snapshot(driver, mounted.tree);
  for (const name of ['device', 'fifo', 'tool']) await driver.ok('unlink', name);
  await mounted.settled();
  const view = path.join(mounted.tree, '.snapshots/@then');
  t.is((await driver.call('open', 1, path.join(view, 'device'), O.RDONLY, 0)).error, 'EACCES', 'a device of the past is none');
  t.is((await rewind([path.join(view, 'tool')])).code, 2);
  t.throws(() => fs.accessSync(path.join(view, 'tool'), fs.constants.X_OK), { code: 'EACCES' });
  for (const name of ['device', 'fifo']) t.regex((await rewind(['cat', name, '--at', 'then'], { cwd: mounted.tree })).stderr, /was not a regular file/);
  await mounted.items('rollback', { paths: [], to: 'then', time_zone: 'UTC' });
  t.deepEqual(differences(then, await snapshot(driver, mounted.tree), [...contentFields, 'mtime']), []);
  const into = scope.temporary('memory');
  await mounted.items('restore', { path: '', at: 'then', into, time_zone: 'UTC' });
  t.deepEqual(differences(then, await snapshot(driver, into), contentFields), []);
  t.false(fs.existsSync(ran));
}));
