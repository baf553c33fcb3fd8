/** The daemon dies at any instant: nothing that was acknowledged is lost (invariant I5). */
import test from 'ava';
import { freshSeed } from '../helpers/random.js';
import { scoped } from '../helpers/scope.js';
import { transportOf } from '../helpers/transport.js';
import { kills } from './support/kills.js';

const base = freshSeed();

(['disk', 'memory'] as const).forEach((where, i) => {
  const transport = transportOf(i);
  test.serial(`25 kills under load lose nothing that was acknowledged, tree on ${where}, over ${transport}`, async (t) => {
    t.timeout(600_000);
    const seed = (base + i) >>> 0;
    t.log(`seed ${seed}`);
    const result = await scoped((scope) => kills(scope, { seed, kills: 25, writers: 2, where, transport }));
    t.is(result.kills, 25);
    t.true(result.acknowledged > 1000);
    t.log(`${result.acknowledged} calls acknowledged`);
  });
});
