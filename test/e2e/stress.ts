/** Stress for a short while: on disk and in memory, over each transport, and on files that the kernel passes on; longer by hand: stress-run.ts. */
import test from 'ava';
import { freshSeed } from '../helpers/random.js';
import { scoped } from '../helpers/scope.js';
import { transportOf } from '../helpers/transport.js';
import { stress, type StressOptions } from './support/stress.js';

const SECONDS = 8;
/** A twentieth of what two busy cores reach in that time: below it something hangs. */
const LEAST = { calls: 40, steps: 200, mapped: 5, instants: 1 };

const rounds: readonly (Pick<StressOptions, 'where' | 'passedOn'> & { name: string })[] = [
  { name: 'on disk', where: 'disk' },
  { name: 'in memory', where: 'memory' },
  { name: 'on files that the kernel passes on', where: 'disk', passedOn: true },
];

rounds.forEach(({ name, ...round }, i) => {
  const transport = transportOf(i);
  test.serial(`a file model-checked call by call beside four processes on one directory: live tree, view and backing directory are equal, ${name}, over ${transport}`, async (t) => {
    t.timeout(600_000);
    const seed = (freshSeed() + i) >>> 0;
    t.log(`seed ${seed}`);
    const result = await scoped((scope) => stress(scope, { seed, seconds: SECONDS, transport, ...round }));
    t.log(JSON.stringify(result));
    for (const kind of ['calls', 'steps', 'mapped', 'instants'] as const) t.true(result[kind] >= LEAST[kind], kind);
  });
});
