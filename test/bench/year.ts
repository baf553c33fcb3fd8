import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { page } from '../../bench/space/page.js';
import { Developer } from '../../bench/year/day.js';
import { BEGIN_MS, contentBytes, growth, timelineBytes, type Month, type Result } from '../../bench/year/model.js';
import { part, report } from '../../bench/year/report.js';
import { runYear } from '../../bench/year/run.js';
import { SimulatedTree } from '../../bench/year/tree.js';
import { decodeRecords } from '../../lib/extractor/record.js';
import { projectRoot } from '../helpers/run.js';
import { scoped } from '../helpers/scope.js';

const DAY_MS = 86_400_000;
const questions = { logFile: 1, logDatabase: 2, logDirectory: 3, logTree: 4, view: 5, read: 6, rollbackDay: 7, rollbackMonth: 8 };
const month = (name: string, changes: number): Month => ({
  month: name, days: 31, changes, records: 2 * changes, objects: 4000, liveBytes: 30e6, writtenBytes: 1e9, storedBytes: 3e9, historyBytes: 200e6,
  families: { content: 100e6, blocks: 10e6, changes: changes * 20, times: changes * 4 }, rssBytes: 300e6, heapBytes: 60e6, questions: { ...questions, logFile: changes / 1000 },
  roundSeconds: 2, longestRoundSeconds: 5, packSeconds: 4, recordSeconds: 9, merged: 100, compared: { instants: 70, files: 350, differing: 0 },
});
const sample = (months: Month[]): Result => ({
  date: '2026-11-30T10:00:00.000Z', machine: { cpus: 2 }, scale: { days: 365, changes: 10_000_000, seed: 5 }, months, minutes: 90,
});
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May'].map((name, i) => month(name, 1000 * (i + 1)));

test.serial('growth is told from the fourth month on; a shorter run tells none', (t) => {
  t.is(growth(months, ({ questions: { logFile } }) => logFile), 5 / 4);
  t.is(growth(months, contentBytes), 1);
  t.is(growth(months.slice(0, 4), contentBytes), NaN);
  t.is(timelineBytes(months[1]!), 2000 * 24);
});

test.serial('the report has a line for each month, and says what grew', (t) => {
  const text = report(sample(months));
  t.is(text.match(/^\| May \|/gm)!.length, 2);
  t.regex(text, /^\| `log -n 20` of a source file \| 1\.25 \|$/m);
  t.regex(text, /^\| memory \| 1\.00 \|$/m);
  t.regex(text, /1,750 in all, at 70 instants in the end; 0 read otherwise/);
  t.regex(part(sample(months)), /24 bytes a change/);
});

test.serial('docs/space.md is what bench/space.json and bench/year.json say', (t) => {
  t.is(fs.readFileSync(path.join(projectRoot, 'docs/space.md'), 'utf8'), page());
});

/** The records of some days. */
function daysOf(count: number): Buffer {
  const tree = new SimulatedTree(BEGIN_MS);
  const developer = new Developer(tree, { days: 365, changes: 365_000, seed: 7, part: 0.05 });
  for (let day = 0; day < count; day++) for (const _ of developer.work(BEGIN_MS + day * DAY_MS)) { /* To the evening. */ }
  return Buffer.concat(tree.take());
}

test.serial('a year is the same each time; its records follow each other in number and time, in working hours', (t) => {
  const raw = daysOf(5);
  t.true(raw.equals(daysOf(5)));
  const { records } = decodeRecords(raw, 0, Infinity);
  records.forEach(({ seq, timeNs }, i) => {
    if (seq !== i + 1 || (i > 0 && timeNs <= records[i - 1]!.timeNs)) t.fail(`record ${seq}`);
  });
  const last = records.at(-1)!;
  const hour = new Date(Number(last.timeNs / 1_000_000n)).getHours();
  t.true(hour >= 8 && hour < 20, `${hour}`);
});

test.serial('some weeks go through fold, packing and retention, and each kept instant reads as it was written', async (t) => {
  await scoped(async (scope) => {
    const seen: Month[] = [];
    await runYear(scope.temporary('memory'), { days: 24, changes: 1200, seed: 3, part: 0.05 }, (one) => void seen.push(one));
    t.is(seen.length, 1);
    t.true(seen[0]!.merged > 0, 'something was given up');
    const { compared } = seen[0]!;
    t.true(compared.instants >= 15);
    t.is(compared.differing, 0);
    t.true(Object.values(seen[0]!.questions).every((ms) => ms > 0));
  });
});
