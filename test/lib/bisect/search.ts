import test from 'ava';
import { nextStep, type Verdict } from '../../../lib/bisect/search.js';
import { freshSeed, Random } from '../../helpers/random.js';

/** Searches as a tester would, to whom index `first` is the first bad one. */
function search(count: number, first: number, skips: ReadonlySet<number>): { runs: number; from: number; to: number; good: number } {
  const verdicts = new Map<number, Verdict>();
  for (;;) {
    const step = nextStep(count, verdicts);
    if (step.kind === 'found') return { runs: verdicts.size, from: step.index, to: step.index, good: step.good };
    if (step.kind === 'unsure') return { runs: verdicts.size, from: step.from, to: step.to, good: step.good };
    if (verdicts.has(step.index)) throw new Error(`${step.index} was asked twice`);
    verdicts.set(step.index, skips.has(step.index) ? 'skip' : step.index < first ? 'good' : 'bad');
  }
}

test.serial('the first bad one is found, wherever it is, in the logarithm of their number', (t) => {
  for (const count of [1, 2, 3, 7, 8, 9, 200]) {
    for (let first = 0; first < count; first++) {
      const { runs, from, to, good } = search(count, first, new Set());
      t.deepEqual([from, to, good], [first, first, first - 1]);
      t.true(runs <= Math.ceil(Math.log2(count)), `${runs} runs for ${count}`);
    }
  }
});

test.serial('with skips the first bad one is found, or lies between the last good and the first that is known as bad', (t) => {
  const seed = freshSeed();
  t.log(`seed ${seed}`);
  const random = new Random(seed);
  for (let round = 0; round < 500; round++) {
    const count = random.between(1, 60);
    const first = random.below(count);
    const skips = new Set(Array.from({ length: random.below(count) }, () => random.below(count)));
    const { from, to, good } = search(count, first, skips);
    t.true(from <= first && first <= to && good === from - 1);
    for (let index = from; index < to; index++) t.true(skips.has(index), `${index} of ${from}..${to} was never asked`);
  }
});
