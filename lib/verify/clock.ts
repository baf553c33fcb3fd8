/**
 * Checks of seq and time (invariant I3): `times` has every record once, times never decrease, `clock` says the same the
 * other way round, and points name instants that there are.
 */
import type { History } from '../history/history.js';
import { clockKey, getU64, u64Key } from '../history/keys.js';
import type { Entry } from '../history/rocks.js';
import { decodeTimes } from '../history/values.js';
import type { Check, Suspicion } from './check.js';

export function timesCheck(history: History): Check {
  return {
    family: 'times',
    async page(entries, before) {
      const runs = entries.map((entry) => ({ entry, first: getU64(entry.key, 0), times: decodeTimes(entry.value) }));
      const clock = await history.rocks.getMany('clock', runs.map(({ first, times }) => clockKey(times.first, first)));
      return runs.flatMap(({ entry, first, times }, i): Suspicion[] => {
        const found: Suspicion[] = [];
        const last = entries[i - 1] ?? before;
        if (last != null) found.push(...following(last, entry));
        for (let at = 1; at < times.count; at++) {
          if (times.at(at) < times.at(at - 1)) found.push({ kind: 'time-decreases', entry, what: `record ${first + at} has an earlier time than record ${first + at - 1}` });
        }
        if (clock[i] === null) found.push({ kind: 'clock-astray', entry, what: `the clock does not know the time of record ${first}` });
        return found;
      });
    },
  };
}

/** What is wrong between a run of times and the next. */
function following(before: Entry, entry: Entry): Suspicion[] {
  const [earlier, times] = [decodeTimes(before.value), decodeTimes(entry.value)];
  const [next, first] = [getU64(before.key, 0) + earlier.count, getU64(entry.key, 0)];
  const found: Suspicion[] = [];
  if (first !== next) found.push({ kind: 'times-gap', entry, what: `times go on with record ${first}, expected ${next}` });
  if (times.first < earlier.at(earlier.count - 1)) found.push({ kind: 'time-decreases', entry, what: `record ${first} has an earlier time than the one before it` });
  return found;
}

export function clockCheck(history: History): Check {
  return {
    family: 'clock',
    async page(entries) {
      const values = await history.rocks.getMany('times', entries.map(({ key }) => u64Key(getU64(key, 8))));
      return entries.flatMap((entry, i): Suspicion[] => {
        const value = values[i];
        const [time, seq] = [entry.key.readBigUInt64BE(0), getU64(entry.key, 8)];
        if (value == null) return [{ kind: 'clock-astray', entry, what: `the clock names record ${seq}, of which no times are there` }];
        return value.length >= 8 && decodeTimes(value).first === time ? [] : [{ kind: 'clock-astray', entry, what: `the clock has another time for record ${seq} than its times` }];
      });
    },
  };
}

export function pointCheck(history: History): Check {
  return {
    family: 'points',
    async page(entries) {
      return entries.flatMap((entry): Suspicion[] => {
        const id = getU64(entry.key, 0);
        const { seq = id } = JSON.parse(entry.value.toString('utf8')) as { seq?: unknown };
        if (typeof seq === 'number' && Number.isSafeInteger(seq) && seq >= 0 && seq <= id && seq <= history.watermark()) return [];
        return [{ kind: 'point-out-of-range', entry, what: `point ${id} names #${String(seq)}; history goes to #${history.watermark()}` }];
      });
    },
  };
}
