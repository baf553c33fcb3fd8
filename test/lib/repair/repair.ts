/** What follows from the rest is made anew, what is lost is had from elsewhere or named, and a dry run changes nothing. */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { openOffline } from '../../../lib/daemon/offline.js';
import { decodeBlock } from '../../../lib/history/blocks.js';
import { FAMILIES, type Family } from '../../../lib/history/families.js';
import { getU64, nodeKey, seqInKey, u64Key, under } from '../../../lib/history/keys.js';
import { Rocks } from '../../../lib/history/rocks.js';
import { decodeBinding } from '../../../lib/history/values.js';
import { QUICK } from '../../../lib/pack/encode.js';
import { EntryPacker } from '../../../lib/pack/entries.js';
import { HistoryPacker } from '../../../lib/pack/packer.js';
import { showPath } from '../../../lib/paths.js';
import { lockStore, openStore } from '../../../lib/store/store.js';
import { scoped, type Scope } from '../../helpers/scope.js';
import { makeStore } from '../verify/support/flips.js';
import { answers, wrongAnswers } from './support/oracle.js';
import { answersOf, copyOf, filesOf, opened, repaired } from './support/stores.js';

const text = (value: unknown): string => JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? String(one) : one));

/** All that the families that follow from others are asked for. */
async function everything(root: string): Promise<string[]> {
  const session = await openOffline(await openStore(root));
  const { history } = session.packing;
  const lines = [...await answers(history)].map(([place, answer]) => `${place} ${text(answer)}`);
  for (let node = 1; node < history.meta().nextNode; node++) {
    lines.push(`names of ${node}: ${text((await history.everyLink(node)).sort((a, b) => a.from - b.from))}`);
    for await (const change of history.nodeChanges(node, 0, history.watermark())) lines.push(`change of ${node}: ${text(change)}`);
  }
  for (let seq = 1; seq <= history.watermark(); seq++) lines.push(`time of #${seq}: ${await history.seqAt((await history.timeOf(seq))!)}`);
  for (const family of ['inodes', 'hashes'] as const) for await (const { key, value } of history.rocks.scan(family, {})) lines.push(`${family} ${key.toString('hex')} ${value.toString('hex')}`);
  await session.close();
  return lines;
}

/** Deletes entries of a store's history. */
async function deleted(root: string, family: Family, which: (key: Buffer) => boolean = () => true): Promise<void> {
  const rocks = await Rocks.open(path.join(root, 'history'), { readOnly: false });
  const batch = rocks.batch();
  for await (const { key } of rocks.scan(family, {})) if (which(key)) batch.delete(family, key);
  await rocks.commit(batch);
  await rocks.close();
}

/** A store without a journal: what is deleted does not come back from there. */
async function settled(scope: Scope): Promise<{ root: string; place: (name: string) => string }> {
  const base = scope.temporary('memory');
  const root = path.join(base, 'store');
  await makeStore(root);
  for (const name of fs.readdirSync(path.join(root, 'journal'))) fs.rmSync(path.join(root, 'journal', name));
  return { root, place: (name) => path.join(base, name) };
}

const INDEXES: readonly Family[] = ['links', 'inodes', 'hashes', 'nodechanges', 'clock'];

test.serial('families that follow from others are made anew: everything is answered as before, whichever is gone', (t) => scoped(async (scope) => {
  const { root, place } = await settled(scope);
  const expected = await everything(copyOf(root, place('whole')));
  for (const families of [['links'], ['inodes', 'clock'], ['hashes', 'nodechanges'], ['names'], INDEXES] as const) {
    const copy = copyOf(root, place('copy'));
    for (const family of families) await deleted(copy, family);
    const { end } = await repaired(copy);
    t.true(end.changed, families.join());
    t.deepEqual(end.left, []);
    const given = await everything(copy);
    t.is(given.find((line, i) => line !== expected[i]), undefined, families.join());
    t.is(given.length, expected.length);
  }
}));

test.serial('times that are lost are those of the changes, and never decrease', (t) => scoped(async (scope) => {
  const { root } = await settled(scope);
  await deleted(root, 'times');
  await deleted(root, 'clock');
  t.deepEqual((await repaired(root)).end.left, []);
  const session = await openOffline(await openStore(root));
  scope.defer(() => session.close());
  const { history } = session.packing;
  let [last, changes] = [0n, 0];
  for (let seq = 1; seq <= history.watermark(); seq++) {
    const time = (await history.timeOf(seq))!;
    t.true(time >= last && time > 0n);
    last = time;
  }
  for await (const { seq, timeNs } of history.changes(0, history.watermark())) {
    t.is(await history.timeOf(seq), timeNs);
    changes++;
  }
  t.true(changes > 50);
}));

/** Content of the newest instant of a file, that is nowhere else. */
async function takeContent(root: string): Promise<{ path: string; place: string; bytes: Buffer }> {
  const session = await openOffline(await openStore(root));
  const { history } = session.packing;
  const seq = history.watermark();
  let found: { path: string; place: string; bytes: Buffer; ids: Set<number> } | null = null;
  for (const entry of await history.list(1, seq)) {
    const attr = await history.attr(entry.node, seq);
    if (attr === null || (attr.mode & 0o170000) !== 0o100000 || attr.size < 5000) continue;
    const ids = new Set<number>();
    for await (const { key, value } of history.rocks.scan('content', {})) if (value.length > 1000) ids.add(getU64(key, 0));
    found = { path: entry.name, place: `#${seq} ${showPath([entry.name])}`, bytes: await history.read(entry.node, 0, attr.size, seq), ids };
  }
  await session.close();
  await deleted(root, 'content', (key) => found!.ids.has(getU64(key, 0)));
  return found!;
}

test.serial('lost content is taken from the live tree where the hash fits; what is changed there is not', (t) => scoped(async (scope) => {
  const { root, place } = await settled(scope);
  const expected = await answersOf(copyOf(root, place('whole')));
  const file = await takeContent(root);
  const tree = place('tree');
  fs.mkdirSync(tree);
  fs.writeFileSync(path.join(tree, file.path), file.bytes);
  const { end, steps } = await repaired(copyOf(root, place('copy')), { tree });
  t.deepEqual(end.left, []);
  t.true(steps.some((step) => step.type === 'mended' && step.what === 'pieces of content, from elsewhere'));
  const given = await answersOf(place('copy'));
  t.deepEqual(wrongAnswers(expected, given, new Set()), []);
  t.truthy(expected.get(file.place)?.content);
  t.deepEqual(given.get(file.place), expected.get(file.place), 'it is whole');
  t.true([...given.values()].some(({ content }) => content === null), 'others are not known any more');

  const other = Buffer.from(file.bytes);
  for (let at = 0; at < other.length; at += 1000) other[at]! ^= 1;
  fs.writeFileSync(path.join(tree, file.path), other);
  await repaired(copyOf(root, place('copy')), { tree });
  t.is((await answersOf(place('copy'))).get(file.place)!.content, null);
}));

test.serial('lost content and lost entries are taken from a copy of the store; a copy of another is refused', (t) => scoped(async (scope) => {
  const { root, place } = await settled(scope);
  const whole = copyOf(root, place('whole'));
  const expected = await answersOf(copyOf(root, place('asked')));
  for (const file of filesOf(root, /\.(sst|blob)$/)) {
    const copy = copyOf(root, place('copy'));
    fs.rmSync(file.replace(root, copy));
    const { steps, end } = await repaired(copy, { from: whole });
    t.deepEqual(end.left, [], file);
    const isMeta = steps.some((step) => step.type === 'missing' && step.what.includes(' of meta:'));
    const given = await answersOf(copy);
    if (isMeta) t.deepEqual(wrongAnswers(expected, given, new Set()), [], file);
    else t.deepEqual(given, expected, file);
    t.is(steps.some(({ type }) => type === 'lost'), false, file);
  }
  await makeStore(place('other'), { seed: 78 });
  fs.rmSync(path.join(root, 'history', 'CURRENT'));
  await t.throwsAsync(repaired(root, { from: place('other') }), { code: 'ERR_USAGE' });
}));

/** A content that the last instant's tree needs. */
async function contentInUse(root: string): Promise<number> {
  const session = await openOffline(await openStore(root));
  const { history } = session.packing;
  let id = 0;
  for (const { node } of await history.list(1, history.watermark())) {
    for await (const { key, value } of history.rocks.scan('blocks', under(node))) id ||= decodeBlock(value, seqInKey(key)).patches.find(({ content }) => content !== 0)?.content ?? 0;
  }
  await session.close();
  return id;
}

test.serial('one bad block: its file is named with its instants and a gap, and all else reads as before', (t) => scoped(async (scope) => {
  const { root, place } = await settled(scope);
  const expected = await answersOf(copyOf(root, place('whole')));
  const bad = await contentInUse(root);
  await deleted(root, 'content', (key) => getU64(key, 0) === bad);
  const { steps, end } = await repaired(root);
  const lost = steps.flatMap((step) => (step.type === 'lost' ? [step.lost] : []));
  t.true(lost.length >= 1 && lost.every(({ why }) => why.includes(`content ${bad} `)));
  t.deepEqual(end.left, []);
  const session = await openOffline(await openStore(root));
  const given = await answers(session.packing.history);
  const gaps = (await session.packing.history.gaps()).filter(({ reason }) => reason === 'repair');
  await session.close();
  t.deepEqual(new Set(gaps.map(({ node }) => node)), new Set(lost.map(({ node }) => node)));
  t.deepEqual(wrongAnswers(expected, given, new Set()), []);
  const unknown = [...given.values()].filter(({ content }) => content === null).length;
  t.true(unknown > 0 && unknown < given.size / 2, `${unknown} of ${given.size}`);
}));

test.serial('an inode whose newest content is lost says so, so that the next mount reads it again', (t) => scoped(async (scope) => {
  const { root } = await settled(scope);
  await deleted(root, 'content');
  await repaired(root);
  const session = await openOffline(await openStore(root));
  scope.defer(() => session.close());
  const { history } = session.packing;
  let lost = 0;
  for await (const { key, value } of history.rocks.scan('inodes', {})) {
    const { node, uncaptured } = decodeBinding(value);
    const isLost = (await history.attr(node, history.watermark()))?.uncaptured === true;
    t.is(uncaptured === true, isLost, `inode ${getU64(key, 0)}`);
    if (isLost) lost++;
  }
  t.true(lost > 0);
}));

test.serial('a dry run says the same and changes nothing; a store in use is refused; a repair that was cut short is begun anew', (t) => scoped(async (scope) => {
  const { root } = await settled(scope);
  for (const file of filesOf(root, /\.blob$/)) fs.rmSync(file);
  const before = fs.readdirSync(root, { recursive: true }).sort();
  const dry = await repaired(root, { dryRun: true });
  t.deepEqual(dry.end.kept, []);
  t.deepEqual(fs.readdirSync(root, { recursive: true }).sort(), before);
  const lock = await lockStore(await openStore(root));
  await t.throwsAsync(repaired(root), { code: 'ERR_STORE_LOCKED' });
  lock.release();
  fs.mkdirSync(path.join(root, 'history.repairing'));
  fs.writeFileSync(path.join(root, 'history.repairing', 'CURRENT'), 'half');
  const real = await repaired(root);
  t.deepEqual(real.steps.map(({ type }) => type), dry.steps.map(({ type }) => type));
  t.true(real.end.kept.length > 0);
  t.false((await repaired(root)).end.changed, 'once is enough');
}));

test.serial('a repair that dies between its last steps is ended by whoever locks the store next', (t) => scoped(async (scope) => {
  const { root } = await settled(scope);
  const expected = await answersOf(root);
  fs.renameSync(path.join(root, 'history'), path.join(root, 'history.repaired'));
  t.deepEqual(await opened(root), { findings: [] });
  t.deepEqual(await answersOf(root), expected);
  t.deepEqual(fs.readdirSync(root).sort(), ['history', 'journal', 'lock', 'store.json']);
}));

/** The same store, packed: contents as differences, entries with dictionaries. */
async function packed(root: string): Promise<void> {
  const session = await openOffline(await openStore(root));
  const { history } = session.packing;
  while (await new HistoryPacker(history).step(QUICK)) { /* All of it. */ }
  while (await new EntryPacker(history).step(6, true)) { /* All of it. */ }
  await history.rocks.flush();
  await session.close();
}

test.serial('a packed store: whatever table is lost, nothing wrong is answered, and what follows from the rest is made anew', (t) => scoped(async (scope) => {
  const { root, place } = await settled(scope);
  await packed(root);
  const expected = await answersOf(copyOf(root, place('whole')));
  let same = 0;
  for (const file of filesOf(root, /\.sst$/)) {
    const copy = copyOf(root, place('copy'));
    fs.rmSync(file.replace(root, copy));
    const { families, end } = await repaired(copy);
    t.deepEqual(end.left, [], file);
    const given = await answersOf(copy);
    t.deepEqual(wrongAnswers(expected, given, families), [], file);
    if ([...expected].every(([name, { content }]) => given.get(name)?.content === content)) same++;
  }
  t.true(same > 6, `${same}`);
}));

test.serial('a history directory that is gone: history goes on behind what the journal had', (t) => scoped(async (scope) => {
  const base = scope.temporary('memory');
  const root = path.join(base, 'store');
  await makeStore(root, { ahead: true });
  const last = Number.parseInt(fs.readdirSync(path.join(root, 'journal')).sort().at(-1)!, 16);
  fs.rmSync(path.join(root, 'history'), { recursive: true });
  t.like(await opened(copyOf(root, path.join(base, 'looked'))), { refused: 'ERR_HISTORY_BEHIND' });
  const { end } = await repaired(root);
  t.true(end.seq > last);
  t.deepEqual(await opened(root), { findings: [] });
}));

test.serial('an entry of far later than history goes is taken out, and history goes on where it was', (t) => scoped(async (scope) => {
  const { root, place } = await settled(scope);
  const expected = await answersOf(copyOf(root, place('whole')));
  const rocks = await Rocks.open(path.join(root, 'history'), { readOnly: false });
  const batch = rocks.batch();
  batch.put('writers', u64Key(2 ** 50), Buffer.from('{}'));
  batch.put('content', u64Key(2 ** 51), (await rocks.peek('content', {}))!.value);
  batch.put('nodes', nodeKey(2 ** 51, 3), (await rocks.peek('nodes', {}))!.value);
  await rocks.commit(batch);
  await rocks.close();
  const { end, steps } = await repaired(root);
  t.is(end.seq, 135);
  t.deepEqual(end.left, []);
  t.is(steps.filter(({ type }) => type === 'finding').length, 4);
  t.deepEqual(await answersOf(root), expected);
}));

test.serial('entries that are no entries: each is taken out, and what depended on it is not answered', (t) => scoped(async (scope) => {
  const { root, place } = await settled(scope);
  const expected = await answersOf(copyOf(root, place('whole')));
  for (const family of FAMILIES.filter((one) => one !== 'removed')) {
    const copy = copyOf(root, place('copy'));
    const rocks = await Rocks.open(path.join(copy, 'history'), { readOnly: false });
    const entry = await rocks.peek(family, {}, true);
    if (entry !== null) {
      const batch = rocks.batch();
      batch.put(family, entry.key, Buffer.from([0x80]));
      await rocks.commit(batch);
    }
    await rocks.close();
    if (entry === null) continue;
    const { end, families } = await repaired(copy);
    t.true(end.changed, family);
    t.deepEqual(end.left, [], family);
    t.deepEqual(wrongAnswers(expected, await answersOf(copy), families), [], family);
  }
}));
