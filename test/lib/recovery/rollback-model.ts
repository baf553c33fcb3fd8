/** Property: plan and apply on the tree in memory give, for any two instants, exactly the older state. */
import test from 'ava';
import { applyPlan } from '../../../lib/recovery/apply.js';
import { planRollback } from '../../../lib/recovery/plan.js';
import { dump } from '../../helpers/dump.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { randomChange } from '../../helpers/random-changes.js';
import { freshSeed, Random } from '../../helpers/random.js';

const RUNS = 150;

test.serial('any instant is reached exactly from any later one', async (t) => {
  const base = freshSeed();
  t.log(`REWIND_SEED=${base}`);
  for (let run = 0; run < RUNS; run++) {
    const random = new Random(base + run);
    const tree = new ModelTree();
    const change = (times: number): void => {
      for (let i = 0; i < times; i++) tree.do(randomChange(random));
    };
    change(random.between(50, 400));
    for (let round = 0; round < 4; round++) {
      const now = tree.seq;
      const to = random.between(Math.max(1, now - random.pick([5, 30, 1000])), now);
      const expected = await dump(tree.history, to);
      const plan = await planRollback(tree.history, { paths: [], to, now });
      await t.notThrowsAsync(applyPlan(plan, tree.history, tree), `seed ${base + run}, round ${round}: #${now} to #${to}`);
      t.deepEqual(await dump(tree.history, tree.seq), expected, `seed ${base + run}, round ${round}: #${now} to #${to}`);
      const again = await planRollback(tree.history, { paths: [], to, now: tree.seq });
      t.deepEqual(again.ops, [], `seed ${base + run}, round ${round}: a second plan has nothing left to do`);
      change(random.between(1, 60));
    }
  }
});
