/** Stores that earlier versions of rewindfs wrote: each is opened as it is, and answers what it answered then. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import RocksDB from 'rocksdb-native';
import { FAMILIES, familyOptions, type Family } from '../../../lib/history/families.js';
import { History } from '../../../lib/history/history.js';
import { HISTORY_FORMAT, META_FORMAT } from '../../../lib/history/meta.js';
import { Rocks } from '../../../lib/history/rocks.js';
import { Kind } from '../../../lib/extractor/record.js';
import { EntryPacker } from '../../../lib/pack/entries.js';
import { THOROUGH } from '../../../lib/pack/encode.js';
import { HistoryPacker } from '../../../lib/pack/packer.js';
import { ChainReport } from '../../../lib/verify/chain.js';
import { verify } from '../../../lib/verify/verify.js';
import { dump } from '../../helpers/dump.js';
import { extractRaw, numbered } from '../../helpers/extract.js';
import { scoped, type Scope } from '../../helpers/scope.js';

/** Entries in hexadecimal and base64; the tree at each seq (test/helpers/dump.ts), the timeline and its times. */
interface Golden { entries: [Family, string, string][]; answers: Record<string, string[]>; changes: unknown[]; times: string[] }

async function opened(scope: Scope, { entries }: Golden, readOnly: boolean): Promise<History> {
  const directory = `${scope.temporary('memory')}/history`;
  const rocks = await Rocks.open(directory, { readOnly: false });
  const batch = rocks.batch();
  for (const [family, key, value] of entries) batch.put(family, Buffer.from(key, 'hex'), Buffer.from(value, 'base64'));
  await rocks.commit(batch);
  await rocks.close();
  const history = await History.open(directory, { readOnly });
  scope.defer(() => history.close());
  return history;
}

async function answersOf(history: History): Promise<Omit<Golden, 'entries'>> {
  const answers: Golden['answers'] = {};
  for (let seq = 1; seq <= history.watermark(); seq++) answers[seq] = await dump(history, seq);
  const changes: unknown[] = [];
  for await (const change of history.changes(0, history.watermark())) changes.push(JSON.parse(JSON.stringify(change, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))));
  return { answers, changes, times: (await history.timesOf(Object.keys(answers).map(Number))).map(String) };
}

const format = async (history: History): Promise<number> => (await history.rocks.get('meta', META_FORMAT))!.readUInt32BE(0);

for (const version of [2, 4]) {
  const golden = JSON.parse(readFileSync(new URL(`../../../../fixtures/history-format-${version}.json`, import.meta.url), 'utf8')) as Golden;
  const { entries: _, ...expected } = golden;

  test.serial(`a store of format ${version} answers what it did, and has the new format once it was opened for writing`, async (t) => {
    await scoped(async (scope) => {
      const looked = await opened(scope, golden, true);
      t.is(await format(looked), version);
      t.deepEqual(await answersOf(looked), expected);
      const history = await opened(scope, golden, false);
      t.is(await format(history), HISTORY_FORMAT);
      t.deepEqual(await answersOf(history), expected);
    });
  });

  test.serial(`a store of format ${version} is whole, and what is recorded from now on has a chain`, async (t) => {
    await scoped(async (scope) => {
      const history = await opened(scope, golden, false);
      const before = history.meta();
      t.is(before.chain !== undefined, version >= 4);
      await extractRaw(history, numbered([{ kind: Kind.Mark, payload: { kind: 'mark', name: 'later', note: '' } }, { kind: Kind.Writer, payload: { pid: 1, start: 2 } }], before.watermark + 1));
      const chain = new ChainReport();
      const findings: unknown[] = [];
      const anchor = { store: '', seq: before.watermark, head: before.chain ?? '' };
      for await (const found of verify(history, { deep: true, journal: null, chain, anchor: version >= 4 ? anchor : null, signal: new AbortController().signal })) if ('kind' in found) findings.push(found);
      t.deepEqual(findings, []);
      t.like(chain, { from: version >= 4 ? 1 : before.watermark + 1, to: before.watermark + 2 });
    });
  });

  test.serial(`a store of format ${version} answers the same once it is packed`, async (t) => {
    await scoped(async (scope) => {
      const history = await opened(scope, golden, false);
      const contents = new HistoryPacker(history);
      while (await contents.step(THOROUGH)) { /* All of it. */ }
      const others = new EntryPacker(history);
      while (await others.step(9, true)) { /* All of it. */ }
      t.deepEqual(await answersOf(history), expected);
    });
  });
}

test.serial('a database that an older version made, without the family of the chain, is read as it is, and gets it when it is written to', (t) => scoped(async (scope) => {
  const directory = `${scope.temporary('memory')}/history`;
  const golden = JSON.parse(readFileSync(new URL('../../../../fixtures/history-format-2.json', import.meta.url), 'utf8')) as Golden;
  const families = FAMILIES.filter((name) => name !== 'chain').map((name) => ({ name, family: new RocksDB.ColumnFamily(name, familyOptions(name)) }));
  const old = new RocksDB(directory, { columnFamilies: families.map(({ family }) => family), createIfMissing: true, createMissingColumnFamilies: true });
  await old.ready();
  const batch = old.write({ capacity: golden.entries.length });
  for (const { name, family } of families) {
    batch._db = old.session({ columnFamily: family });
    for (const [, key, value] of golden.entries.filter(([of]) => of === name)) batch.tryPut(Buffer.from(key, 'hex'), Buffer.from(value, 'base64'));
  }
  batch._db = old;
  await batch.flush();
  batch.destroy();
  await old.close({ force: true });
  const { entries: _, ...expected } = golden;
  const looked = await History.open(directory, { readOnly: true });
  t.deepEqual(await answersOf(looked), expected);
  t.is(await looked.rocks.peek('chain', {}), null);
  t.is(await looked.rocks.get('chain', Buffer.alloc(8)), null);
  await looked.close();
  const history = await History.open(directory);
  scope.defer(() => history.close());
  await extractRaw(history, numbered([{ kind: Kind.Mark, payload: { kind: 'mark', name: 'later', note: '' } }], history.watermark() + 1));
  t.not(await history.rocks.peek('chain', {}), null);
}));
