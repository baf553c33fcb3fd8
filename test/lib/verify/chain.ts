/** The chain: what was tampered with is found where it was; what was forgotten lawfully is told from it; an anchor finds a chain made anew. */
import test from 'ava';
import { Kind } from '../../../lib/extractor/record.js';
import { formatAnchor, parseAnchor, type Anchor } from '../../../lib/history/anchor.js';
import { encodeFull } from '../../../lib/history/blocks.js';
import { CHAINED, decodeLink, digestOf, encodeLink, GENESIS, headOf, type Chained } from '../../../lib/history/chain.js';
import { decodeChanges, packChange } from '../../../lib/history/changes.js';
import type { Family } from '../../../lib/history/families.js';
import { History } from '../../../lib/history/history.js';
import { blockKey, getU64, linkKey, nameKey, nodeKey, u64Key, under } from '../../../lib/history/keys.js';
import { encodeMeta, META_FOLD } from '../../../lib/history/meta.js';
import { Packer } from '../../../lib/history/packing.js';
import type { Entry } from '../../../lib/history/rocks.js';
import { mendChain } from '../../../lib/repair/chain.js';
import { Editor, UNTHROTTLED } from '../../../lib/retention/editor.js';
import { contentValue } from '../../../lib/retention/sink.js';
import { purgeObjects, purgePlan } from '../../../lib/retention/purge.js';
import { mergeDue } from '../../../lib/retention/stretch.js';
import { ChainReport } from '../../../lib/verify/chain.js';
import type { Finding, FindingKind } from '../../../lib/verify/findings.js';
import { verify } from '../../../lib/verify/verify.js';
import { extractRaw, numbered } from '../../helpers/extract.js';
import { scoped, type Scope } from '../../helpers/scope.js';
import { change, kindsOf, put, SMALL, smallHistory } from './support/broken.js';

const never = new AbortController().signal;

async function looked(history: History, { deep = true, anchor = null }: { deep?: boolean; anchor?: Anchor | null } = {}): Promise<{ findings: Finding[]; report: ChainReport }> {
  const report = new ChainReport();
  const findings: Finding[] = [];
  for await (const found of verify(history, { deep, journal: null, anchor, chain: report, signal: never })) if ('kind' in found) findings.push(found);
  return { findings, report };
}

const anchorOf = (history: History): Anchor => ({ store: '0'.repeat(32), seq: history.watermark(), head: history.meta().chain! });

async function entriesOf(history: History, family: Family): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of history.rocks.scan(family, {})) entries.push(entry);
  return entries;
}

/** The run of the timeline that has a record, written anew with other changes. */
async function retold(history: History, record: number, edit: (changes: ReturnType<typeof decodeChanges>) => ReturnType<typeof decodeChanges>): Promise<void> {
  for (const { key, value } of await entriesOf(history, 'changes')) {
    const changes = decodeChanges(key, value);
    if (!changes.some((one) => one.record === record)) continue;
    const packer = new Packer();
    edit(changes).forEach((one, i, all) => packChange(packer, one, all[i - 1] ?? null));
    await put(history, 'changes', key, Buffer.from(packer.packed()));
  }
}

/** What whoever can write the store does to hide an edit: every link and the head anew. */
async function forgeChain(history: History): Promise<void> {
  let head: Buffer = GENESIS;
  const all = Object.fromEntries(await Promise.all(CHAINED.map(async (family) => [family, await entriesOf(history, family)] as const))) as Record<Chained, Entry[]>;
  for (const { key, value } of await entriesOf(history, 'chain')) {
    const link = decodeLink(getU64(key, 0), value);
    const own = Object.fromEntries(CHAINED.map((family) => [family, all[family].filter((entry) => getU64(entry.key, 0) >= link.from && getU64(entry.key, 0) < link.from + link.count)])) as Record<Chained, Entry[]>;
    head = headOf(head, link, digestOf(own));
    await put(history, 'chain', key, encodeLink({ ...link, head }));
  }
  await put(history, 'meta', META_FOLD, encodeMeta({ ...history.meta(), chain: head.toString('hex') }));
}

test.serial('a whole history fits its chain, and an anchor of it', (t) => scoped(async (scope) => {
  const history = await smallHistory(scope);
  const { findings, report } = await looked(history, { anchor: anchorOf(history) });
  t.deepEqual(findings, []);
  t.like(report, { from: 1, to: SMALL.length, links: 3, anchored: true, objects: { whole: 3, thinned: 0, purged: 0, uncaptured: 0 } });
}));

test.serial('an anchor of before still fits when history has grown', (t) => scoped(async (scope) => {
  const history = await History.open(`${scope.temporary('memory')}/history`);
  scope.defer(() => history.close());
  await extractRaw(history, SMALL.slice(0, 7), 3);
  const anchor = anchorOf(history);
  await extractRaw(history, SMALL.slice(7), 2);
  t.deepEqual((await looked(history, { anchor })).findings, []);
}));

type Tamper = (history: History, scope: Scope) => Promise<void>;
/** Object 2 is `a`, later `c`; object 3 is `b`. Each is done as somebody does it who knows the format. */
const TAMPERINGS: [what: string, kinds: FindingKind[], Tamper][] = [
  ['a change says another writer', ['chain-broken'], (history) => retold(history, 4, (changes) => changes.map((one) => (one.record === 4 ? { ...one, writer: 0, save: 99 } : one)))],
  ['a change is dropped, and what names it', ['chain-broken', 'change-without-reference', 'entry-unrecorded'], async (history) => {
    await retold(history, 8, (changes) => changes.filter(({ record }) => record !== 8));
    for (const { key } of (await entriesOf(history, 'nodechanges')).filter(({ key: one }) => getU64(one, 0) === 2)) await put(history, 'nodechanges', key, null);
  }],
  ['two changes are swapped', ['chain-broken'], (history) => retold(history, 6, (changes) => {
    const [a, b] = [changes.find(({ record }) => record === 6)!, changes.find(({ record }) => record === 7)!];
    return changes.map((one) => (one === a ? { ...b, seq: a.seq, record: a.record, timeNs: a.timeNs } : one === b ? { ...a, seq: b.seq, record: b.record, timeNs: b.timeNs } : one));
  })],
  ['a record has another time', ['chain-broken'], (history) => change(history, 'times', 1, (value) => { value.writeUInt32BE(value.readUInt32BE(value.length - 4) + 1, value.length - 4); return value; })],
  ['a writer is another program', ['chain-broken'], (history) => change(history, 'writers', 0, () => Buffer.from(JSON.stringify({ pid: 13, start: 34 })))],
  ['a gap is gone', ['chain-broken'], (history) => change(history, 'gaps', 0, () => null)],
  ['content is replaced, with its hash', ['content-altered'], async (history) => {
    const { key } = (await entriesOf(history, 'content'))[1]!;
    const { value, hash } = contentValue(Buffer.alloc(9000, 'x'));
    await put(history, 'content', key, value);
    await put(history, 'hashes', hash, key);
    for (const entry of await entriesOf(history, 'hashes')) if (entry.value.equals(key) && !entry.key.equals(hash)) await put(history, 'hashes', entry.key, null);
  }],
  ['short content is replaced in its block', ['content-altered'], (history) => change(history, 'blocks', 1, (value) => { value.write('HERE', value.length - 4); return value; })],
  ['content beside what was written is changed at the same instant', ['content-altered'], async (history) => {
    const bytes = await history.readBlock(3, 0, 7);
    bytes.write('forged', 5000);
    const { value, hash } = contentValue(bytes.subarray(0, 9000));
    const id = history.meta().nextContent;
    await put(history, 'content', u64Key(id), value);
    await put(history, 'hashes', hash, u64Key(id));
    await put(history, 'blocks', blockKey(3, 0, 7), encodeFull({ seq: 7, offset: 0, length: 9000, zero: false, content: id, bytes, at: 0 }));
    await history.commit(history.rocks.batch(), { ...history.meta(), nextContent: id + 1 });
  }],
  ['content is put at an instant that wrote none', ['entry-unrecorded'], (history) => put(history, 'blocks', blockKey(3, 0, 11), encodeFull({ seq: 11, offset: 0, length: 6, zero: false, content: 0, bytes: Buffer.from('forged'), at: 0 }))],
  ['an extended attribute has another value', ['content-altered'], (history) => change(history, 'xattrs', 0, () => Buffer.from('\x01z'))],
  ['a file has another owner', ['attributes-altered'], async (history) => {
    const [entry] = (await entriesOf(history, 'nodes')).filter(({ key }) => key.equals(nodeKey(3, 10)));
    const value = Buffer.from(entry!.value);
    value.writeUInt32LE(1234, 12);
    await put(history, 'nodes', entry!.key, value);
  }],
  ['a name leads to another file, with all that goes with it', ['entry-unrecorded'], async (history) => {
    await put(history, 'names', nameKey(1, 'b', 5), u64Key(2));
    await put(history, 'links', linkKey(3, 1, 'b', 5), null);
    await put(history, 'links', linkKey(2, 1, 'b', 5), Buffer.from([1]));
  }],
  ['a file is made up', ['entry-unrecorded'], async (history) => {
    const { value } = (await history.rocks.peek('nodes', under(2)))!;
    await history.commit(history.rocks.batch(), { ...history.meta(), nextNode: 5 });
    await put(history, 'nodes', nodeKey(4, 11), value);
    await put(history, 'names', nameKey(1, 'forged', 11), u64Key(4));
    await put(history, 'links', linkKey(4, 1, 'forged', 11), Buffer.from([1]));
  }],
  ['a truncation cuts more', ['entry-unrecorded'], async (history) => {
    const { key, value } = (await history.rocks.peek('cuts', {}))!;
    const more = Buffer.from(key);
    more.writeUInt32BE(100, more.length - 4);
    await put(history, 'cuts', key, null);
    await put(history, 'cuts', more, value);
  }],
  ['a link is gone', ['chain-broken', 'chain-gap'], (history) => change(history, 'chain', 1, () => null)],
  ['the last link is gone', ['chain-gap'], (history) => change(history, 'chain', 2, () => null)],
  ['two links are swapped', ['chain-broken'], async (history) => {
    const [a, b] = await entriesOf(history, 'chain');
    await put(history, 'chain', a!.key, b!.value);
    await put(history, 'chain', b!.key, a!.value);
  }],
];

for (const [what, kinds, tamper] of TAMPERINGS) {
  test.serial(`it is found that ${what}`, (t) => scoped(async (scope) => {
    const history = await smallHistory(scope);
    await tamper(history, scope);
    t.deepEqual(kindsOf((await looked(history)).findings), kinds);
  }));
}

test.serial('records that were put behind the end are found by the head', (t) => scoped(async (scope) => {
  const history = await smallHistory(scope);
  await put(history, 'points', u64Key(SMALL.length), Buffer.from(JSON.stringify({ kind: 'mark', name: 'forged', note: '', timeNs: '1' })));
  t.deepEqual(kindsOf((await looked(history)).findings), ['chain-broken']);
}));

test.serial('a chain that was made anew over altered records fits itself, and not the anchor', (t) => scoped(async (scope) => {
  const directory = `${scope.temporary('memory')}/history`;
  const history = await smallHistory(scope, directory);
  const anchor = anchorOf(history);
  await change(history, 'writers', 0, () => Buffer.from(JSON.stringify({ pid: 13, start: 34 })));
  await forgeChain(history);
  await history.close();
  const forged = await History.open(directory);
  scope.defer(() => forged.close());
  t.deepEqual(kindsOf((await looked(forged)).findings), []);
  t.deepEqual(kindsOf((await looked(forged, { anchor })).findings), ['anchor-mismatch']);
}));

test.serial('an anchor of later than history goes, or of where no link ends, does not fit', (t) => scoped(async (scope) => {
  const history = await smallHistory(scope);
  const anchor = anchorOf(history);
  t.deepEqual(kindsOf((await looked(history, { anchor: { ...anchor, seq: 99 } })).findings), ['anchor-mismatch']);
  t.deepEqual(kindsOf((await looked(history, { anchor: { ...anchor, seq: 3 } })).findings), ['anchor-mismatch']);
}));

test.serial('what was thinned is counted, and what is left of it still compared', (t) => scoped(async (scope) => {
  const history = await smallHistory(scope);
  const anchor = anchorOf(history);
  await history.forget(history.rocks.batch(), { ...history.retention(), due: [{ from: 1, to: 9 }] });
  await mergeDue(history, 12, UNTHROTTLED, never);
  const { findings, report } = await looked(history, { anchor });
  t.deepEqual(findings, []);
  t.like(report.objects, { whole: 1, thinned: 2, purged: 0 }, 'what object 2 got by one write lies there as it was written');
}));

test.serial('what is left of thinned instants is found when it is altered', (t) => scoped(async (scope) => {
  const history = await smallHistory(scope);
  await history.forget(history.rocks.batch(), { ...history.retention(), due: [{ from: 1, to: 9 }] });
  await mergeDue(history, 12, UNTHROTTLED, never);
  const { value, hash } = contentValue(Buffer.alloc(5000, 'x'));
  await put(history, 'content', u64Key(1), value);
  await put(history, 'hashes', hash, u64Key(1));
  t.true(kindsOf((await looked(history)).findings).includes('content-altered'));
}));

test.serial('what was purged is counted, and no finding', (t) => scoped(async (scope) => {
  const history = await smallHistory(scope);
  const editor = new Editor(history, history.retention(), UNTHROTTLED, never);
  await purgeObjects(history, await purgePlan(history, ['b'], false), editor, { by: 'uid 0', timeNs: 5n, note: 'b' });
  editor.end();
  const { findings, report } = await looked(history, { anchor: anchorOf(history) });
  t.deepEqual(findings, []);
  t.is(report.objects.purged, 1);
}));

test.serial('after a repair the chain goes on, links that fitted are as they were, and an anchor is told of the others', (t) => scoped(async (scope) => {
  const history = await smallHistory(scope);
  const anchor = anchorOf(history);
  await change(history, 'writers', 0, () => Buffer.from(JSON.stringify({ pid: 13, start: 34 })));
  await change(history, 'chain', 1, () => null);
  t.is(await mendChain(history, (await looked(history)).findings, 5_000_000n), 3, 'the third stood on one that is gone');
  t.deepEqual(kindsOf((await looked(history)).findings), []);
  const { findings, report } = await looked(history, { anchor });
  t.deepEqual([kindsOf(findings), report.anchored], [['chain-mended'], true]);
  t.deepEqual(report.mended.map(({ from, to }) => [from, to]), [[1, 4], [5, 8], [9, 12]]);
  await extractRaw(history, numbered([{ kind: Kind.Mark, payload: { kind: 'mark', name: 'later', note: '' } }], SMALL.length + 1));
  t.deepEqual((await looked(history)).findings, []);
}));

test.serial('a chain that is gone altogether is told, and begins anew with a repair', (t) => scoped(async (scope) => {
  const history = await smallHistory(scope);
  for (const { key } of await entriesOf(history, 'chain')) await put(history, 'chain', key, null);
  const { findings } = await looked(history);
  t.deepEqual(kindsOf(findings), ['chain-gap']);
  t.is(await mendChain(history, findings, 5_000_000n), 1);
  t.deepEqual((await looked(history)).findings, []);
}));

test.serial('an anchor is one line that says what it is of', (t) => {
  const anchor = { store: 'ab'.repeat(16), seq: 4711, head: 'cd'.repeat(32) };
  t.deepEqual(parseAnchor(`${formatAnchor(anchor)}\n`), anchor);
  for (const bad of ['', 'rewindfs-anchor:', formatAnchor({ ...anchor, seq: 0 }), formatAnchor({ ...anchor, head: 'xy' }), `${formatAnchor(anchor)} more`]) {
    t.throws(() => parseAnchor(bad), { code: 'ERR_USAGE' });
  }
});
