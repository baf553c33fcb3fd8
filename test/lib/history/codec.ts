/** Packed content: the bytes that it was made from, or ERR_HISTORY_CORRUPT; nothing else. */
import test from 'ava';
import { RewindError } from '../../../lib/errors.js';
import { decodeContent, depthOf, encodePacked, MOST_DEPTH } from '../../../lib/history/codec.js';
import { Contents } from '../../../lib/history/contents.js';
import { hashOf } from '../../../lib/history/hash.js';
import { u64Key } from '../../../lib/history/keys.js';
import { Rocks } from '../../../lib/history/rocks.js';
import { BLOCK_BYTES, dictionaryOf } from '../../../lib/history/values.js';
import { compress, decompress } from '../../../lib/history/zstd.js';
import { Random } from '../../helpers/random.js';
import { scoped } from '../../helpers/scope.js';

const lines = (count: number, of: string): Buffer => Buffer.from(Array.from({ length: count }, (_, i) => `line ${i * i} of ${of}\n`).join(''));
const plain = (bytes: Buffer): Buffer => {
  const head = Buffer.alloc(9);
  head.writeBigUInt64BE(hashOf(bytes), 1);
  return Buffer.concat([head, bytes]);
};
const corrupt = { instanceOf: RewindError, code: 'ERR_HISTORY_CORRUPT' };

test.serial('content is read back whole in every codec, of every length', (t) => {
  const base = lines(900, 'a text');
  for (const length of [0, 1, 20, 255, 256, 257, 5000, BLOCK_BYTES]) {
    const bytes = Buffer.concat([base, base, base, base, base]).subarray(0, length);
    t.deepEqual(decodeContent(plain(bytes)), bytes);
    t.deepEqual(decodeContent(encodePacked(bytes, 3)), bytes);
    const value = encodePacked(bytes, 3, { id: 300, depth: 4, bytes: base });
    t.deepEqual([dictionaryOf(value), depthOf(value)], [300, 4]);
    t.deepEqual(decodeContent(value, base), bytes);
  }
  t.is(dictionaryOf(plain(base)), 0);
  t.is(dictionaryOf(encodePacked(base, 1)), 0);
});

test.serial('a flipped bit anywhere is damage, or changes nothing', (t) => {
  const base = lines(100, 'one');
  const bytes = Buffer.concat([base.subarray(0, 900), Buffer.from('inserted'), base.subarray(950)]);
  const random = new Random(5);
  for (const value of [plain(bytes), encodePacked(bytes, 3), encodePacked(bytes, 3, { id: 7, depth: 1, bytes: base })]) {
    for (let i = 0; i < 400; i++) {
      const damaged = Buffer.from(value);
      const at = i < 24 ? i : random.below(damaged.length);
      damaged[at]! ^= 1 << random.below(8);
      try {
        // Which content it is based on, and how deep, is not in the hash.
        t.deepEqual(decodeContent(damaged, base), bytes, `byte ${at}`);
      } catch (error) {
        t.is((error as RewindError).code, 'ERR_HISTORY_CORRUPT', String(error));
      }
    }
  }
  t.throws(() => decodeContent(encodePacked(bytes, 3, { id: 7, depth: 1, bytes: base }), lines(100, 'two')), corrupt, 'another dictionary');
});

test.serial('a frame that says it holds more than it may is refused before memory is taken', (t) => {
  const frame = compress(Buffer.alloc(1 << 20, 'x'), 1);
  t.is(decompress(frame, 1 << 20).length, 1 << 20);
  t.throws(() => decompress(frame, BLOCK_BYTES), corrupt);
  t.throws(() => decompress(Buffer.from('28b52ffde0ffffffffffffffff010000', 'hex'), BLOCK_BYTES), corrupt);
  t.throws(() => decompress(Buffer.from('28b52ffd0058', 'hex'), BLOCK_BYTES), { ...corrupt, message: /how long/ });
  t.throws(() => decompress(frame.subarray(0, 30), 1 << 20), corrupt);
  t.throws(() => decompress(Buffer.from('plain'), 10), corrupt);
});

async function withContents(values: [number, Buffer][], body: (contents: Contents) => Promise<void>): Promise<void> {
  await scoped(async (scope) => {
    const rocks = await Rocks.open(`${scope.temporary('memory')}/history`, { readOnly: false });
    scope.defer(() => rocks.close());
    const batch = rocks.batch();
    for (const [id, value] of values) batch.put('content', u64Key(id), value);
    await rocks.commit(batch);
    await body(new Contents(rocks));
  });
}

test.serial('a chain is read from its first content on; contents that are not there are left out', async (t) => {
  const versions = Array.from({ length: 8 }, (_, i) => lines(50, `version ${i}`));
  const values = versions.map((bytes, i): [number, Buffer] => [i + 1, i === 0 ? plain(bytes) : encodePacked(bytes, 3, { id: i, depth: i, bytes: versions[i - 1]! })]);
  await withContents(values, async (contents) => {
    const found = await contents.get([8, 99, 3, 8]);
    t.deepEqual([...found.keys()].sort(), [3, 8]);
    t.deepEqual(found.get(8), versions[7]);
    t.deepEqual(found.get(3), versions[2]);
    t.deepEqual((await contents.get([8])).get(8), versions[7]);
  });
});

test.serial('a chain that is none ends with an error: a missing link, a circle, no end', async (t) => {
  const bytes = lines(50, 'a text');
  const on = (id: number): Buffer => encodePacked(bytes, 3, { id, depth: 1, bytes });
  const endless = Array.from({ length: MOST_DEPTH + 2 }, (_, i): [number, Buffer] => [101 + i, i === 0 ? plain(bytes) : on(100 + i)]);
  await withContents([[5, on(4)], [6, on(6)], [7, on(8)], [8, on(7)], [9, plain(bytes)], ...endless], async (contents) => {
    for (const id of [5, 6, 7, 8, 102 + MOST_DEPTH]) await t.throwsAsync(contents.get([id]), corrupt, String(id));
    t.is((await contents.get([9, 101 + MOST_DEPTH])).size, 2);
  });
});
