/**
 * Power cuts by hand: `unshare --mount --propagation private node dist/test/crash/power-run.js --cuts 200 [--seed N]
 * [--file-system ext4] [--apart yes|no] [--per-load 10] [--load-ms 4000]`. The last line is the result as JSON.
 */
import { parseArgs } from 'node:util';
import { freshSeed } from '../helpers/random.js';
import { FILE_SYSTEMS, type FileSystem } from './support/cut-disks.js';
import { powerCuts, type PowerResult } from './support/power.js';

const { values } = parseArgs({
  options: {
    cuts: { type: 'string', default: '200' }, seed: { type: 'string', default: String(freshSeed()) }, 'file-system': { type: 'string' },
    apart: { type: 'string' }, 'per-load': { type: 'string', default: '10' }, 'load-ms': { type: 'string', default: '4000' },
  },
});

const log = (text: string): void => void process.stdout.write(`${text}\n`);
const fileSystems = values['file-system'] === undefined ? FILE_SYSTEMS : [values['file-system'] as FileSystem];
const layouts = values.apart === undefined ? [false, true] : [values.apart === 'yes'];
const kinds = fileSystems.flatMap((fileSystem) => layouts.map((apart) => ({ fileSystem, apart })));

const total: PowerResult = { cuts: 0, synced: 0, uncovered: 0, lost: 0, failures: [] };
for (let round = 0; total.cuts < Number(values.cuts); round++) {
  const cuts = Math.min(Number(values['per-load']), Number(values.cuts) - total.cuts);
  const one = await powerCuts({ ...kinds[round % kinds.length]!, seed: (Number(values.seed) + round) >>> 0, cuts, loadMs: Number(values['load-ms']), log });
  total.cuts += one.cuts;
  total.synced += one.synced;
  total.uncovered += one.uncovered;
  total.lost += one.lost;
  total.failures.push(...one.failures);
  for (const failure of one.failures) log(`FAILED ${failure}`);
}
log(JSON.stringify(total));
process.exitCode = total.failures.length > 0 ? 1 : 0;
