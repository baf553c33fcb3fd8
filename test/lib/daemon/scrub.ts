/** The scrub: reads all there is, bit by bit, goes on after a restart, and keeps telling what it found. */
import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Scrub } from '../../../lib/daemon/scrub.js';
import { ScrubBook } from '../../../lib/daemon/scrubbook.js';
import type { FindingRow } from '../../../lib/daemon/verifyrows.js';
import { FAMILIES } from '../../../lib/history/families.js';
import type { History } from '../../../lib/history/history.js';
import { MemoryJournal } from '../../helpers/extract.js';
import { until } from '../../helpers/run.js';
import { scoped, type Scope } from '../../helpers/scope.js';
import { change, SMALL, smallHistory } from '../verify/support/broken.js';

const FAST = { everyMs: 1, rateBytes: 2 ** 40 };
const finding = (key: string): FindingRow => ({ type: 'finding', kind: 'content-damaged', severity: 'lost', family: 'content', key, what: 'x', node: null, path: null, remedy: 'y' });

interface Scrubbing { scrub: Scrub; reports: string[] }

function begin(scope: Scope, history: History, book: ScrubBook, rules = FAST, isFree = () => true): Scrubbing {
  const reports: string[] = [];
  const scrub = new Scrub({ history, journal: new MemoryJournal([...SMALL]), rules: () => rules, isFree, isQuiet: () => true, report: (what, error) => reports.push(`${what}: ${String(error)}`) }, book);
  scrub.start();
  scope.defer(() => scrub.stop());
  return { scrub, reports };
}

test.serial('all is read, what is wrong is told once, and stays told until a later round does not find it', (t) => scoped(async (scope) => {
  const history = await smallHistory(scope);
  const file = path.join(scope.temporary(), 'scrub.json');
  let whole = Buffer.alloc(0);
  await change(history, 'content', 0, (value) => {
    whole = Buffer.from(value);
    value[100]! ^= 1;
    return value;
  });
  const book = await ScrubBook.load(file);
  const first = begin(scope, history, book);
  await until('it comes', () => book.row(1, 1).last !== null);
  await first.scrub.stop();
  t.deepEqual(book.row(1, 1).findings.map(({ kind }) => kind).sort(), ['block-damaged', 'content-damaged']);
  t.is(first.reports.length, 2);
  t.regex(first.reports.join(), /The scrub found damage: lost: content-damaged: content 1: .*rewind repair/);

  const later = await ScrubBook.load(file);
  t.is(later.row(1, 1).findings.length, 2, 'also after a restart');
  const second = begin(scope, history, later);
  const { ended } = later.row(1, 1).last!;
  await until('it comes', () => later.row(1, 1).last!.ended !== ended);
  await second.scrub.stop();
  t.deepEqual(second.reports, [], 'nobody is told twice');
  t.true(later.row(1, 1).findings.length >= 2);
  await change(history, 'content', 0, () => whole);
  const third = begin(scope, history, later);
  await until('it comes', () => later.row(1, 1).findings.length === 0);
  await third.scrub.stop();
  t.true(later.row(1, 1).last!.bytes > 10_000);
}));

test.serial('a round goes on after a restart where it was', (t) => scoped(async (scope) => {
  const history = await smallHistory(scope);
  const file = path.join(scope.temporary(), 'scrub.json');
  const part = 1 + ['meta', 'content', 'hashes', 'blocks'].indexOf('blocks');
  const last = (await history.rocks.peek('blocks', {}))!.key.toString('hex');
  fs.writeFileSync(file, JSON.stringify({ running: { began: '2026-11-21T10:05:00.000Z', bytes: 77, findings: 1, kept: [finding('aa')], place: { part, key: last } }, last: null }));
  let blocks = 0;
  for await (const _ of history.rocks.scan('blocks', {})) blocks++;
  t.true(blocks > 1);
  // What was read before is not read again: damage in it is not met.
  await change(history, 'content', 0, (value) => {
    value[100]! ^= 1;
    return value;
  });
  const book = await ScrubBook.load(file);
  t.like(book.row(1, 1).running!, { since: '2026-11-21T10:05:00.000Z', bytes: 77 });
  const { scrub, reports } = begin(scope, history, book);
  await until('it comes', () => book.row(1, 1).last !== null);
  await scrub.stop();
  t.deepEqual(reports, []);
  t.like(book.row(1, 1).last!, { began: '2026-11-21T10:05:00.000Z', findings: 1 });
  t.true(book.row(1, 1).last!.bytes > 77);
}));

test.serial('it keeps to the rate, and stops in the middle of a rest', (t) => scoped(async (scope) => {
  const history = await smallHistory(scope);
  const file = path.join(scope.temporary(), 'scrub.json');
  const book = await ScrubBook.load(file);
  const { scrub, reports } = begin(scope, history, book, { everyMs: 1, rateBytes: 100 });
  await until('it comes', () => (book.row(1, 1).running?.bytes ?? 0) > 0);
  const began = performance.now();
  await scrub.stop();
  t.true(performance.now() - began < 20_000);
  t.is(book.row(1, 1).last, null, '14,000 bytes take 140 s');
  t.deepEqual(reports, []);
  t.not((await ScrubBook.load(file)).place, null);
}));

test.serial('nothing is read before it is time, while it may not, or ever when the policy says so', (t) => {
  const day = 86_400_000;
  return scoped(async (scope) => {
    const file = path.join(scope.temporary(), 'scrub.json');
    const none = await ScrubBook.load(file);
    t.deepEqual([none.isDue(day, null, 5 * day), none.isDue(Infinity, 1, 5 * day), none.isDue(day, 4.5 * day, 5 * day), none.isDue(day, 3 * day, 5 * day)], [false, false, false, true]);
    fs.writeFileSync(file, JSON.stringify({ running: null, last: { began: '1970-01-01T00:00:00Z', ended: '1970-01-05T00:00:00.000Z', bytes: 1, findings: 0, kept: [] } }));
    const ended = await ScrubBook.load(file);
    t.deepEqual([ended.isDue(day, 1, 4.5 * day), ended.isDue(day, 1, 5 * day), ended.isDue(day, 1, 3 * day)], [false, true, true], 'also when the clock was set back');
    t.is(ended.row(day, 1).next, '1970-01-06T00:00:00.000Z');
    for (const text of ['', '{', '{"running":7,"last":null}', '[]']) {
      fs.writeFileSync(file, text);
      t.deepEqual((await ScrubBook.load(file)).row(day, 0), { every_ms: day, running: null, last: null, next: '1970-01-02T00:00:00.000Z', findings: [] });
    }
    const history = await smallHistory(scope);
    const { scrub } = begin(scope, history, none, FAST, () => false);
    await delay(1200);
    await scrub.stop();
    t.is(none.row(1, 1).running, null);
  });
});

test.serial('what is kept of findings is bounded, and counted', async (t) => {
  await scoped(async (scope) => {
    const book = await ScrubBook.load(path.join(scope.temporary(), 'scrub.json'));
    await book.begin();
    let told = 0;
    for (let i = 0; i < 1000; i++) if (book.note(finding(String(i)))) told++;
    t.false(book.note(finding('5')));
    book.end();
    t.deepEqual([told, book.row(1, 1).findings.length, book.row(1, 1).last!.findings], [100, 100, 1000]);
  });
});

test.serial('every family has its part', (t) => {
  t.is(FAMILIES.length, 19, 'scrubbook.ts counts on so many parts, the chain and the journal');
});
