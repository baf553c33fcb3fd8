/** Keys and values of history are what docs/history.md says, and what is written is what is read. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { RewindError } from '../../../lib/errors.js';
import { firstState, lastState, stateAt } from '../../../lib/history/attributes.js';
import { decodeBlock, encodeFull, packPatches } from '../../../lib/history/blocks.js';
import { decodeChanges, decodeRefs, packChange, packRefs } from '../../../lib/history/changes.js';
import { decodeLink, encodeLink } from '../../../lib/history/chain.js';
import { depthOf, decodeContent, dictionaryOf } from '../../../lib/history/codec.js';
import { coldPlaceOf } from '../../../lib/history/cold/place.js';
import { FAMILIES } from '../../../lib/history/families.js';
import { blockKey, getInverse, getU64, linkKey, nameBounds, nameInKey, nameKey, nodeKey, putInverse, putU64, seqInKey } from '../../../lib/history/keys.js';
import { decodeMeta, EMPTY_META, encodeMeta } from '../../../lib/history/meta.js';
import { Packer, Unpacker } from '../../../lib/history/packing.js';
import type { Change } from '../../../lib/history/types.js';
import { decodeAttr, decodeBinding, decodeTimes, encodeBinding, encodeTimes } from '../../../lib/history/values.js';
import { EXAMPLES, exampleLine } from '../../helpers/history-examples.js';

const page = readFileSync(new URL('../../../../docs/history.md', import.meta.url), 'utf8');

for (const example of EXAMPLES) {
  test.serial(`docs/history.md shows the bytes of ${example.family}: ${example.note}`, (t) => {
    t.true(page.includes(`\n${exampleLine(example)}\n`));
  });
}

test.serial('docs/history.md names every family, and no other', (t) => {
  const named = [...page.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1]);
  t.deepEqual(named.sort(), [...FAMILIES].sort());
});

test.serial('numbers up to 2^53 - 1 are written and read exactly, plain and complemented', (t) => {
  for (const value of [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5, Number.MAX_SAFE_INTEGER]) {
    const key = Buffer.alloc(16);
    putU64(key, value, 0);
    putInverse(key, value, 8);
    t.is(getU64(key, 0), value);
    t.is(getInverse(key, 8), value);
    t.is(key.readBigUInt64BE(0), BigInt(value));
    t.is(key.readBigUInt64BE(8), 2n ** 64n - 1n - BigInt(value));
  }
});

test.serial('newer entries sort before older ones, and nothing of another prefix lies between', (t) => {
  const ordered = [nameKey(1, 'a', 9), nameKey(1, 'a', 2 ** 33), nameKey(1, 'a\x01', 5), nameKey(1, 'b', 7), nameKey(2, 'a', 5)];
  const sorted = [ordered[1]!, ordered[0]!, ...ordered.slice(2)];
  t.deepEqual([...ordered].sort(Buffer.compare), sorted);
  t.true(Buffer.compare(nodeKey(3, 10), nodeKey(3, 9)) < 0);
  t.true(Buffer.compare(blockKey(3, 1, 0), blockKey(3, 2, 10)) < 0);
  const { gte, lt } = nameBounds(1, 'a');
  t.true(Buffer.compare(gte, nameKey(1, 'a', Number.MAX_SAFE_INTEGER)) <= 0 && Buffer.compare(nameKey(1, 'a', 0), lt) < 0);
  t.true(Buffer.compare(lt, nameKey(1, 'a\x01', Number.MAX_SAFE_INTEGER)) < 0);
});

test.serial('a name of any bytes but 0 comes back from its key', (t) => {
  const name = Buffer.from(Array.from({ length: 255 }, (_, i) => i + 1)).toString('latin1');
  t.is(nameInKey(nameKey(5, name, 77), 8), name);
  t.is(nameInKey(linkKey(5, 6, name, 77), 16), name);
  t.is(seqInKey(linkKey(5, 6, name, 77)), 77);
});

function packed(pack: (packer: Packer) => void): Buffer {
  const packer = new Packer();
  pack(packer);
  return Buffer.from(packer.packed());
}

const changesAgain = (changes: Change[]): Buffer => packed((packer) => changes.forEach((change, i) => packChange(packer, change, changes[i - 1] ?? null)));

function blockAgain(value: Buffer, seq: number): Buffer {
  const { full, depth, chainBytes, patches } = decodeBlock(value, seq);
  return full ? encodeFull(patches[0]!) : packed((packer) => packPatches(packer, depth, chainBytes, patches));
}

test.serial('a run of states answers each instant with its own', (t) => {
  const { key, value } = EXAMPLES.find(({ note }) => note.includes('of 9 bytes'))!;
  const first = seqInKey(key);
  t.like(decodeAttr(stateAt(value, first, 1003)), { size: 5, ctime: 12_000_000_007n });
  t.deepEqual(stateAt(value, first, 1004), stateAt(value, first, 1003));
  t.like(decodeAttr(stateAt(value, first, 1005)), { mode: 0o100644, size: 9, ctime: 12_000_000_507n, btime: 9_000_000_000n });
  t.deepEqual(lastState(value, first), stateAt(value, first, 1005));
});

test.serial('changes of a run, and the places where they are found, are read one by one', (t) => {
  const { key, value } = EXAMPLES.find(({ note }) => note.includes('4 bytes more'))!;
  t.like(decodeChanges(key, value), [{ seq: 1003, record: 1003, offset: 0, length: 5, size: 5 }, { seq: 1005, record: 1005, node: 7, offset: 5, length: 4, size: 9, save: 1002 }]);
  t.is(decodeChanges(key, value, 1004).length, 1);
  const [both, found] = EXAMPLES.filter(({ family }) => family === 'nodechanges');
  t.deepEqual(decodeRefs(both!.key, both!.value), [{ seq: 1003, record: 1003, run: 1003 }, { seq: 1005, record: 1005, run: 1003 }]);
  t.deepEqual(decodeRefs(found!.key, found!.value), [{ seq: 1000, record: 1020, run: 1000 }]);
});

test.serial('packed numbers come back exactly up to 2^53 - 1', (t) => {
  const numbers = [0, 1, 127, 128, 16_383, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 42 + 5, Number.MAX_SAFE_INTEGER];
  const value = packed((packer) => numbers.forEach((number) => packer.varint(number)));
  const from = new Unpacker(value);
  t.deepEqual(numbers.map(() => from.varint()), numbers);
  t.false(from.more);
});

const CONTENTS = new Map([[43, 'data'], [44, 'data '.repeat(6) + 'data'], [45, 'more data']]);

test.serial('values are read as they were written', (t) => {
  for (const { family, key, value } of EXAMPLES) {
    if (family === 'blocks') t.deepEqual(blockAgain(value, seqInKey(key)), value);
    if (family === 'changes') t.deepEqual(changesAgain(decodeChanges(key, value)), value);
    if (family === 'nodechanges' && value.length > 0) t.deepEqual(packed((packer) => packRefs(packer, decodeRefs(key, value).flatMap(({ seq, run }) => [seq, run]))), value);
    if (family === 'chain') t.deepEqual(encodeLink(decodeLink(getU64(key, 0), value)), value);
    if (family === 'inodes') t.deepEqual(encodeBinding(decodeBinding(value)), value);
    if (family === 'nodes') t.like(decodeAttr(firstState(value)), { mode: 0o100644, size: 5, ctime: 12_000_000_007n, btime: 9_000_000_000n });
    if (family === 'content' && coldPlaceOf(value) !== null) t.deepEqual([coldPlaceOf(value), dictionaryOf(value), depthOf(value)], [{ file: 3, at: 300, length: 61 }, 43, 1]);
    else if (family === 'content') t.is(decodeContent(value, Buffer.from('data')).toString(), CONTENTS.get(getU64(key, 0))!);
  }
  const times = decodeTimes(encodeTimes(5n, [0, 10, 10]));
  t.deepEqual([times.first, times.count, times.at(2)], [5n, 3, 15n]);
  const meta = { ...EMPTY_META, watermark: 12, timeNs: 99_999_999_999_999_999n, baselined: true };
  t.deepEqual(decodeMeta(encodeMeta(meta)), meta);
});

test.serial('times before 1970 and birth times keep their sign', (t) => {
  t.is(decodeBinding(encodeBinding({ node: 2, type: 0, btime: -1n })).btime, -1n);
});

for (const [what, read] of [
  ['a node entry of 3 bytes', () => decodeAttr(Buffer.alloc(3))],
  ['a block entry of no bytes', () => decodeBlock(Buffer.alloc(0), 1)],
  ['a block entry of an unknown form', () => decodeBlock(Buffer.from([9]), 1)],
  ['a cut block entry', () => decodeBlock(Buffer.from([1, 0, 0]), 1)],
  ['a cut run of patches', () => decodeBlock(Buffer.from([3, 0, 1, 0, 0, 0, 4, 0, 0, 0, 18, 65]), 1)],
  ['a run of no patches', () => decodeBlock(Buffer.from([3, 0, 1, 0, 0, 0, 4]), 1)],
  ['a patch that leaves its block', () => decodeBlock(packed((packer) => packPatches(packer, 1, 1, [{ seq: 1, offset: 65535, length: 2, zero: true, content: 0, bytes: Buffer.alloc(0), at: 0 }])), 1)],
  ['a cut run of states', () => stateAt(Buffer.alloc(91), 1, 9)],
  ['content with an unknown codec', () => decodeContent(Buffer.alloc(9, 7))],
  ['a short change', () => decodeChanges(Buffer.alloc(16), Buffer.alloc(9))],
  ['a run of no changes', () => decodeChanges(Buffer.alloc(16), Buffer.alloc(8))],
  ['a link of an unknown form', () => decodeLink(1, Buffer.alloc(60, 9))],
  ['a link of no records', () => decodeLink(1, Buffer.concat([Buffer.from([2, 0]), Buffer.alloc(40)]))],
  ['a link with more behind its head', () => decodeLink(1, Buffer.concat([Buffer.from([2, 1]), Buffer.alloc(41)]))],
  ['a short inode entry', () => decodeBinding(Buffer.alloc(5))],
  ['a watermark that is no JSON', () => decodeMeta(Buffer.from('{'))],
  ['a watermark without numbers', () => decodeMeta(Buffer.from('{"timeNs":"1","mountTimeNs":"1","firstTimeNs":"1","watermark":"x"}'))],
] as const) {
  test.serial(`${what} is refused as damage`, (t) => {
    t.is(t.throws(read, { instanceOf: RewindError })?.code, 'ERR_HISTORY_CORRUPT');
  });
}
