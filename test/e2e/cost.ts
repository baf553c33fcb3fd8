/** A rollback and an undo cost what changed, not what there is: to plan, and to do. */
import test from 'ava';
import { scoped } from '../helpers/scope.js';
import { costOf } from './support/cost.js';

test.serial('100 changes cost the same in a tree of 1,000 files and of 8,000', async (t) => {
  t.timeout(600_000);
  const small = await scoped((scope) => costOf(scope, 1000, 100));
  const large = await scoped((scope) => costOf(scope, 8000, 100));
  t.log(JSON.stringify({ small, large }));
  for (const kind of ['rollback', 'undo', 'undoSince'] as const) {
    const [a, b] = [small[kind], large[kind]];
    t.true(a.steps >= 100);
    t.is(b.steps, a.steps);
    t.true(b.questions < a.questions * 2 && b.rows < a.rows * 2, `${kind}: ${JSON.stringify([a, b])}`);
  }
  for (const kind of ['rollback', 'undo'] as const) {
    const [a, b] = [small.applied[kind], large.applied[kind]];
    t.true(a.records >= 100);
    t.true(b.requests < a.requests * 2 && b.records < a.records * 2, `${kind}: ${JSON.stringify([a, b])}`);
  }
});
