/** Keys and values of history are what docs/history.md says, and what is written is what is read. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { RewindError } from '../../../lib/errors.js';
import { FAMILIES } from '../../../lib/history/families.js';
import { blockKey, getInverse, getU64, linkKey, nameBounds, nameInKey, nameKey, nodeKey, putInverse, putU64, seqInKey } from '../../../lib/history/keys.js';
import { decodeMeta, EMPTY_META, encodeMeta } from '../../../lib/history/meta.js';
import { decodeAttr, decodeBinding, decodeBlock, decodeChange, decodeContent, decodeTimes, encodeBinding, encodeBlock, encodeChange, encodeTimes } from '../../../lib/history/values.js';
import { EXAMPLES, exampleLine } from '../../helpers/history-examples.js';

const page = readFileSync(new URL('../../../../docs/history.md', import.meta.url), 'utf8');

for (const example of EXAMPLES) {
  test(`docs/history.md shows the bytes of ${example.family}: ${example.note}`, (t) => {
    t.true(page.includes(`\n${exampleLine(example)}\n`));
  });
}

test('docs/history.md names every family, and no other', (t) => {
  const named = [...page.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1]);
  t.deepEqual(named.sort(), [...FAMILIES].sort());
});

test('numbers up to 2^53 - 1 are written and read exactly, plain and complemented', (t) => {
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

test('newer entries sort before older ones, and nothing of another prefix lies between', (t) => {
  const ordered = [nameKey(1, 'a', 9), nameKey(1, 'a', 2 ** 33), nameKey(1, 'a\x01', 5), nameKey(1, 'b', 7), nameKey(2, 'a', 5)];
  const sorted = [ordered[1]!, ordered[0]!, ...ordered.slice(2)];
  t.deepEqual([...ordered].sort(Buffer.compare), sorted);
  t.true(Buffer.compare(nodeKey(3, 10), nodeKey(3, 9)) < 0);
  t.true(Buffer.compare(blockKey(3, 1, 0), blockKey(3, 2, 10)) < 0);
  const { gte, lt } = nameBounds(1, 'a');
  t.true(Buffer.compare(gte, nameKey(1, 'a', Number.MAX_SAFE_INTEGER)) <= 0 && Buffer.compare(nameKey(1, 'a', 0), lt) < 0);
  t.true(Buffer.compare(lt, nameKey(1, 'a\x01', Number.MAX_SAFE_INTEGER)) < 0);
});

test('a name of any bytes but 0 comes back from its key', (t) => {
  const name = Buffer.from(Array.from({ length: 255 }, (_, i) => i + 1)).toString('latin1');
  t.is(nameInKey(nameKey(5, name, 77), 8), name);
  t.is(nameInKey(linkKey(5, 6, name, 77), 16), name);
  t.is(seqInKey(linkKey(5, 6, name, 77)), 77);
});

test('values are read as they were written', (t) => {
  for (const { family, key, value } of EXAMPLES) {
    if (family === 'blocks') t.deepEqual(encodeBlock(decodeBlock(value)), value);
    if (family === 'changes') t.deepEqual(encodeChange(decodeChange(key, value)), value);
    if (family === 'inodes') t.deepEqual(encodeBinding(decodeBinding(value)), value);
    if (family === 'nodes') t.like(decodeAttr(value), { mode: 0o100644, size: 5, ctime: 12_000_000_007n, btime: 9_000_000_000n });
    if (family === 'content') t.is(decodeContent(value).toString(), 'data');
  }
  const times = decodeTimes(encodeTimes(5n, [0, 10, 10]));
  t.deepEqual([times.first, times.count, times.at(2)], [5n, 3, 15n]);
  const meta = { ...EMPTY_META, watermark: 12, timeNs: 99_999_999_999_999_999n, baselined: true };
  t.deepEqual(decodeMeta(encodeMeta(meta)), meta);
});

test('times before 1970 and birth times keep their sign', (t) => {
  t.is(decodeBinding(encodeBinding({ node: 2, type: 0, btime: -1n })).btime, -1n);
});

for (const [what, read] of [
  ['a node entry of 3 bytes', () => decodeAttr(Buffer.alloc(3))],
  ['a block entry of no bytes', () => decodeBlock(Buffer.alloc(0))],
  ['a block entry of an unknown form', () => decodeBlock(Buffer.from([9]))],
  ['a cut block entry', () => decodeBlock(Buffer.from([1, 0, 0]))],
  ['a patch that leaves its block', () => decodeBlock(encodeBlock({ kind: 'patch', depth: 1, chainBytes: 1, offset: 65535, length: 2, data: null }))],
  ['content with an unknown codec', () => decodeContent(Buffer.alloc(9, 7))],
  ['a short change', () => decodeChange(Buffer.alloc(16), Buffer.alloc(5))],
  ['a short inode entry', () => decodeBinding(Buffer.alloc(5))],
  ['a watermark that is no JSON', () => decodeMeta(Buffer.from('{'))],
  ['a watermark without numbers', () => decodeMeta(Buffer.from('{"timeNs":"1","mountTimeNs":"1","firstTimeNs":"1","watermark":"x"}'))],
] as const) {
  test(`${what} is refused as damage`, (t) => {
    t.is(t.throws(read, { instanceOf: RewindError })?.code, 'ERR_HISTORY_CORRUPT');
  });
}
