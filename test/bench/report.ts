import test from 'ava';
import { BARS, seen } from '../../bench/bars.js';
import { figure, FULL, join, type Result, type Row } from '../../bench/model.js';
import { help, parse } from '../../bench/options.js';
import { document, report } from '../../bench/report.js';
import { peer } from '../../bench/subjects.js';
import { lagSeconds } from '../../bench/workloads/history.js';
import { projectFiles, read } from '../helpers/project.js';

const rows: Row[] = [{ name: 'creates', unit: '/s', digits: 0 }, { name: 'untar', unit: 's', digits: 2, lessIsBetter: true }];

function sample(overrides: Partial<Result> = {}): Result {
  return {
    dates: ['2026-11-21T10:00:00.000Z'], machine: { cpus: 2 }, rounds: 3, scale: FULL, subjects: ['fuse-native', 'rewindfs'], rows,
    figures: { memory: { creates: { 'fuse-native': [1000, 900, 5000], rewindfs: [1400] }, untar: { 'fuse-native': [6], rewindfs: [2] } } },
    counts: { memory: { creates: { rewindfs: { operations: 50, requests: { create: 50, lookup: 100 }, cpu: { engine: 1 } } } } },
    failures: [], ...overrides,
  };
}

const native = (result: Result, row: string) => seen(result).find((bar) => bar.row === row && bar.where === 'memory' && bar.against === 'fuse-native')!;

test('a figure is the median of its rounds', (t) => {
  t.is(figure(sample(), 'memory', 'creates', 'fuse-native'), 1000);
  t.is(figure(sample(), 'disk', 'creates', 'fuse-native'), NaN);
});

test('a bar on speed compares rates as they are and times upside down', (t) => {
  t.like(native(sample(), 'creates'), { seen: 1.4, reached: false });
  t.like(native(sample(), 'untar'), { seen: 3, reached: true });
});

test('a bar that was not measured is not reached', (t) => {
  t.like(native(sample(), 'unlinks'), { seen: NaN, reached: false });
  t.regex(document(sample()), /\| unlinks \| at least 1\.50 \| - \| not measured \|/);
  t.notRegex(report(sample()), /not measured/);
});

test('the report shows figures, requests for one call, and the verdict of each bar', (t) => {
  const text = report(sample());
  t.regex(text, /\| creates, \/s \| 1,000 \| 1,400 \|/);
  t.regex(text, /\| creates \| rewindfs \| each \| 3\.00 \| lookup 2\.00, create 1\.00 \|/);
  t.regex(text, /\| creates \| at least 1\.50 \| 1\.40 \| \*\*missed\*\* \|/);
});

test('runs are joined: a later figure replaces an earlier one, and other machines are refused', (t) => {
  const later = sample({ subjects: ['rewindfs', 'bindfs'], figures: { memory: { creates: { rewindfs: [2000] } } }, counts: {} });
  const joined = join([sample(), later]);
  t.is(figure(joined, 'memory', 'creates', 'rewindfs'), 2000);
  t.is(figure(joined, 'memory', 'creates', 'fuse-native'), 1000);
  t.deepEqual(joined.subjects, ['fuse-native', 'rewindfs', 'bindfs']);
  t.throws(() => join([sample(), sample({ machine: { cpus: 4 } })]), { message: /machine/ });
});

test('every bar is on a row that a workload has', (t) => {
  const names = projectFiles(/^bench\/workloads\/.*\.ts$/).map(read).join('\n');
  for (const { row } of BARS) t.true(names.includes(`'${row}'`), row);
});

test('history lags as long as its last record is old', (t) => {
  const samples = [{ atMs: 0, seq: 0, extracted: 0 }, { atMs: 1000, seq: 100, extracted: 0 }, { atMs: 2000, seq: 200, extracted: 50 }];
  t.is(lagSeconds(samples), 1.5);
  t.is(lagSeconds([...samples, { atMs: 3000, seq: 200, extracted: 200 }]), 0);
});

test('a peer is NAME=CMD', (t) => {
  t.is(peer('a, b=prog -o x=y').name, 'a, b');
  for (const wrong of ['prog', '=prog', 'name=']) t.throws(() => peer(wrong), { message: /NAME=CMD/ });
});

test('unknown options are refused, and the help names every row', (t) => {
  t.throws(() => parse(['--fast']), { instanceOf: TypeError });
  t.throws(() => parse(['--where', 'moon']), { instanceOf: TypeError });
  t.throws(() => parse(['--rounds', '0']), { instanceOf: TypeError });
  t.deepEqual(parse(['--rows', 'a', '--rows', 'b']).rows, ['a', 'b']);
  t.regex(help(['directory'], [{ name: 'x', rows }]), /x: creates; untar/);
});

test('docs/performance.md is what its figures say', (t) => {
  for (const file of projectFiles(/^bench\/performance\.json$/)) t.is(read('docs/performance.md'), document(JSON.parse(read(file)) as Result));
  t.is(projectFiles(/^docs\/performance\.md$/).length, projectFiles(/^bench\/performance\.json$/).length);
});
