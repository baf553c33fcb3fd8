import test from 'ava';
import type { ErrorCode, RewindError } from '../../../lib/errors.js';
import { readsAsTime, resolveTime } from '../../../lib/time/resolve.js';
import { clockHistory } from '../../helpers/points-history.js';

const ns = (iso: string): bigint => BigInt(Date.parse(iso)) * 1_000_000n;
const NOW = ns('2026-11-21T10:30:00Z');
const BERLIN = { nowNs: NOW, timeZone: 'Europe/Berlin', bootNs: ns('2026-11-21T10:00:00Z') };
const HOURS = ['2026-11-19T12:00:00Z', '2026-11-20T16:00:00Z', '2026-11-20T17:00:00Z', '2026-11-21T09:05:00Z', '2026-11-21T10:20:00Z', '2026-11-21T10:29:00Z'];
const history = clockHistory(HOURS.map(ns), [
  { seq: 1, name: 'first' }, { seq: 2, name: 'before-upgrade' }, { seq: 4, name: 'before-upgrade' },
  { seq: 3, name: '', kind: 'unmount' }, { seq: 4, name: '', kind: 'mount' }, { seq: 5, name: '10m' },
  { seq: 2, name: '', kind: 'install', phase: 'before' }, { seq: 3, name: '', kind: 'install', phase: 'after' },
  { seq: 5, name: 'schema', kind: 'write', phase: 'before' }, { seq: 3, name: '', kind: 'shutdown', phase: 'after' },
]);

const MEANS: [expr: string, seq: number, time: string][] = [
  ['now', 6, '2026-11-21T10:30:00Z'],
  ['2026-11-21T10:20:00Z', 5, '2026-11-21T10:20:00Z'],
  ['2026-11-21T11:19:59.999999999+01:00', 4, ''],
  ['2026-11-21 10:05', 4, '2026-11-21T09:05:00Z'],
  ['2026-11-21t10:05:00', 4, '2026-11-21T09:05:00Z'],
  ['2026-11-20', 1, '2026-11-19T23:00:00Z'],
  ['10:05', 4, '2026-11-21T09:05:00Z'],
  ['today 11:20', 5, '2026-11-21T10:20:00Z'],
  ['today', 3, '2026-11-20T23:00:00Z'],
  ['yesterday 17:00', 2, '2026-11-20T16:00:00Z'],
  ['yesterday', 1, '2026-11-19T23:00:00Z'],
  ['10m', 5, '2026-11-21T10:20:00Z'],
  ['2h ago', 3, '2026-11-21T08:30:00Z'],
  ['1h 25m', 4, '2026-11-21T09:05:00Z'],
  ['1h25m ago', 4, '2026-11-21T09:05:00Z'],
  ['1.5 hours ago', 3, '2026-11-21T09:00:00Z'],
  ['0s', 6, '2026-11-21T10:30:00Z'],
  ['1 day ago', 1, '2026-11-20T10:30:00Z'],
  ['#3', 3, '2026-11-20T17:00:00Z'],
  ['first', 1, '2026-11-19T12:00:00Z'],
  ['before-upgrade', 4, '2026-11-21T09:05:00Z'],
  ['before:before-upgrade', 3, '2026-11-20T17:00:00Z'],
  ['after:before-upgrade', 4, '2026-11-21T09:05:00Z'],
  ['before:#4', 3, '2026-11-20T17:00:00Z'],
  ['before: 10:05', 3, ''],
  ['last-mount', 4, '2026-11-21T09:05:00Z'],
  ['before:last-mount', 3, '2026-11-20T17:00:00Z'],
  ['last-unmount', 3, '2026-11-20T17:00:00Z'],
  ['before:install', 2, '2026-11-20T16:00:00Z'],
  ['after:install', 3, '2026-11-20T17:00:00Z'],
  ['last-install', 3, '2026-11-20T17:00:00Z'],
  ['last-mount@now', 4, '2026-11-21T09:05:00Z'],
  ['last-shutdown@2026-11-21', 3, '2026-11-20T17:00:00Z'],
  ['last-mark before 2026-11-21 10:10', 4, ''],
  ['last-point', 5, ''],
  ['last-point@yesterday 17:30', 2, ''],
  ['last-mark 1 day ago', 1, ''],
  ['last-mark @ #3', 2, ''],
  ['last-mark before last-unmount', 2, ''],
  ['before:install@yesterday 17:30', 2, '2026-11-20T16:00:00Z'],
  ['after:install @ 2026-11-21', 3, '2026-11-20T17:00:00Z'],
  ['before:before-upgrade before 11:00', 3, ''],
  ['before:before-upgrade@yesterday 18:00', 1, ''],
  ['after:last-boot', 4, '2026-11-21T10:00:00Z'],
  ['before:last-boot', 4, ''],
  ['last-boot', 4, '2026-11-21T10:00:00Z'],
  ['last-shutdown', 3, '2026-11-20T17:00:00Z'],
  ['before:schema', 5, '2026-11-21T10:20:00Z'],
  ['before:write', 5, '2026-11-21T10:20:00Z'],
  ['before:unmount', 2, ''],
  ['friday 18:30', 3, '2026-11-20T17:30:00Z'],
  ['Nov 20 at 6pm', 3, '2026-11-20T17:00:00Z'],
  ['Nov 20, 2026', 1, '2026-11-19T23:00:00Z'],
];

for (const [expr, seq, time] of MEANS) {
  test.serial(`"${expr}" means #${seq}`, async (t) => {
    const instant = await resolveTime(expr, history, BERLIN);
    t.is(instant.seq, seq);
    t.is(instant.expr, expr);
    if (time !== '') t.is(new Date(Number(instant.timeNs / 1_000_000n)).toISOString(), new Date(time).toISOString());
  });
}

const REFUSED: [expr: string, code: ErrorCode, says: RegExp][] = [
  ['11:31', 'ERR_TIME_RANGE', /not come yet/],
  ['2026-11-21T10:30:00.001Z', 'ERR_TIME_RANGE', /not come yet/],
  ['tomorrow', 'ERR_TIME_RANGE', /not come yet/],
  ['in 5 minutes', 'ERR_TIME_RANGE', /not come yet/],
  ['2026-11-19T11:59:59Z', 'ERR_TIME_RANGE', /before history begins/],
  ['3 weeks ago', 'ERR_TIME_RANGE', /before history begins/],
  ['#0', 'ERR_TIME_RANGE', /outside history/],
  ['#7', 'ERR_TIME_RANGE', /outside history/],
  ['before:first', 'ERR_TIME_RANGE', /outside history/],
  ['25:00', 'ERR_TIME_SYNTAX', /no such time/],
  ['2026-02-30', 'ERR_TIME_SYNTAX', /no such date/],
  ['2026-13-01T00:00:00Z', 'ERR_TIME_SYNTAX', /no such date/],
  ['2026-11-21T10:00:00+25:00', 'ERR_TIME_SYNTAX', /no offset/],
  ['', 'ERR_TIME_SYNTAX', /neither/],
  ['10:05 or so', 'ERR_TIME_SYNTAX', /neither/],
  ['#', 'ERR_TIME_SYNTAX', /neither/],
  ['last-mount@2026-11-20', 'ERR_TIME_RANGE', /holds no mount of this tree at or before "2026-11-20"/],
  ['last-mount@nosuch', 'ERR_POINT_UNKNOWN', /nosuch/],
  ['last-mount@25:00', 'ERR_TIME_SYNTAX', /no such time/],
  ['last-boot@now', 'ERR_TIME_RANGE', /holds no boot/],
  ['last-point@2026-11-19 12:59', 'ERR_TIME_RANGE', /before history begins/],
  ['last-nosuch@now', 'ERR_TIME_SYNTAX', /neither/],
  ['before:install@2026-11-20 00:00', 'ERR_POINT_UNKNOWN', /no point named "install@/],
  ['before:now', 'ERR_TIME_SYNTAX', /takes a point/],
  ['10 parsecs ago', 'ERR_TIME_SYNTAX', /neither/],
  ['before:nosuch', 'ERR_POINT_UNKNOWN', /nosuch/],
  ['nosuch', 'ERR_POINT_UNKNOWN', /nosuch/],
];

for (const [expr, code, says] of REFUSED) {
  test.serial(`"${expr}" is refused with ${code}`, async (t) => {
    const error = await t.throwsAsync<RewindError>(resolveTime(expr, history, BERLIN), { message: says });
    t.is(error?.code, code);
    t.not(error?.hint, '');
  });
}

test.serial('while the clock had been set back, times mean what it showed then: of a time that came twice, the later one', async (t) => {
  const hours = ['09:00', '10:00', '11:00', '11:00', '11:00', '11:00', '12:00'].map((hour) => ns(`2026-11-21T${hour}:00Z`));
  const reading = (seq: number, hour: string) => ({ seq, wallNs: ns(`2026-11-21T${hour}:00Z`), stoodNs: ns('2026-11-21T11:00:00Z') });
  const setBack = Object.assign(clockHistory(hours), { clockReadings: async () => [reading(4, '10:10'), reading(5, '10:20'), reading(6, '10:45')] });
  const at = async (expr: string, nowNs: bigint): Promise<number> => (await resolveTime(expr, setBack, { nowNs, timeZone: 'UTC' })).seq;
  const then = ns('2026-11-21T10:50:00Z');
  t.is(await at('2m', then), 6);
  t.is(await at('10m', then), 5);
  t.is(await at('10:15', then), 4);
  t.is(await at('10:05', then), 2, 'before it was set back to 10:10');
  t.is(await at('11:00', ns('2026-11-21T12:30:00Z')), 6);
  t.is(await at('10:59', ns('2026-11-21T12:30:00Z')), 6);
  t.is(await at('12:10', ns('2026-11-21T12:30:00Z')), 7);
});

test.serial('a time outside history names the range in times and seqs', async (t) => {
  const error = await t.throwsAsync<RewindError>(resolveTime('#99', history, BERLIN));
  t.regex(error?.hint ?? '', /2026-11-19T13:00:00\.000\+01:00 \(#1\) to 2026-11-21T11:29:00\.000\+01:00 \(#6\)/);
});

test.serial('an unknown point names the nearest', async (t) => {
  const error = await t.throwsAsync<RewindError>(resolveTime('before-upgarde', history, BERLIN));
  t.is(error?.code, 'ERR_POINT_UNKNOWN');
  t.is(error?.hint, 'did you mean "before-upgrade"?');
});

test.serial('last-boot is the last instant before this machine started', async (t) => {
  t.is((await resolveTime('last-boot', history, { ...BERLIN, bootNs: ns('2026-11-21T08:00:00Z') })).seq, 3);
});

test.serial('a clock that was set back hides nothing: what history holds can be asked for', async (t) => {
  const past = { nowNs: ns('2026-11-21T09:00:00Z'), timeZone: 'UTC' };
  t.is((await resolveTime('now', history, past)).seq, 6);
  t.is((await resolveTime('2026-11-21T10:20:00Z', history, past)).seq, 5);
});

test.serial('an empty history has no instant', async (t) => {
  t.is((await t.throwsAsync<RewindError>(resolveTime('now', clockHistory([]), BERLIN)))?.code, 'ERR_TIME_RANGE');
});

test.serial('a text that reads as a time is told, so that no point gets it as its name', async (t) => {
  for (const text of ['now', '10m', '10:05', '#5', 'last-boot', 'last-boot@3d', 'last-mount 2 days ago', 'before:x', 'yesterday', 'friday', 'noon']) t.true(await readsAsTime(text), text);
  for (const text of ['before-upgrade', 'v1.2', 'release 3', 'x10m']) t.false(await readsAsTime(text), text);
});

test.serial('what escapes a terminal is not echoed raw', async (t) => {
  const error = await t.throwsAsync<RewindError>(resolveTime('\x1b[2Jx', history, BERLIN));
  t.false(/\x1b/.test(error?.message ?? ''));
});
