/** A rollback and an undo cost what changed, not what there is. */
import test from 'ava';
import { scoped } from '../helpers/scope.js';
import { costOf, type Cost } from './support/cost.js';

test('100 changes cost the same in a tree of 1,000 files and of 20,000', async (t) => {
  t.timeout(600_000);
  const small = await scoped((scope) => costOf(scope, 1000, 100));
  const large = await scoped((scope) => costOf(scope, 20_000, 100));
  t.log(JSON.stringify({ small, large }));
  for (const kind of ['rollback', 'undo'] as const) {
    const [a, b]: [Cost, Cost] = [small[kind], large[kind]];
    t.true(a.steps >= 100);
    t.is(b.steps, a.steps);
    t.true(b.questions < a.questions * 2 && b.rows < a.rows * 2, `${kind}: ${JSON.stringify([a, b])}`);
  }
});
