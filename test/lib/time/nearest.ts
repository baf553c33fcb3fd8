import test from 'ava';
import { editDistance, nearestNames } from '../../../lib/time/nearest.js';

test.serial('edits are inserted, deleted, replaced or swapped letters, counted up to the limit', (t) => {
  t.is(editDistance('kitten', 'sitting', 9), 3);
  t.is(editDistance('form', 'from', 9), 1);
  t.is(editDistance('', 'abc', 9), 3);
  t.is(editDistance('abcdef', 'uvwxyz', 2), 3);
});

test.serial('the nearest names come first, and nothing that is far', (t) => {
  t.deepEqual(nearestNames('indx.ts', ['main.ts', 'index.ts', 'index.js', 'zebra']), ['index.ts', 'index.js']);
  t.deepEqual(nearestNames('rel', ['release', 'other']), ['release']);
  t.deepEqual(nearestNames('x', []), []);
});
