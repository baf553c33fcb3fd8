/** A whole history has no finding; one broken entry of each kind is exactly that finding, and the rest is looked at. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { packStates, statesIn } from '../../../lib/history/attributes.js';
import { decodeContent, encodePacked } from '../../../lib/history/codec.js';
import { FAMILIES } from '../../../lib/history/families.js';
import { History } from '../../../lib/history/history.js';
import { getU64, linkKey, nameKey, nodeKey, seqInKey, u64Key, under } from '../../../lib/history/keys.js';
import { Packer } from '../../../lib/history/packing.js';
import { EntryPacker } from '../../../lib/pack/entries.js';
import { QUICK } from '../../../lib/pack/encode.js';
import { HistoryPacker } from '../../../lib/pack/packer.js';
import { UNTHROTTLED } from '../../../lib/retention/editor.js';
import { mergeDue } from '../../../lib/retention/stretch.js';
import { FINDINGS, type FindingKind } from '../../../lib/verify/findings.js';
import { extractRaw, freshState, MemoryJournal } from '../../helpers/extract.js';
import { read } from '../../helpers/project.js';
import { Random } from '../../helpers/random.js';
import { Scenario } from '../../helpers/scenario.js';
import { scoped, type Scope } from '../../helpers/scope.js';
import { change, findingsOf, kindsOf, put, SMALL, smallHistory } from './support/broken.js';

const never = new AbortController().signal;

async function packAll(history: History): Promise<void> {
  while (await new HistoryPacker(history).step(QUICK)) { /* All of it. */ }
  while (await new EntryPacker(history).step(6, true)) { /* All of it. */ }
}

test.serial('a small history with something of every family is whole, packed or not', (t) => scoped(async (scope) => {
  const history = await smallHistory(scope);
  const empty = [];
  for (const family of FAMILIES) if (await history.rocks.peek(family, {}) === null) empty.push(family);
  t.deepEqual(empty, ['removed']);
  t.deepEqual(await findingsOf(history, new MemoryJournal([...SMALL])), []);
  await packAll(history);
  t.deepEqual(await findingsOf(history), []);
}));

for (const seed of [1, 2, 3, 4]) {
  test.serial(`random sessions with remounts and walks cut short are whole, also packed and merged: seed ${seed}`, (t) => scoped(async (scope) => {
    const scenario = new Scenario(new Random(seed));
    scenario.changeUnmounted(20);
    scenario.mount();
    for (let i = 0; i < 150; i++) scenario.step();
    const history = await History.open(`${scope.temporary('memory')}/history`);
    scope.defer(() => history.close());
    let done = 0;
    const extract = async (): Promise<void> => {
      await extractRaw(history, scenario.records.slice(done), 50);
      done = scenario.records.length;
    };
    await extract();
    t.deepEqual(await findingsOf(history), [], 'in the middle of a walk');
    scenario.finishWalk();
    scenario.unmount();
    scenario.mount(scenario.changeUnmounted(10));
    for (let i = 0; i < 100; i++) scenario.step();
    await extract();
    t.deepEqual(await findingsOf(history), []);
    await packAll(history);
    t.deepEqual(await findingsOf(history), [], 'packed');
    const { lastSeq } = scenario;
    const retention = { ...history.retention(), due: [{ from: 20, to: 60 }, { from: 90, to: Math.floor(lastSeq / 2) }] };
    await history.forget(history.rocks.batch(), retention);
    await mergeDue(history, 70, UNTHROTTLED, never);
    t.deepEqual(await findingsOf(history), [], 'one stretch merged, one due');
    await mergeDue(history, lastSeq, UNTHROTTLED, never);
    t.deepEqual(await findingsOf(history), [], 'merged');
  }));
}

test.serial('nothing is found while history grows, is packed, merged and verified all the time', (t) => scoped(async (scope) => {
  const scenario = new Scenario(new Random(9));
  scenario.changeUnmounted(20);
  scenario.mount();
  for (let i = 0; i < 600; i++) scenario.step();
  const history = await History.open(`${scope.temporary('memory')}/history`);
  scope.defer(() => history.close());
  const raw = [...scenario.records];
  const state = freshState(history);
  await extractRaw(history, raw.splice(0, 60), 10, state);
  let [rounds, working, from] = [0, true, 0];
  const work = (async () => {
    while (raw.length > 0) {
      await extractRaw(history, raw.splice(0, 20), 10, state);
      await packAll(history);
      const to = history.watermark() - 20;
      await history.forget(history.rocks.batch(), { ...history.retention(), due: [{ from: Math.max(from, to - 20), to }] });
      await mergeDue(history, to, UNTHROTTLED, never);
      from = to;
    }
  })().finally(() => { working = false; });
  while (working) {
    t.deepEqual(await findingsOf(history), []);
    rounds++;
  }
  await work;
  t.true(rounds > 2, `${rounds}`);
  t.deepEqual(await findingsOf(history), []);
}));

type Break = (history: History, scope: Scope) => Promise<void | MemoryJournal>;

const taken = (): null => null;

/** The same states, and one more that reaches behind the next run. */
async function overlap(history: History): Promise<void> {
  const runs = [];
  for await (const entry of history.rocks.scan('nodes', under(3))) runs.push(entry);
  const [newer, older] = [runs[0]!, runs.at(-1)!];
  const { value } = statesIn(older.value, seqInKey(older.key))[0]!;
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const packer = new Packer();
  packStates(packer, { ino: 102, uncaptured: false, seqs: [seqInKey(older.key), seqInKey(newer.key) + 1], views: [view, view], places: [8, 8] });
  await put(history, 'nodes', older.key, Buffer.from(packer.packed()));
}

/** What is done to the small history, and which kinds of finding come of it. */
const BREAKS: [what: string, kinds: FindingKind[], Break][] = [
  ['an entry that is cut short', ['entry-malformed'], (history) => change(history, 'nodes', 0, (value) => value.subarray(0, -3))],
  ['an entry of later than history goes', ['beyond-watermark'], (history) => put(history, 'writers', u64Key(1000), Buffer.from('{}'))],
  ['content that is gone', ['content-missing', 'hash-astray'], (history) => change(history, 'content', 0, taken)],
  ['content that is based on later content', ['block-damaged', 'content-chain'], (history) => change(history, 'content', 0, (value) => encodePacked(decodeContent(value), 3, { id: 999, depth: 1, bytes: Buffer.from('none') }))],
  ['content whose base is gone', ['block-damaged', 'content-chain', 'content-missing', 'hash-astray'], async (history) => {
    await change(history, 'content', 1, (value) => encodePacked(decodeContent(value), 3, { id: 1, depth: 1, bytes: Buffer.from('none') }));
    await change(history, 'content', 0, taken);
  }],
  ['content of an id that was never given', ['beyond-watermark'], (history) => put(history, 'content', u64Key(2 ** 51), Buffer.from('00b7119b48552d1da364617461', 'hex'))],
  ['a state of an object that there never was', ['beyond-watermark', 'entry-unrecorded'], async (history) => put(history, 'nodes', nodeKey(2 ** 51, 3), (await history.rocks.peek('nodes', {}))!.value)],
  ['content with another hash', ['block-damaged', 'content-damaged'], (history) => change(history, 'content', 0, (value) => {
    value[100]! ^= 1;
    return value;
  })],
  ['a hash that leads nowhere', ['hash-astray'], (history) => change(history, 'hashes', 0, () => u64Key(777))],
  ['a hash that leads to other content', ['hash-astray'], (history) => put(history, 'hashes', Buffer.alloc(8, 7), u64Key(1))],
  ['states behind those that follow', ['attributes-altered', 'entry-unrecorded', 'states-out-of-order'], overlap],
  ['a name that its object does not know', ['name-without-link'], (history) => put(history, 'links', linkKey(3, 1, 'b', 5), null)],
  ['a name that its object still knows', ['name-without-link'], (history) => put(history, 'links', linkKey(2, 1, 'a', 9), null)],
  ['an object with a name that the directory does not know', ['link-without-name'], (history) => put(history, 'names', nameKey(1, 'b', 5), null)],
  ['an object without the name that the directory still has', ['link-without-name'], (history) => put(history, 'names', nameKey(1, 'a', 9), null)],
  ['a name whose object has no state', ['attributes-altered', 'name-without-node'], async (history) => {
    for await (const { key } of history.rocks.scan('nodes', under(3))) await put(history, 'nodes', key, null);
  }],
  ['changes that are gone', ['chain-broken', 'entry-unrecorded', 'reference-without-change'], (history) => change(history, 'changes', 0, taken)],
  ['changes that their object does not name', ['change-without-reference'], (history) => change(history, 'nodechanges', 0, taken)],
  ['times that are gone', ['chain-broken', 'times-gap'], async (history) => {
    await change(history, 'times', 1, taken);
    await change(history, 'clock', 1, taken);
  }],
  ['a time before the one before it', ['chain-broken', 'time-decreases'], (history) => change(history, 'times', 0, (value) => {
    value.writeUInt32BE(0, value.length - 4);
    return value;
  })],
  ['a time that the clock does not know', ['clock-astray'], (history) => change(history, 'clock', 1, taken)],
  ['a point behind the end', ['chain-broken', 'point-out-of-range'], (history) => change(history, 'points', -1, (value) => Buffer.from(JSON.stringify({ ...JSON.parse(value.toString()) as object, seq: 4000 })))],
  ['stretches that cross', ['retention-crossed'], (history) => history.forget(history.rocks.batch(), { ...history.retention(), merged: [{ from: 1, to: 4 }], due: [{ from: 2, to: 6 }] })],
  ['records that neither history nor the journal has', ['journal-hole'], async () => new MemoryJournal(renumbered(SMALL, 40), 40)],
  ['a damaged record that history has', ['journal-worn'], async () => failing(1)],
  ['a damaged record that history does not have', ['journal-damaged', 'journal-worn'], async () => failing(13)],
];

/** A journal that cannot be read up to a record. */
function failing(upTo: number): MemoryJournal {
  const journal = new MemoryJournal([...SMALL, ...renumbered(SMALL.slice(0, 2), SMALL.length + 1)]);
  const readable = journal.read.bind(journal);
  journal.read = async (from, most) => {
    if (from <= upTo) throw new Error('what lies there is not a whole record');
    return await readable(from, most);
  };
  return journal;
}

function renumbered(records: readonly Buffer[], from: number): Buffer[] {
  return records.map((record, i) => {
    const copy = Buffer.from(record);
    copy.writeBigUInt64LE(BigInt(from + i), 8);
    return copy;
  });
}

for (const [what, kinds, act] of BREAKS) {
  test.serial(`${what}: ${kinds.join(', ')}`, (t) => scoped(async (scope) => {
    const history = await smallHistory(scope);
    const journal = await act(history, scope) ?? null;
    const findings = await findingsOf(history, journal);
    t.deepEqual(kindsOf(findings), kinds, findings.map(({ what: said }) => said).join('\n'));
  }));
}

test.serial('an entry of any family with a value that cannot be, or a byte too many in its key, is found', (t) => scoped(async (scope) => {
  const history = await smallHistory(scope);
  const isFound = async (key: Buffer): Promise<boolean> => (await findingsOf(history)).some((finding) => finding.kind === 'entry-malformed' && finding.key.equals(key));
  for (const family of FAMILIES) {
    const entry = await history.rocks.peek(family, {}, true);
    if (entry === null) continue;
    await put(history, family, entry.key, Buffer.from([0x80]));
    t.true(await isFound(entry.key), family);
    await put(history, family, entry.key, entry.value);
    if (['meta', 'names', 'links', 'xattrs'].includes(family)) continue;
    const longer = Buffer.concat([entry.key, Buffer.from([0])]);
    await put(history, family, longer, entry.value);
    t.true(await isFound(longer), family);
    await put(history, family, longer, null);
  }
  t.deepEqual(await findingsOf(history), [], 'all is as it was');
}));

test.serial('a table that RocksDB cannot read is a finding, and the other families are looked at', (t) => scoped(async (scope) => {
  const directory = `${scope.temporary('memory')}/history`;
  const history = await smallHistory(scope, directory);
  await put(history, 'writers', u64Key(1000), Buffer.from('{}'));
  await history.rocks.flush();
  await history.close();
  let unreadable = 0;
  for (const name of readdirSync(directory).filter((one) => one.endsWith('.sst'))) {
    const path = `${directory}/${name}`;
    const whole = readFileSync(path);
    const broken = Buffer.from(whole);
    broken[9]! ^= 0x40;
    writeFileSync(path, broken);
    const opened = await History.open(directory, { readOnly: true }).catch(() => null);
    if (opened !== null) {
      const kinds = kindsOf(await findingsOf(opened));
      await opened.close();
      t.true(kinds.includes('unreadable'), `${name}: ${kinds.join(' ')}`);
      if (kinds.includes('beyond-watermark')) unreadable++;
    }
    writeFileSync(path, whole);
  }
  t.true(unreadable > 8, `${unreadable}`);
}));

test.serial('content is decoded only when that is asked for', (t) => scoped(async (scope) => {
  const history = await smallHistory(scope);
  await change(history, 'content', 0, (value) => {
    value[100]! ^= 1;
    return value;
  });
  t.deepEqual(await findingsOf(history, null, false), []);
  const deep = await findingsOf(history);
  t.is(deep.find(({ kind }) => kind === 'block-damaged')?.node, 2, 'the file is known');
  t.is(getU64(deep.find(({ kind }) => kind === 'content-damaged')!.key, 0), 1);
}));

test.serial('every kind of finding has a test, and is a heading of docs/verify.md with what to do', (t) => {
  const kinds = Object.keys(FINDINGS).sort();
  const tampered = ['anchor-mismatch', 'chain-gap', 'chain-mended', 'content-altered'];  // chain.ts
  const cold = ['cold-away', 'cold-damaged'];  // test/lib/cold/tier.ts
  t.deepEqual([...new Set([...BREAKS.flatMap(([, some]) => some), ...tampered, ...cold, 'unreadable'])].sort(), kinds);
  const page = read('docs/verify.md');
  t.deepEqual([...page.matchAll(/^### `([a-z-]+)`$/gm)].map((match) => match[1]!).sort(), kinds);
  for (const [kind, { severity }] of Object.entries(FINDINGS)) t.regex(page, new RegExp(`^### \`${kind}\`\\n\\*\\*${severity}\\*\\*`, 'm'), kind);
});
