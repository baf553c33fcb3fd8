import test from 'ava';
import { linesOf, mergeLines } from '../../../../lib/recovery/undo/merge.js';
import { Random } from '../../../helpers/random.js';

const merge = (base: string, ours: string, theirs: string): string | null => mergeLines([...base], [...ours], [...theirs])?.join('') ?? null;

test.serial('changes of different lines are both had, also where they touch', (t) => {
  t.is(merge('abcdef', 'aBcdef', 'abcdEf'), 'aBcdEf');
  t.is(merge('abc', 'ac', 'abcd'), 'acd');
  t.is(merge('ab', 'a', 'abx'), 'ax');
  t.is(merge('ab', 'aB', 'abx'), 'aBx');
  t.is(merge('abcd', 'aBcd', 'abCd'), 'aBCd');
});

test.serial('changes of the same line, or insertions at one place, contradict each other', (t) => {
  t.is(merge('abc', 'aXc', 'aYc'), null);
  t.is(merge('ab', 'axb', 'ayb'), null);
  t.is(merge('abcd', 'ad', 'abxcd'), null);
  t.is(merge('abc', 'aXc', 'aXc'), 'aXc');
});

test.serial('lines keep their ends and their bytes', (t) => {
  const bytes = Buffer.from('a\r\n\n\xff\xfe\nlast', 'latin1');
  t.true(Buffer.from(linesOf(bytes).join(''), 'latin1').equals(bytes));
  t.deepEqual(linesOf(Buffer.alloc(0)), []);
});

test.serial('taking a patch of other lines away gives what the rest alone gives', (t) => {
  const random = new Random(20261121);
  for (let i = 0; i < 500; i++) {
    const base = Array.from({ length: random.between(1, 40) }, (_, line) => `${line}`);
    const [mine, others] = [new Map<number, string[]>(), new Map<number, string[]>()];
    for (let at = random.below(3); at < base.length; at += random.between(1, 5)) (random.chance(0.5) ? mine : others).set(at, Array.from({ length: random.below(3) }, (_, n) => `${i} ${at} ${n}`));
    const patched = (...patches: ReadonlyMap<number, string[]>[]): string[] => base.flatMap((line, at) => patches.find((patch) => patch.has(at))?.get(at) ?? [line]);
    const merged = mergeLines(patched(mine), base, patched(mine, others));
    // Where both sides made neighbours vanish or grow, one diff cannot say whose line is whose: refused, but never wrong.
    if (merged) t.deepEqual(merged, patched(others));
  }
});
