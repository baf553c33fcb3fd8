/** Thinning as data. */
import test from 'ava';
import { cutKey, u64Key } from '../../../lib/history/keys.js';
import { thinCuts } from '../../../lib/retention/entries.js';

test.serial('an older cut goes only when a newer one of the stretch covers all of it', (t) => {
  const cut = (seq: number, from: number, to: number) => ({ key: cutKey(7, seq, from), value: u64Key(to) });
  const deletes = (...cuts: ReturnType<typeof cut>[]) => thinCuts(cuts, { from: 10, to: 20 }).deletes;
  t.deepEqual(deletes(cut(18, 0, 100), cut(15, 50, 100)), [cutKey(7, 15, 50)]);
  t.deepEqual(deletes(cut(18, 0, 100), cut(15, 50, 101)), []);
  t.deepEqual(deletes(cut(18, 60, 100), cut(15, 50, 100)), []);
  t.deepEqual(deletes(cut(21, 0, 100), cut(15, 50, 100)), [], 'the newer one lies behind the stretch');
});
