import test from 'ava';
import { BARS, seen, type Seen } from '../../bench/bars.js';
import { figure, FULL, join, type Measured, type Result, type Row } from '../../bench/model.js';
import { help, parse } from '../../bench/options.js';
import { reasonOf, REASONS } from '../../bench/reasons.js';
import { document, report } from '../../bench/report.js';
import { peer } from '../../bench/subjects.js';
import { lagSeconds } from '../../bench/workloads/history.js';
import { projectFiles, read } from '../helpers/project.js';

const rows: Row[] = [{ name: 'creates', unit: '/s', digits: 0 }, { name: 'untar', unit: 's', digits: 2, lessIsBetter: true }];

const run: Measured = { date: '2026-11-21T10:00:00.000Z', subjects: ['fuse-native', 'rewindfs'], workloads: ['names'], notes: [] };

function sample(overrides: Partial<Result> = {}): Result {
  return {
    runs: [run], machine: { cpus: 2 }, scale: FULL, subjects: ['fuse-native', 'rewindfs'], rows,
    figures: { memory: { creates: { 'fuse-native': [1000, 900, 5000], rewindfs: [1400] }, untar: { 'fuse-native': [6], rewindfs: [2] } } },
    counts: { memory: { creates: { rewindfs: { operations: 50, requests: { create: 50, lookup: 100 }, cpu: { engine: 1 } } } } },
    failures: [], ...overrides,
  };
}

const native = (result: Result, row: string) => seen(result).find((bar) => bar.row === row && bar.where === 'memory' && bar.against === 'fuse-native')!;

test.serial('a figure is the median of its rounds', (t) => {
  t.is(figure(sample(), 'memory', 'creates', 'fuse-native'), 1000);
  t.is(figure(sample(), 'disk', 'creates', 'fuse-native'), NaN);
});

test.serial('a bar on speed compares rates as they are and times upside down', (t) => {
  t.like(native(sample(), 'creates'), { seen: 1.4, reached: false });
  t.like(native(sample(), 'untar'), { seen: 3, reached: true });
});

test.serial('a bar that was not measured is not reached', (t) => {
  t.like(native(sample(), 'unlinks'), { seen: NaN, reached: false });
  t.regex(document(sample()), /\| unlinks \| at least 1\.50 \| - \| not measured \|/);
  t.notRegex(report(sample()), /not measured/);
});

test.serial('the report shows figures, requests for one call, and the verdict of each bar', (t) => {
  const text = report(sample());
  t.regex(text, /\| creates, \/s \| 1,000 \| 1,400 \| 1 to 3 \|/);
  t.regex(text, /\| untar, s \| 6\.00 \| 2\.00 \| 1 \|/);
  t.regex(text, /\| creates \| rewindfs \| each \| 3\.00 \| lookup 2\.00, create 1\.00 \|/);
  t.regex(text, /\| creates \| at least 1\.50 \| 1\.40 \| \*\*missed\*\* by 7% \|/);
});

test.serial('a missed bar says what bounds it and what would move it, a reached one does not', (t) => {
  const slow = sample({ figures: { memory: { '4 KiB writes': { 'fuse-native': [1000], rewindfs: [1200] } } } });
  const { bound, move } = reasonOf({ row: '4 KiB writes', against: 'fuse-native' })!;
  t.true(report(slow).includes(`- 4 KiB writes: bound by ${bound} Would move it: ${move}`));
  const fast = sample({ figures: { memory: { '4 KiB writes': { 'fuse-native': [1000], rewindfs: [1600] } } } });
  t.false(report(fast).includes(bound));
});

test.serial('every reason is of bars that there are, and ends its sentences', (t) => {
  for (const { rows: of, against, bound, move } of REASONS) {
    for (const row of of) t.true(BARS.some((bar) => bar.row === row && (against?.includes(bar.against ?? '') ?? true)), row);
    for (const text of [bound, move]) t.true(text.endsWith('.'), text);
  }
});

test.serial('how far history stays behind counts only at the rate that was asked for', (t) => {
  const lag = (behind: number, rate: number): Seen => {
    const disk = { 'history behind at 20,000 records/s, most': { rewindfs: [behind] }, 'records/s that the paced writers reached': { rewindfs: [rate] } };
    return seen(sample({ figures: { disk } })).find(({ under, subject }) => under !== undefined && subject === 'rewindfs')!;
  };
  t.true(lag(1, 19_900).reached);
  t.false(lag(1, 12_000).reached);
  t.false(lag(6, 19_900).reached);
  const slow = sample({ figures: { disk: { 'history behind at 20,000 records/s, most': { rewindfs: [1] }, 'records/s that the paced writers reached': { rewindfs: [12_000] } } } });
  t.regex(report(slow), /\| 1\.00 \| \*\*missed\*\*: 12,000 records\/s that the paced writers reached, 19,500 were asked \|/);
});

test.serial('runs are joined: a later figure replaces an earlier one, and other machines are refused', (t) => {
  const later = sample({ subjects: ['rewindfs', 'bindfs'], figures: { memory: { creates: { rewindfs: [2000] } } }, counts: {} });
  const joined = join([sample(), later]);
  t.is(figure(joined, 'memory', 'creates', 'rewindfs'), 2000);
  t.is(figure(joined, 'memory', 'creates', 'fuse-native'), 1000);
  t.deepEqual(joined.subjects, ['fuse-native', 'rewindfs', 'bindfs']);
  t.throws(() => join([sample(), sample({ machine: { cpus: 4 } })]), { message: /machine/ });
});

test.serial('a joined result says of which runs it is, and forgets what a later run could measure', (t) => {
  const failure = { where: 'memory', subject: 'rewindfs', text: 'no room' } as const;
  const first = sample({ failures: [{ ...failure, rows: ['creates'] }, { ...failure, rows: ['unlinks'] }] });
  const later = sample({ runs: [{ date: '2026-11-22T11:30:00.000Z', subjects: ['rewindfs'], workloads: ['tree'], notes: ['A note.'] }] });
  const joined = join([first, later]);
  t.deepEqual(joined.failures.map(({ rows: of }) => of), [['unlinks']]);
  t.deepEqual(join([later, first]).failures.length, 2);
  t.regex(document(joined), /\*\*Runs\*\*: 2, joined;[^]*2026-11-21 10:00 UTC\. fuse-native; rewindfs: names\.[^]*2026-11-22 11:30 UTC\. A note\. rewindfs: tree\./);
  t.regex(document(later), /\*\*Run\*\*: all in one, 2026-11-22 11:30 UTC\. A note\./);
});

test.serial('every bar is on a row that a workload has', (t) => {
  const names = projectFiles(/^bench\/workloads\/.*\.ts$/).map(read).join('\n');
  for (const row of BARS.flatMap(({ row: own, under }) => [own, ...(under === undefined ? [] : [under.row])])) t.true(names.includes(`'${row}'`), row);
});

test.serial('history lags as long as its last record is old', (t) => {
  const samples = [{ atMs: 0, seq: 0, extracted: 0 }, { atMs: 1000, seq: 100, extracted: 0 }, { atMs: 2000, seq: 200, extracted: 50 }];
  t.is(lagSeconds(samples), 1.5);
  t.is(lagSeconds([...samples, { atMs: 3000, seq: 200, extracted: 200 }]), 0);
});

test.serial('a peer is NAME=CMD', (t) => {
  t.is(peer('a, b=prog -o x=y').name, 'a, b');
  for (const wrong of ['prog', '=prog', 'name=']) t.throws(() => peer(wrong), { message: /NAME=CMD/ });
});

test.serial('unknown options are refused, and the help names every row', (t) => {
  t.throws(() => parse(['--fast']), { instanceOf: TypeError });
  t.throws(() => parse(['--where', 'moon']), { instanceOf: TypeError });
  t.throws(() => parse(['--rounds', '0']), { instanceOf: TypeError });
  t.deepEqual(parse(['--rows', 'a', '--rows', 'b']).rows, ['a', 'b']);
  t.regex(help(['directory'], [{ name: 'x', rows }]), /x: creates; untar/);
});

const kept = projectFiles(/^bench\/performance\.json$/).map((file) => JSON.parse(read(file)) as Result);

test.serial('docs/performance.md is what its figures say, and the README leads there', (t) => {
  for (const result of kept) t.is(read('docs/performance.md'), document(result));
  t.is(projectFiles(/^docs\/performance\.md$/).length, kept.length);
  t.is(read('README.md').includes('(docs/performance.md)'), kept.length > 0);
});

test.serial('every bar that docs/performance.md misses has its reason', (t) => {
  const missed = kept.flatMap(seen).filter((bar) => !bar.reached && !Number.isNaN(bar.seen));
  t.deepEqual(missed.filter((bar) => reasonOf(bar) === undefined).map(({ group, row }) => `${group}: ${row}`), []);
});
