/** Anchors say which content resembles which. */
import test from 'ava';
import { anchorsOf } from '../../../lib/pack/anchors.js';
import { Similar } from '../../../lib/pack/similar.js';
import { Random } from '../../helpers/random.js';

const random = new Random(1);
const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, () => random.below(256)));
const shared = (a: Buffer, b: Buffer): number => {
  const of = new Set(anchorsOf(a));
  return anchorsOf(b).filter((anchor) => of.has(anchor)).length;
};

test.serial('content that was shifted, cut or put elsewhere keeps its anchors; other content has others', (t) => {
  const block = noise(65536);
  const all = anchorsOf(block).length;
  t.true(all > 60 && all < 300, String(all));
  t.true(shared(block, Buffer.concat([noise(777), block.subarray(0, 60000)])) > all / 2);
  t.true(shared(block, block.subarray(20480, 24576)) >= 2, 'a page of it');
  t.is(shared(block, noise(65536)), 0);
  t.deepEqual(anchorsOf(Buffer.alloc(0)), []);
  t.true(anchorsOf(Buffer.alloc(65536)).length <= 1);
});

test.serial('the content that shares most is found first, of equal ones the newest; at most so many', (t) => {
  const similar = new Similar();
  similar.add(1, [10, 11, 12, 13]);
  similar.add(2, [20, 21]);
  similar.add(3, [11, 30]);
  t.deepEqual(similar.to([10, 12, 13, 20, 21, 99], 5), [1, 2]);
  t.deepEqual(similar.to([10, 11], 5), [3, 1], 'an anchor is of whoever had it last');
  t.deepEqual(similar.to([10, 20, 30], 2), [3, 2]);
  t.deepEqual(similar.to([], 2), []);
});
