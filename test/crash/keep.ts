/** Keeping what was changed in a fork ends anywhere: it is gone on with, or taken back, exactly. */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { Driver } from '../helpers/driver.js';
import { baselineDone, mountSettled, rewind } from '../helpers/mount.js';
import { freshSeed, Random } from '../helpers/random.js';
import { shell, sleep, until } from '../helpers/run.js';
import { scoped } from '../helpers/scope.js';
import { contentFields, differences, snapshot, type Field, type Snapshot } from '../helpers/snapshot.js';
import { begun, cutOff, interrupted } from './support/operations.js';

const KILLS = 4;
/** The kernel counts the links of an overlay's directories otherwise; keep leaves the times of directories. */
const AS_IN_FORK: readonly Field[] = contentFields.filter((field) => field !== 'nlink');
const EXACT: readonly Field[] = [...contentFields, 'mtime'];

const TREE = 'for d in a b c/x c/y gone; do mkdir -p $d; for i in $(seq 40); do seq $((i * 40)) > $d/f$i; done; done; head -c 3000000 /dev/urandom > large';
const FORK = 'for i in $(seq 40); do echo more >> b/f$i; done; mv c/x moved; mv a c/a; rm -r gone; mkdir new; for i in $(seq 80); do seq 500 > new/n$i; done; head -c 3000000 /dev/urandom > large';

test.serial('a daemon killed anywhere in a keep: --resume ends it exactly, undo takes it back exactly', (t) => scoped(async (scope) => {
  t.timeout(600_000);
  const random = new Random(freshSeed());
  const tree = await mountSettled(scope, { where: 'memory' });
  const stateOf = async (directory: string): Promise<Snapshot> => {
    const driver = new Driver();
    try {
      return await snapshot(driver, directory);
    } finally {
      await driver.close();
    }
  };
  await shell(TREE, { cwd: tree.tree });
  const place = (await tree.rewind('fork', 'now', '--name', 'f')).trim();
  await shell(FORK, { cwd: place });
  const [before, wanted] = [await stateOf(tree.tree), await stateOf(place)];
  const first = await begun(tree, ['fork', 'keep', 'f']);
  const began = Date.now();
  await until('it is done', async () => (await tree.control('operations'))['after'] !== null);
  const full = Date.now() - began;
  await first.ended;
  t.deepEqual(differences(wanted, await stateOf(tree.tree), AS_IN_FORK), []);
  await tree.rewind('undo', '--yes');
  t.deepEqual(differences(before, await stateOf(tree.tree), EXACT), [], 'undone at once');
  let cut = 0;
  for (let i = 0; i < KILLS; i++) {
    const wait = i === 0 ? 0 : random.between(0, Math.ceil(full / 3));
    const going = await begun(tree, ['fork', 'keep', 'f']);
    await sleep(wait);
    await tree.kill();
    await going.ended;
    await tree.mount();
    await baselineDone(tree);
    const label = `kill ${i} after ${wait} ms`;
    if (await interrupted(tree)) {
      cut++;
      t.regex(await tree.rewind('op', 'log'), /fork +keep all of f .*INTERRUPTED/, label);
      if (i % 2 === 0) {
        await tree.rewind('rollback', '--resume', '--yes');
        t.deepEqual(differences(wanted, await stateOf(tree.tree), AS_IN_FORK), [], `${label}: gone on with`);
        t.is(await interrupted(tree), null, label);
      }
    }
    await tree.rewind('undo', '--yes');
    t.deepEqual(differences(before, await stateOf(tree.tree), EXACT), [], `${label}: taken back`);
    t.is(await interrupted(tree), null, label);
  }
  t.log(`${cut} of ${KILLS} kills met the keep (${full} ms)`);
  t.true(cut > 0);
  await cutOff(tree, ['fork', 'keep', 'f']);
  fs.writeFileSync(path.join(tree.tree, 'new-of-today'), 'besides');
  fs.appendFileSync(path.join(tree.tree, 'b/f1'), 'after the crash\n');
  const refused = await rewind(['rollback', '--resume', '--yes', '--tree', tree.tree], { timeoutMs: 120_000 });
  t.is(refused.code, 13, refused.stderr);
  t.regex(refused.stderr, /others changed b\/f1 \(/, 'what others changed since, in its paths alone');
}));
