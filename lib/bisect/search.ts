/**
 * The search for the first bad one of a row of instants, as git bisect does it. Pure. Guarantees: without skips the
 * logarithm of their number of tests is enough; what was answered is never asked again.
 */

/** What a test said of an instant: skip means that it cannot be told. */
export type Verdict = 'good' | 'bad' | 'skip';

/** What to do next. */
export type Step =
  /** Test the instant with this index. `left`: tests at most, with this one. */
  | { kind: 'test'; index: number; left: number }
  /** The first bad one; the one before it (-1: the good end) is good. */
  | { kind: 'found'; index: number; good: number }
  /** The first bad one is one of these; those between were skipped. */
  | { kind: 'unsure'; from: number; to: number; good: number };

/**
 * @param count instants in a row, oldest first; before the first all is good, at the last all is bad
 * @param verdicts by index
 */
export function nextStep(count: number, verdicts: ReadonlyMap<number, Verdict>): Step {
  let good = -1;
  let bad = count - 1;
  for (const [index, verdict] of verdicts) {
    if (verdict === 'bad') bad = Math.min(bad, index);
  }
  for (const [index, verdict] of verdicts) {
    if (verdict === 'good' && index < bad) good = Math.max(good, index);
  }
  const open = Array.from({ length: bad - good - 1 }, (_, i) => good + 1 + i).filter((index) => !verdicts.has(index));
  if (open.length > 0) {
    const middle = (good + bad) / 2;
    const index = open.reduce((best, one) => (Math.abs(one - middle) < Math.abs(best - middle) ? one : best));
    return { kind: 'test', index, left: Math.ceil(Math.log2(open.length + 1)) };
  }
  return bad === good + 1 ? { kind: 'found', index: bad, good } : { kind: 'unsure', from: good + 1, to: bad, good };
}
