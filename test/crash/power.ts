/** The power fails at any instant: all that was synced is there, without any repair (invariants I5, I6). */
import path from 'node:path';
import test from 'ava';
import { freshSeed } from '../helpers/random.js';
import { projectRoot, run } from '../helpers/run.js';
import type { PowerResult } from './support/power.js';

const base = freshSeed();
const CUTS = 7;

/** A mount namespace of its own: what is mounted there goes with it, and another boot is seen there only. */
const ALONE = ['--mount', '--propagation', 'private', process.execPath, path.join(projectRoot, 'dist/test/crash/power-run.js')];

([['ext4', 'no'], ['xfs', 'yes'], ['btrfs', 'no']] as const).forEach(([fileSystem, apart], i) => {
  test.serial(`${CUTS} power cuts under load lose nothing that was synced, on ${fileSystem}, tree and store ${apart === 'yes' ? 'each on a disk' : 'on one disk'}`, async (t) => {
    t.timeout(600_000);
    const seed = (base + i) >>> 0;
    t.log(`seed ${seed}`);
    const { stdout, stderr } = await run('unshare', [...ALONE, '--cuts', String(CUTS), '--per-load', String(CUTS), '--load-ms', '1200', '--file-system', fileSystem, '--apart', apart, '--seed', String(seed)], { timeoutMs: 500_000 });
    const last = stdout.trimEnd().split('\n').at(-1) ?? '';
    t.true(last.startsWith('{'), `${stdout}\n${stderr}`);
    const result = JSON.parse(last) as PowerResult;
    t.deepEqual(result.failures, []);
    t.is(result.cuts, CUTS);
    t.log(`${result.synced} synced operations, ${result.lost} of ${result.uncovered} writes that no flush had covered were taken`);
  });
});
