/** Blocks that are asked for at the same time: answered together, each as if it were asked for alone. */
import test from 'ava';
import { Gather } from '../../../lib/history/gather.js';
import { History } from '../../../lib/history/history.js';
import { extractRaw } from '../../helpers/extract.js';
import { freshSeed, Random } from '../../helpers/random.js';
import { Scenario } from '../../helpers/scenario.js';
import { scoped, type Scope } from '../../helpers/scope.js';

/** History of a session of random steps. */
async function recorded(scope: Scope, random: Random, steps: number): Promise<History> {
  const scenario = new Scenario(random);
  scenario.changeUnmounted(60);
  scenario.mount();
  for (let i = 0; i < steps; i++) scenario.step();
  scenario.finishWalk();
  const history = await History.open(`${scope.temporary('memory')}/history`);
  scope.defer(() => history.close());
  await extractRaw(history, scenario.records);
  return history;
}

test.serial('what is asked while others are answered is answered together; one alone at once', async (t) => {
  const batches: number[][] = [];
  const gather = new Gather<number, number>(async (questions) => {
    batches.push(questions);
    await new Promise((resolve) => setTimeout(resolve, 5));
    return questions.map((question) => question * 2);
  }, 4, 1);
  t.is(await gather.ask(1), 2);
  t.deepEqual(await Promise.all([2, 3, 4, 5, 6].map((n) => gather.ask(n))), [4, 6, 8, 10, 12]);
  t.deepEqual(batches, [[1], [2, 3, 4, 5], [6]]);
});

test.serial('a question that fails fails alone', async (t) => {
  const gather = new Gather<number, number>(async (questions) => {
    if (questions.includes(3)) throw new Error('three');
    return questions;
  }, 100, 1);
  const answers = await Promise.allSettled([1, 2, 3, 4].map((n) => gather.ask(n)));
  t.deepEqual(answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : (answer.reason as Error).message)), [1, 2, 'three', 4]);
});

for (const seed of [1, 2, 3, freshSeed()]) {
  test.serial(`blocks asked for together are those asked for alone (seed ${seed})`, async (t) => {
    await scoped(async (scope) => {
      const random = new Random(seed);
      const history = await recorded(scope, random, 300);
      const last = history.watermark();
      const asked = Array.from({ length: 400 }, () => ({ node: random.between(1, 90), block: random.below(3), seq: random.chance(0.5) ? last : random.between(1, last) }));
      const alone: Buffer[] = [];
      for (const { node, block, seq } of asked) alone.push(await history.readBlock(node, block, seq));
      const together = await Promise.all(asked.map(({ node, block, seq }) => history.readBlock(node, block, seq)));
      for (const [i, one] of asked.entries()) t.true(together[i]!.equals(alone[i]!), JSON.stringify(one));
      t.true(alone.some((bytes) => bytes.some((byte) => byte !== 0)));
    });
  });
}

test.serial('content that is broken is told to those who ask for it, not to their neighbours', async (t) => {
  await scoped(async (scope) => {
    const history = await recorded(scope, new Random(5), 200);
    const batch = history.rocks.batch();
    let number = 0;
    for await (const { key } of history.rocks.scan('content', {})) if (number++ % 3 === 0) batch.put('content', key, Buffer.from([77]));
    await history.rocks.commit(batch);
    const nodes = Array.from({ length: 90 }, (_, i) => i + 1);
    const read = (node: number): Promise<string> => history.readBlock(node, 0, history.watermark()).then(() => 'read', (error: { code: string }) => error.code);
    const together = await Promise.all(nodes.map(read));
    const alone: string[] = [];
    for (const node of nodes) alone.push(await read(node));
    t.deepEqual(together, alone);
    t.deepEqual(new Set(together), new Set(['read', 'ERR_HISTORY_CORRUPT']));
  });
});
