/**
 * Broken stores, made anew each time: no damage makes a wrong answer, a crash or a hang; each is a finding or an error that
 * names `rewind repair`, and after that the store opens, is whole, and what it answers is right.
 */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { openOffline } from '../../../lib/daemon/offline.js';
import { Kind } from '../../../lib/extractor/record.js';
import { History } from '../../../lib/history/history.js';
import { NEWEST_FORMAT } from '../../../lib/history/meta.js';
import { Rocks } from '../../../lib/history/rocks.js';
import { native } from '../../../lib/native.js';
import { openStore } from '../../../lib/store/store.js';
import { scoped, type Scope } from '../../helpers/scope.js';
import { makeStore } from '../verify/support/flips.js';
import { wrongAnswers, type Answers } from './support/oracle.js';
import { answersOf, copyOf, filesOf, opened, repaired } from './support/stores.js';

interface Ground { root: string; expected: Answers; place: (name: string) => string }

async function ground(scope: Scope): Promise<Ground> {
  const base = scope.temporary('memory');
  const place = (name: string): string => path.join(base, name);
  const root = place('store');
  await makeStore(root);
  return { root, place, expected: await answersOf(copyOf(root, place('whole'))) };
}

const half = (file: string): void => fs.truncateSync(file, Math.floor(fs.statSync(file).size / 2));
const gone = (file: string): void => fs.rmSync(file);
const KINDS: [what: string, RegExp][] = [['table', /\.sst$/], ['blob file', /\.blob$/], ['log', /\.log$/], ['manifest', /^MANIFEST/], ['CURRENT', /^CURRENT$/]];

for (const [what, pattern] of KINDS) {
  for (const [how, act] of [['truncated', half], ['missing', gone]] as const) {
    test.serial(`${how} ${what}: a finding or an error that names repair, and right answers after it`, (t) => scoped(async (scope) => {
      const { root, expected, place } = await ground(scope);
      for (const file of filesOf(root, pattern)) {
        const copy = copyOf(root, place('copy'));
        act(file.replace(root, copy));
        const before = await opened(copyOf(copy, place('looked')));
        if ('refused' in before) t.regex(before.hint, /rewind repair/, `${file}: ${before.refused}`);
        const { families, end } = await repaired(copy);
        t.true(end.changed, file);
        t.deepEqual(end.left, [], file);
        t.deepEqual(await opened(copy), { findings: [] }, file);
        const given = await answersOf(copy);
        t.deepEqual(wrongAnswers(expected, given, families), [], file);
        if (families.size === 0) t.deepEqual(given, expected, file);
        t.true(end.kept.every((one) => fs.existsSync(one)) && end.kept.length > 0);
      }
    }));
  }
}

/** Whose journal holds records that history does not have, and not those that are in logs only. */
async function groundAhead(scope: Scope): Promise<Ground & { segment: (root: string) => string; lastSeq: number }> {
  const base = scope.temporary('memory');
  const place = (name: string): string => path.join(base, name);
  const root = place('store');
  await makeStore(root, { ahead: true });
  const expected = await answersOf(copyOf(root, place('whole')));
  const session = await openOffline(await openStore(place('whole')));
  const lastSeq = session.packing.history.watermark();
  await session.close();
  return { root, place, expected, lastSeq, segment: (store) => path.join(store, 'journal', fs.readdirSync(path.join(store, 'journal')).sort()[0]!) };
}

const flipAt = (file: string, part: number): void => {
  const bytes = fs.readFileSync(file);
  bytes[Math.floor(bytes.length * part)]! ^= 8;
  fs.writeFileSync(file, bytes);
};

/** Damage to the end of what was recorded, and what a store with it opens with. */
const TAILS: [what: string, code: string, act: (root: string, segment: string) => void][] = [
  ['a damaged record in the journal', 'ERR_JOURNAL_CORRUPT', (_, segment) => flipAt(segment, 0.4)],
  ['a damaged head of the journal', 'ERR_JOURNAL_CORRUPT', (_, segment) => flipAt(segment, 0)],
  ['a damaged head of the newest segment of the journal', 'ERR_JOURNAL_CORRUPT', (root) => flipAt(path.join(root, 'journal', fs.readdirSync(path.join(root, 'journal')).sort().at(-1)!), 0)],
  ['a segment that is cut to its head', 'ERR_JOURNAL_CORRUPT', (_, segment) => fs.truncateSync(segment, 30)],
  ['a log that is missing, and of which the journal has nothing', 'ERR_HISTORY_BEHIND', (root) => filesOf(root, /\.log$/).forEach(gone)],
  ['a log that is cut, and of which the journal has nothing', 'ERR_HISTORY_BEHIND', (root) => filesOf(root, /\.log$/).forEach(half)],
];

for (const [what, code, act] of TAILS) {
  test.serial(`${what}: refused, and after a repair history goes on behind what is lost`, (t) => scoped(async (scope) => {
    const { root, expected, place, segment, lastSeq } = await groundAhead(scope);
    const copy = copyOf(root, place('copy'));
    act(copy, segment(copy));
    const before = await opened(copyOf(copy, place('looked')));
    t.like(before, { refused: code });
    t.regex('hint' in before ? before.hint : '', /rewind repair/);
    const { end, steps } = await repaired(copy);
    t.deepEqual(end.left, []);
    t.is(end.kept.length, 2, 'history and journal');
    t.true(steps.some((step) => step.type === 'missing' && /^changes after #\d+, up to #\d+ at most/.test(step.what)));
    t.deepEqual(await opened(copy), { findings: [] });
    const given = await answersOf(copy);
    t.true(given.size > 3, 'what came before is answered');
    t.deepEqual(wrongAnswers(expected, given, new Set()), []);
    t.true(end.seq > lastSeq, 'no change number is given twice');
    await t.notThrowsAsync(appendedAfter(copy));
  }));
}

test.serial('a segment of the journal that is cut in a record loses what lies behind it, and nothing has to be repaired', (t) => scoped(async (scope) => {
  const { root, expected, place, segment } = await groundAhead(scope);
  const copy = copyOf(root, place('copy'));
  const last = path.join(copy, 'journal', fs.readdirSync(path.join(copy, 'journal')).sort().at(-1)!);
  t.not(last, segment(copy));
  fs.truncateSync(last, Math.floor(fs.statSync(last).size * 0.6) + 3);
  t.deepEqual(await opened(copyOf(copy, place('looked'))), { findings: [] }, 'as a crash leaves it');
  t.false((await repaired(copy)).end.changed);
  t.deepEqual(wrongAnswers(expected, await answersOf(copy), new Set()), []);
}));

/** History is extended where the repair has left it. */
async function appendedAfter(root: string): Promise<void> {
  const store = await openStore(root);
  const history = await History.open(store.layout.history);
  const journal = new native.Journal({ directory: store.layout.journal, storeId: Buffer.from(store.description.id, 'hex'), nextSeq: history.watermark() + 1 });
  await journal.open();
  const { seq } = await journal.append(Kind.Mark, Buffer.from('{"kind":"mark","name":"after","note":""}'));
  await journal.close();
  await history.close();
  const session = await openOffline(store);
  try {
    if (session.packing.history.watermark() !== seq) throw new Error(`history ends at ${session.packing.history.watermark()}, expected ${seq}`);
  } finally {
    await session.close();
  }
}

test.serial('files of another store in place of its own: never an answer of that one', (t) => scoped(async (scope) => {
  const { root, expected, place } = await ground(scope);
  const other = place('other');
  await makeStore(other, { seed: 78 });
  const targets = ['history', 'journal'].flatMap((directory) => fs.readdirSync(path.join(root, directory)).map((name) => path.join(directory, name)))
    .filter((name) => /\.(sst|blob|log|seg)$|MANIFEST|CURRENT/.test(name));
  for (const target of targets) {
    const extension = path.extname(target) || path.basename(target).slice(0, 8);
    const theirs = [path.join(other, target), ...fs.readdirSync(path.join(other, path.dirname(target))).filter((name) => name.includes(extension)).map((name) => path.join(other, path.dirname(target), name))].find((one) => fs.existsSync(one))!;
    const copy = copyOf(root, place('copy'));
    fs.copyFileSync(theirs, path.join(copy, target));
    const before = await opened(copyOf(copy, place('looked')));
    if ('refused' in before) t.regex(before.hint, /rewind repair/, `${target}: ${before.refused}`);
    else if (before.findings.length === 0) t.deepEqual(wrongAnswers(expected, await answersOf(place('looked')), new Set()), [], target);
    const { families, end } = await repaired(copy);
    t.deepEqual(end.left, [], target);
    t.deepEqual(await opened(copy), { findings: [] }, target);
    t.deepEqual(wrongAnswers(expected, await answersOf(copy), families), [], target);
  }
}));

test.serial('the whole history of another store is refused, also by a repair, and stays as it is', (t) => scoped(async (scope) => {
  const { root, place } = await ground(scope);
  const other = place('other');
  await makeStore(other, { seed: 78 });
  copyOf(path.join(other, 'history'), path.join(root, 'history'));
  t.like(await opened(copyOf(root, place('looked'))), { refused: 'ERR_STORE_CORRUPT' });
  await t.throwsAsync(repaired(root), { code: 'ERR_STORE_CORRUPT' });
  t.deepEqual(fs.readdirSync(root).sort(), ['history', 'journal', 'lock', 'store.json']);
}));

test.serial('a newer format of store, history or journal is refused, also by a repair, and stays as it is', (t) => scoped(async (scope) => {
  const { root, place, segment } = await groundAhead(scope);
  const newer = async (act: (copy: string) => Promise<void> | void): Promise<void> => {
    const copy = copyOf(root, place('copy'));
    await act(copy);
    t.like(await opened(copyOf(copy, place('looked'))), { refused: 'ERR_STORE_FORMAT' });
    await t.throwsAsync(repaired(copy), { code: 'ERR_STORE_FORMAT' });
    t.deepEqual(fs.readdirSync(copy).sort(), ['history', 'journal', 'lock', 'store.json']);
  };
  await newer((copy) => {
    const file = path.join(copy, 'store.json');
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('"format": 1', '"format": 2'));
  });
  await newer(async (copy) => {
    const rocks = await Rocks.open(path.join(copy, 'history'), { readOnly: false });
    const batch = rocks.batch();
    batch.put('meta', Buffer.from('format'), Buffer.from([0, 0, 0, NEWEST_FORMAT + 1]));
    await rocks.commit(batch);
    await rocks.close();
  });
  await newer((copy) => {
    const bytes = fs.readFileSync(segment(copy));
    bytes.writeUInt32LE(2, 8);
    bytes.writeUInt32LE(0, 12);
    bytes.writeUInt32LE(native.crc32c(bytes.subarray(0, 64)), 12);
    fs.writeFileSync(segment(copy), bytes);
  });
}));
