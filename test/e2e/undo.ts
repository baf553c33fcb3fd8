/** Undoing one of three writers gives the tree in which that writer never ran; commands under `rewind run` leave no trace. */
import test from 'ava';
import { freshSeed } from '../helpers/random.js';
import { scoped } from '../helpers/scope.js';
import { undoOneWriter } from './support/undo.js';

/** Those above 100 failed once: changes by names that led elsewhere, names that move together or are moved on, a file cut and grown again, an object moved on, a name
 * that was there only for a while. */
const SEEDS = [1, 2, 3, 4, 5, 6, 109, 114, 119, 214, 224, 64834682, 568812119, 799150238, 974649877];

test.serial('undoing one of three writers gives the tree in which it never ran, wherever no conflict is reported', async (t) => {
  const fresh = freshSeed();
  t.log(`REWIND_SEED=${fresh}`);
  let [compared, taken, clean] = [0, 0, 0];
  for (const seed of [...SEEDS, fresh]) {
    // Few steps seldom collide, many collide everywhere.
    const result = await scoped((scope) => undoOneWriter(scope, seed, 8 + (seed % 5) * 8));
    compared += result.compared;
    taken += result.taken;
    clean += result.conflicts === 0 ? 1 : 0;
    t.log(`seed ${seed}: ${JSON.stringify(result)}`);
  }
  t.true(compared > 40 && taken > 30 && clean >= 2, `${compared} compared, ${taken} taken back, ${clean} without a conflict`);
});
