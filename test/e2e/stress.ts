/** Stress for a minute, on disk and in memory; longer by hand: stress-run.ts. */
import test from 'ava';
import { freshSeed } from '../helpers/random.js';
import { scoped } from '../helpers/scope.js';
import { stress } from './support/stress.js';

(['disk', 'memory'] as const).forEach((where, round) => {
  test.serial(`a file model-checked call by call beside four processes on one directory: live tree, view and backing directory are equal, on ${where}`, async (t) => {
    t.timeout(600_000);
    const seed = (freshSeed() + round) >>> 0;
    t.log(`seed ${seed}`);
    const result = await scoped((scope) => stress(scope, { seed, seconds: 30, where }));
    t.log(JSON.stringify(result));
    t.true(result.calls > 50 && result.steps > 50 && result.instants > 0);
  });
});
