import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { BARS, FULL, join, partOf, seen, type Figures, type Result } from '../../bench/space/model.js';
import { report } from '../../bench/space/report.js';
import { WORKS } from '../../bench/space/work.js';
import { scoped } from '../helpers/scope.js';

const figures: Figures = {
  title: 'Lines', scale: FULL, records: 1000, snapshots: 11, writtenBytes: 20e6, changedBytes: 10e6, beforeBytes: 1e6, recordedBytes: 9e6, storedBytes: 5e6,
  peers: { restic: 50e6, borg: 20e6 }, packSeconds: 3,
};
const sample = (overrides: Partial<Result> = {}): Result => ({ dates: ['2026-11-29T10:00:00.000Z'], machine: { cpus: 2 }, versions: { restic: '0.14' }, workloads: { log: figures, saves: figures }, failures: [], ...overrides });
const bar = (workload: string, against: string) => BARS.find((one) => one.workload === workload && one.against === against)!;

test.serial('a bar on what changed weighs the growth, one on a peer the whole store; what was not measured is no number', (t) => {
  t.is(seen(bar('log', 'changed'), sample()), 0.4);
  t.is(seen(bar('saves', 'restic'), sample()), 0.1);
  t.is(seen(bar('saves', 'borg'), sample()), 0.25);
  t.is(seen(bar('sqlite', 'changed'), sample()), NaN);
  t.is(seen(bar('sqlite', 'changed'), sample({ workloads: { sqlite: { ...figures, ofDatabase: 2e6 } } })), 2, 'its journal does not count');
});

test.serial('the report says what was asked, what was seen, and how much work it was', (t) => {
  const text = report(sample());
  t.regex(text, /\| saves \| all of it, by borg \| at most 0\.20 \| 0\.25 \| \*\*missed\*\* \|/);
  t.regex(text, /\| log \| growth, by the bytes that changed \| at most 1\.30 \| 0\.40 \| reached \|/);
  t.regex(text, /\| Lines: 100,000 lines \|/);
  t.regex(report(sample({ workloads: { sqlite: { ...figures, ofDatabase: 2e6 } } })), /10\.00 MB changed: growth by these is 0\.40/);
});

test.serial('runs are joined: a later work replaces an earlier one and keeps its scale; other machines are refused', (t) => {
  const joined = join([sample(), sample({ workloads: { log: { ...figures, scale: partOf(10), storedBytes: 2e6 } } })]);
  t.is(joined.workloads['log']!.storedBytes, 2e6);
  t.is(joined.workloads['log']!.scale.lines, 10_000);
  t.is(joined.workloads['saves']!.storedBytes, 5e6);
  t.throws(() => join([sample(), sample({ machine: { cpus: 4 } })]), { message: /machine/ });
});

test.serial('every bar is on a work that there is', (t) => {
  for (const { workload } of BARS) t.true(WORKS.some(({ name }) => name === workload), workload);
});


test.serial('the work is the same each time: what is weighed are the same bytes', async (t) => {
  await scoped(async (scope) => {
    for (const work of WORKS.filter(({ name }) => ['saves', 'log'].includes(name))) {
      const trees = [scope.temporary('memory'), scope.temporary('memory')];
      for (const tree of trees) for await (const _ of work.run(tree, partOf(1))) { /* To the end. */ }
      const [one, other] = trees.map((tree) => fs.readdirSync(tree).map((name) => fs.readFileSync(path.join(tree, name))));
      t.deepEqual(one, other);
      t.true(one![0]!.length > 50_000);
    }
  });
});
