import test from 'ava';
import { ClockWatch, type ClockLook } from '../../../lib/states/clock.js';

const S = 1_000_000_000n;
const at = (wallS: number, lastS: number, lastSeq: number, steadyS: number): ClockLook => ({ wallNs: BigInt(wallS) * S, lastNs: BigInt(lastS) * S, lastSeq, steadyMs: steadyS * 1000 });

test.serial('while the clock goes on nothing is noted', (t) => {
  const watch = new ClockWatch();
  t.is(watch.look(at(100, 99, 5, 0)), null);
  t.is(watch.look(at(101, 101, 6, 1)), null);
  t.is(watch.look({ ...at(102, 102, 7, 2), lastNs: 102n * S + S / 2n }), null, 'so little is nothing');
});

test.serial('set back, it is noted at once, then as long as something changes, until it has caught up', (t) => {
  const watch = new ClockWatch();
  t.deepEqual(watch.look(at(40, 100, 5, 0)), { wallNs: 40n * S, behindNs: 60n * S });
  t.is(watch.look(at(47, 100, 6, 7)), null, 'nothing but what was noted');
  t.is(watch.look(at(42, 100, 9, 1)), null, 'so soon it is not noted again');
  t.deepEqual(watch.look(at(50, 100, 9, 10)), { wallNs: 50n * S, behindNs: null });
  t.is(watch.look(at(60, 100, 10, 20)), null);
  t.is(watch.look(at(100, 100, 12, 60)), null, 'it has caught up');
  t.deepEqual(watch.look(at(30, 101, 14, 61)), { wallNs: 30n * S, behindNs: 71n * S }, 'once more');
  t.deepEqual(watch.look(at(10, 101, 14, 62)), { wallNs: 10n * S, behindNs: 91n * S }, 'set back again while it was behind');
});
