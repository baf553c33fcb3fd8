/** Small values, compressed where they lie: whoever reads sees them as they were. */
import test from 'ava';
import { RewindError } from '../../../lib/errors.js';
import { u64Key } from '../../../lib/history/keys.js';
import { Rocks } from '../../../lib/history/rocks.js';
import { dictionaryKey, isZipped, Zip, ZIPPED_FAMILIES } from '../../../lib/history/zip.js';
import { EXAMPLES } from '../../helpers/history-examples.js';
import { scoped } from '../../helpers/scope.js';

const value = (salt: number): Buffer => {
  const bytes = Buffer.alloc(120, `state ${salt}`);
  bytes[0] = 3;
  bytes[7] = 0;
  return bytes;
};
const zipWith = (...dictionaries: [number, Buffer][]): Zip => {
  const zip = new Zip();
  for (const family of ZIPPED_FAMILIES) for (const [number, bytes] of dictionaries) zip.learn(dictionaryKey(family, number), bytes);
  return zip;
};

test.serial('no value that history writes looks compressed', (t) => {
  for (const { family, value: bytes } of EXAMPLES) t.false(isZipped(family, bytes), family);
});

test.serial('a value comes back whole, with a dictionary or without, also with an older one', (t) => {
  for (const family of ZIPPED_FAMILIES) {
    for (const zip of [zipWith(), zipWith([1, value(1)])]) {
      const zipped = zip.zip(family, value(2), 9)!;
      t.true(isZipped(family, zipped));
      t.true(zipped.length < 60);
      t.deepEqual(zip.unzip(family, zipped), value(2));
      t.deepEqual(zip.unzip(family, value(2)), value(2));
      zip.learn(dictionaryKey(family, 2), value(7));
      t.deepEqual(zip.unzip(family, zipped), value(2));
    }
    t.is(zipWith().zip(family, Buffer.from('short'), 9), null);
  }
  t.is(zipWith().zip('names', value(1), 9), null);
});

test.serial('a value whose dictionary is gone, or that is cut, is damage', (t) => {
  const zipped = zipWith([3, value(1)]).zip('blocks', value(2), 9)!;
  for (const read of [() => zipWith([1, value(1)]).unzip('blocks', zipped), () => zipWith([3, value(1)]).unzip('blocks', zipped.subarray(0, 9))]) {
    t.is(t.throws(read, { instanceOf: RewindError })?.code, 'ERR_HISTORY_CORRUPT');
  }
});

test.serial('reads of a database unzip, also after it was opened anew; who wants to see what is stored does', async (t) => {
  await scoped(async (scope) => {
    const directory = `${scope.temporary('memory')}/history`;
    const first = await Rocks.open(directory, { readOnly: false });
    first.zip.learn(dictionaryKey('nodes', 1), value(1));
    const zipped = first.zip.zip('nodes', value(2), 9)!;
    const batch = first.batch();
    batch.put('meta', dictionaryKey('nodes', 1), value(1));
    batch.put('nodes', u64Key(1), zipped);
    await first.commit(batch);
    await first.close();
    const rocks = await Rocks.open(directory, { readOnly: false });
    scope.defer(() => rocks.close());
    t.deepEqual(await rocks.get('nodes', u64Key(1)), value(2));
    t.deepEqual((await rocks.peek('nodes', {}))!.value, value(2));
    for await (const entry of rocks.scan('nodes', {}, { stored: true })) t.deepEqual(entry.value, zipped);
  });
});
