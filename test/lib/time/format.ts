import test from 'ava';
import { formatTime, formatTimeUtc } from '../../../lib/time/format.js';
import { instantOf, wallTime } from '../../../lib/time/zone.js';

const T = 1_795_250_700_123_456_789n;

test.serial('local time carries its offset, UTC every nanosecond', (t) => {
  t.is(formatTime(T, { timeZone: 'Europe/Berlin' }), '2026-11-21T09:45:00.123+01:00');
  t.is(formatTime(T, { timeZone: 'America/St_Johns', digits: 9 }), '2026-11-21T05:15:00.123456789-03:30');
  t.is(formatTime(T, { timeZone: 'UTC', digits: 0 }), '2026-11-21T08:45:00+00:00');
  t.is(formatTimeUtc(T), '2026-11-21T08:45:00.123456789Z');
});

test.serial('digits are cut, never rounded, also before 1970', (t) => {
  t.is(formatTime(999_999_999n, { timeZone: 'UTC' }), '1970-01-01T00:00:00.999+00:00');
  t.is(formatTimeUtc(-1n), '1969-12-31T23:59:59.999999999Z');
  t.is(formatTime(-1n, { timeZone: 'UTC', digits: 9 }), '1969-12-31T23:59:59.999999999+00:00');
});

test.serial('wall time and instant are each other\'s inverse, also around changes of the clocks', (t) => {
  const zone = 'Europe/Berlin';
  for (const start of [Date.UTC(2026, 2, 28, 22), Date.UTC(2026, 9, 24, 22)]) {
    for (let minute = 0; minute < 300; minute += 7) {
      const at = BigInt(start + minute * 60_000) * 1_000_000n + 5n;
      const again = instantOf(wallTime(at, zone), zone);
      t.true(again === at || again === at - 3_600_000_000_000n, String(at));
    }
  }
  const skipped = { year: 2026, month: 3, day: 29, hour: 2, minute: 30, second: 0, ns: 0 };
  t.is(formatTime(instantOf(skipped, zone), { timeZone: zone, digits: 0 }), '2026-03-29T03:30:00+02:00');
  const twice = { year: 2026, month: 10, day: 25, hour: 2, minute: 30, second: 0, ns: 0 };
  t.is(formatTime(instantOf(twice, zone), { timeZone: zone, digits: 0 }), '2026-10-25T02:30:00+02:00', 'the earlier of the two');
});
