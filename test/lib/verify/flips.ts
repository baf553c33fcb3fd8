/** One flipped byte anywhere in a store is an error, a finding, or nothing: never a wrong answer. */
import test from 'ava';
import { scoped } from '../../helpers/scope.js';
import { flips } from './support/flips.js';

const SEED = 5;
const FLIPS = 120;
/** Of the stores that are damaged one in so many is repaired, for the time that it takes. */
const REPAIR_EVERY = 3;

test.serial(`${FLIPS} flipped bytes in tables, blob files, logs, manifest and journal: none makes a wrong answer`, (t) => scoped(async (scope) => {
  const counts = await flips(scope, SEED, FLIPS, REPAIR_EVERY);
  t.log(counts);
  t.deepEqual(Object.keys(counts).sort(), ['CURRENT', 'MANIFEST', 'blob', 'journal', 'log', 'other', 'sst']);
  const all = Object.values(counts);
  t.true(all.some(({ refused }) => refused > 0) && all.some(({ found }) => found > 0) && all.some(({ equal }) => equal > 0) && all.some((one) => one.repaired > 0), 'each happens');
}));
