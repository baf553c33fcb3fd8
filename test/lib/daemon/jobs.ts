import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { JobTable, type Job } from '../../../lib/daemon/jobs.js';
import { scoped } from '../../helpers/scope.js';

const job = (name: string): Omit<Job, 'id'> => ({ path: name, cause: 'read', writer: { pid: 7, exe: '/bin/cat' }, started: '2026-11-21T10:05:00.000Z', ended: null, tries_left: 2, result: 'running', to: null, note: '' });

test.serial('what was begun, ended and failed is there after a restart, the newest first', (t) => scoped(async (scope) => {
  const file = path.join(scope.temporary(), 'recoveries.json');
  const table = await JobTable.load(file);
  const [a, b, c] = [await table.begin(job('a')), await table.begin(job('b')), await table.begin(job('a'))];
  const ended: number[] = [];
  const ignore = table.onEnded(({ id }) => ended.push(id));
  await Promise.all([table.update(a, { result: 'failed', tries_left: 0, note: 'no' }), table.update(b, { tries_left: 1 })]);
  t.deepEqual(ended, [1]);
  ignore();
  t.deepEqual((await JobTable.load(file)).all().map(({ id, path: name, result, tries_left }) => [id, name, result, tries_left]), [[3, 'a', 'running', 2], [2, 'b', 'running', 1], [1, 'a', 'failed', 0]]);
  t.deepEqual(table.failed(), []);
  await table.update(c, { result: 'failed' });
  const later = await JobTable.load(file);
  t.deepEqual(later.failed().map(({ id }) => id), [3]);
  t.deepEqual(later.running('b').map(({ id }) => id), [2]);
  await later.settle(['a']);
  t.deepEqual((await JobTable.load(file)).failed(), []);
  t.is((await later.begin(job('d'))).id, 4);
}));

test.serial('the table is bounded: what was recovered goes before what failed', (t) => scoped(async (scope) => {
  const file = path.join(scope.temporary(), 'recoveries.json');
  fs.writeFileSync(file, JSON.stringify({ next: 1100, checked: {}, jobs: Array.from({ length: 1099 }, (_, i) => ({ id: i + 1, ...job(`f${i}`), result: i < 50 ? 'failed' : 'recovered' })) }));
  const table = await JobTable.load(file);
  await table.noteCheck(['*.db'], new Date(5000));
  const kept = await JobTable.load(file);
  t.is(kept.all().length, 1000);
  t.is(kept.failed().length, 50);
  t.is(kept.checkedAt('*.db'), 5000);
  t.is(kept.checkedAt('other'), null);
}));

test.serial('a table that cannot be read begins anew', (t) => scoped(async (scope) => {
  const file = path.join(scope.temporary(), 'recoveries.json');
  for (const text of ['{', 'null', '{"next":1}', '']) {
    fs.writeFileSync(file, text);
    t.deepEqual((await JobTable.load(file)).all(), []);
  }
}));
