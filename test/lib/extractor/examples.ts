/** The worked examples of the published designs behind rewindfs, and the corners of content, as records. */
import test from 'ava';
import { Flag, Kind } from '../../../lib/extractor/record.js';
import { History } from '../../../lib/history/history.js';
import { ROOT } from '../../../lib/history/types.js';
import { directoryAttr, dump, extractRaw, fileAttr, numbered } from '../../helpers/extract.js';
import { encodeRecord, type RecordDraft } from '../../helpers/records.js';
import { scoped } from '../../helpers/scope.js';

const BLOCK = 65536;
const MOUNT = { kind: Kind.Mount, ino: 100, attr: directoryAttr, payload: {} };
const create = (ino: number, name: string) => ({ kind: Kind.Create, ino, parent: 100, name, attr: fileAttr(0, ino), parentAttr: directoryAttr });
const unlink = (ino: number, name: string, size: number) => ({ kind: Kind.Unlink, ino, parent: 100, name, attr: { ...fileAttr(size, ino), nlink: 0 }, parentAttr: directoryAttr });
const write = (ino: number, offset: number, payload: Buffer, size: number) => ({ kind: Kind.Write, ino, offset, length: payload.length, payload, attr: fileAttr(size, ino) });
const truncate = (ino: number, size: number) => ({ kind: Kind.Truncate, ino, length: size, attr: fileAttr(size, ino) });
const fallocate = (ino: number, mode: number, offset: number, length: number, size: number) => ({ kind: Kind.Fallocate, ino, aux: mode, offset, length, attr: fileAttr(size, ino) });

async function withRecords(drafts: Omit<RecordDraft, 'seq'>[] | RecordDraft[], body: (history: History) => Promise<void>, batchSize = 1000): Promise<void> {
  await scoped(async (scope) => {
    const history = await History.open(`${scope.temporary('memory')}/history`);
    scope.defer(() => history.close());
    await extractRaw(history, drafts.every((draft) => 'seq' in draft) ? drafts.map((draft) => encodeRecord(draft as RecordDraft)) : numbered(drafts), batchSize);
    await body(history);
  });
}

const text = async (history: History, name: string, seq: number): Promise<string | null> => {
  const entry = await history.lookup(ROOT, name, seq);
  return entry === null ? null : (await history.read(entry.node, 0, 1 << 20, seq)).toString();
};

test.serial('a file saved at t3 and t5, deleted at t9 and created again at t14 answers each instant with its own content', async (t) => {
  const at = (seq: number, draft: Omit<RecordDraft, 'seq'>): RecordDraft => ({ ...draft, seq });
  const other = (seq: number) => at(seq, { kind: Kind.Open, ino: 999 });
  await withRecords([
    at(1, MOUNT), at(2, create(101, 'foo')), at(3, write(101, 0, Buffer.from('first'), 5)), other(4),
    at(5, write(101, 0, Buffer.from('other'), 5)), other(6), other(7), other(8), at(9, unlink(101, 'foo', 5)),
    other(10), other(11), other(12), at(13, create(101, 'foo')), at(14, write(101, 0, Buffer.from('again'), 5)),
  ], async (history) => {
    t.is(await text(history, 'foo', 8), 'other');
    t.is(await text(history, 'foo', 4), 'first');
    t.is(await text(history, 'foo', 1), null);
    for (const seq of [9, 10, 11, 12]) t.is(await text(history, 'foo', seq), null);
    t.is(await text(history, 'foo', 14), 'again');
    const lives = await history.nameHistory(ROOT, 'foo');
    t.deepEqual(lives.map((life) => life.since), [2, 9, 13]);
    t.not(lives[0]!.node, lives[2]!.node);
    t.is(lives[1]!.node, null);
    t.deepEqual(await history.namesEver(ROOT), ['foo']);
  });
});

test.serial('of several before-images of one area the oldest wins; areas do not disturb each other', async (t) => {
  const area = (char: string) => Buffer.alloc(BLOCK, char);
  const base = (block: number, char: string, flags = 0) => ({ kind: Kind.BaseData, ino: 101, offset: block * BLOCK, length: BLOCK, payload: area(char), flags });
  const size = 2 * BLOCK;
  for (const batchSize of [1, 1000]) {
    await withRecords([
      MOUNT, { kind: Kind.BaseNode, ino: 101, attr: fileAttr(size, 101) }, { kind: Kind.BaseName, ino: 101, parent: 100, name: 'data' },
      base(0, 'x'), write(101, 0, area('1'), size), base(0, '!'), write(101, 0, area('2'), size),
      base(1, 'y', Flag.Captured), write(101, BLOCK, area('3'), size), base(1, '!'),
    ], async (history) => {
      const node = (await history.lookup(ROOT, 'data', 1))!.node;
      const read = async (seq: number) => {
        const bytes = await history.read(node, 0, size, seq);
        t.true(bytes.subarray(0, BLOCK).every((byte) => byte === bytes[0]) && bytes.subarray(BLOCK).every((byte) => byte === bytes[BLOCK]));
        return String.fromCharCode(bytes[0]!, bytes[BLOCK]!);
      };
      t.is(await read(1), 'xy');
      t.is(await read(5), '1y');
      t.is(await read(8), '2y');
      t.is(await read(10), '23');
    }, batchSize);
  }
});

test.serial('what changed since an instant is the areas changed and the areas added, and the instant can be chosen', async (t) => {
  const area = (char: string) => Buffer.alloc(BLOCK, char);
  await withRecords([
    MOUNT, create(101, 'f'), write(101, 0, Buffer.alloc(3 * BLOCK, '.'), 3 * BLOCK),   // 3: x y z
    write(101, 0, area('x'), 3 * BLOCK), write(101, BLOCK, area('y'), 3 * BLOCK),      // 5
    write(101, 2 * BLOCK, area('z'), 3 * BLOCK), write(101, 3 * BLOCK, area('u'), 4 * BLOCK),
  ], async (history) => {
    const node = (await history.lookup(ROOT, 'f', 7))!.node;
    t.deepEqual(await history.changedRanges(node, 3, 6), [{ offset: 0, length: 3 * BLOCK }]);
    t.deepEqual(await history.changedRanges(node, 5, 6), [{ offset: 2 * BLOCK, length: BLOCK }]);
    t.deepEqual(await history.changedRanges(node, 5, 7), [{ offset: 2 * BLOCK, length: 2 * BLOCK }]);
    t.deepEqual(await history.changedRanges(node, 7, 5), [{ offset: 2 * BLOCK, length: 2 * BLOCK }]);
    t.deepEqual(await history.changedRanges(node, 7, 7), []);
  });
});

test.serial('what a truncation took away reads as zero when the file grows again', async (t) => {
  await withRecords([
    MOUNT, create(101, 'f'), write(101, 0, Buffer.alloc(3 * BLOCK, 'a'), 3 * BLOCK), truncate(101, 10), truncate(101, 3 * BLOCK),
    write(101, 2 * BLOCK, Buffer.from('end'), 3 * BLOCK),
  ], async (history) => {
    const node = (await history.lookup(ROOT, 'f', 6))!.node;
    t.is((await history.read(node, 0, 1 << 20, 4)).toString(), 'aaaaaaaaaa');
    const grown = await history.read(node, 0, 1 << 20, 6);
    t.is(grown.length, 3 * BLOCK);
    t.is(grown.toString('latin1').replaceAll('\0', ''), 'aaaaaaaaaaend');
    t.is((await history.read(node, 0, 1 << 20, 3)).filter((byte) => byte === 97).length, 3 * BLOCK);
    t.deepEqual(await history.dataRanges(node, 6), [{ offset: 0, length: BLOCK }, { offset: 2 * BLOCK, length: BLOCK }]);
  });
});

test.serial('a block whose newest patch is cut away still holds the data below it', async (t) => {
  await withRecords([
    MOUNT, create(101, 'f'), write(101, 0, Buffer.alloc(BLOCK, 'a'), BLOCK), write(101, 5000, Buffer.alloc(1000, 'b'), BLOCK), truncate(101, 4000), truncate(101, 2 * BLOCK),
  ], async (history) => {
    const node = (await history.lookup(ROOT, 'f', 6))!.node;
    t.deepEqual(await history.dataRanges(node, 6), [{ offset: 0, length: BLOCK }]);
  });
});

test.serial('truncating a file of 10 GiB costs a handful of entries', async (t) => {
  const size = 10 * 2 ** 30;
  await withRecords([
    MOUNT, create(101, 'f'), write(101, size - 5, Buffer.from('after'), size), truncate(101, 0), truncate(101, size), fallocate(101, 3, 0, size, size),
  ], async (history) => {
    const node = (await history.lookup(ROOT, 'f', 6))!.node;
    t.is((await history.read(node, size - 5, 5, 3)).toString(), 'after');
    t.deepEqual([...await history.read(node, size - 5, 5, 6)], [0, 0, 0, 0, 0]);
    let entries = 0;
    for await (const _ of history.rocks.scan('blocks', {})) entries++;
    for await (const _ of history.rocks.scan('cuts', {})) entries++;
    t.true(entries <= 4, `${entries} entries`);
  });
});

test.serial('punched and zeroed ranges read as zero, what lies around them stays', async (t) => {
  const size = 4 * BLOCK;
  await withRecords([
    MOUNT, create(101, 'f'), write(101, 0, Buffer.alloc(size, 'a'), size), fallocate(101, 3, 100, 2 * BLOCK, size), fallocate(101, 16, size - 10, 5, size),
  ], async (history) => {
    const node = (await history.lookup(ROOT, 'f', 5))!.node;
    const expected = Buffer.alloc(size, 'a').fill(0, 100, 100 + 2 * BLOCK);
    t.true((await history.read(node, 0, size, 4)).equals(expected));
    t.true((await history.read(node, 0, size, 5)).equals(expected.fill(0, size - 10, size - 5)));
  });
});

test.serial('equal content is kept once, a different one with the same hash on its own', async (t) => {
  const block = Buffer.from(Array.from({ length: BLOCK }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
  await withRecords([
    MOUNT, create(101, 'a'), write(101, 0, block, BLOCK), create(102, 'b'), write(102, 0, block, BLOCK), write(101, 0, Buffer.from('!'), BLOCK), write(101, 0, block, BLOCK),
  ], async (history) => {
    const contents: number[] = [];
    for await (const { value } of history.rocks.scan('content', {})) contents.push(value.length);
    t.deepEqual(contents, [BLOCK + 9]);
    t.is(await text(history, 'b', 5), block.toString());
  }, 1);
});

for (const batchSize of [1, 30, 1000]) test.serial(`a block that is patched for ever is read in a bounded number of entries (batches of ${batchSize})`, async (t) => {
  const drafts: Omit<RecordDraft, 'seq'>[] = [MOUNT, create(101, 'log')];
  for (let i = 0; i < 1000; i++) drafts.push(write(101, i * 7, Buffer.from(`line${String(i).padStart(3, '0')}`), i * 7 + 7));
  await withRecords(drafts, async (history) => {
    const node = (await history.lookup(ROOT, 'log', 1002))!.node;
    for (const seq of [3, 64, 65, 66, 130, 500, 1002]) {
      const bytes = await history.read(node, 0, BLOCK, seq);
      t.is(bytes.length, (seq - 2) * 7);
      t.is(bytes.subarray(-7).toString(), `line${String(seq - 3).padStart(3, '0')}`);
      t.is(bytes.subarray(0, 7).toString(), 'line000');
    }
    let chain = 0;
    let longest = 0;
    for await (const { value } of history.rocks.scan('blocks', {})) {
      chain = value[0]! >= 3 ? chain + 1 : 0;
      longest = Math.max(longest, chain);
    }
    t.true(longest < 128, `a chain of ${longest}`);
  }, batchSize);
});

test.serial('small writes one after another cost a few entries, not some each', async (t) => {
  const drafts: Omit<RecordDraft, 'seq'>[] = [MOUNT, create(101, 'log')];
  for (let i = 0; i < 1000; i++) drafts.push(write(101, i * 7, Buffer.from(`line${String(i).padStart(3, '0')}`), i * 7 + 7));
  await withRecords(drafts, async (history) => {
    const entries = (await dump(history)).length;
    t.true(entries < 80, `${entries} entries`);
  });
});

test.serial('an inode number that comes back after a remount with another birth is another node', async (t) => {
  const base = (ino: number, born: number, name: string, flags: number) => [
    { kind: Kind.BaseNode, ino, attr: fileAttr(3, born), flags }, { kind: Kind.BaseName, ino, parent: 100, name, flags },
    { kind: Kind.BaseData, ino, length: 3, payload: Buffer.from(name.repeat(3)), flags: flags | Flag.Captured },
  ];
  await withRecords([
    MOUNT, { kind: Kind.BaseNode, ino: 100, attr: directoryAttr }, ...base(101, 5, 'a', 0), { kind: Kind.BaseEnd }, { kind: Kind.Unmount, payload: { reason: 'x' } },
    MOUNT, { kind: Kind.BaseAbsent, parent: 100, name: 'a', flags: Flag.Unmounted }, ...base(101, 6, 'b', Flag.Unmounted), { kind: Kind.BaseEnd },
  ], async (history) => {
    t.is(await text(history, 'a', 7), 'aaa');
    t.is(await text(history, 'a', 8), null);
    t.is(await text(history, 'b', 7), null);
    t.is(await text(history, 'b', 8), 'bbb');
    const gaps = await history.gaps();
    t.deepEqual(gaps.map((gap) => [gap.seq, gap.reason]), [[8, 'unmounted']]);
    const changes = [];
    for await (const change of history.changes(0, 13)) changes.push(change);
    t.deepEqual(changes.map((change) => [change.seq, change.record, change.marker, change.name, change.unmounted]), [
      [8, 9, 'delete', 'a', true], [8, 11, 'create', 'b', true], [8, 12, 'modify', undefined, true],
    ]);
    t.deepEqual((await history.points()).map((point) => [point.seq, point.kind]), [[1, 'mount'], [7, 'unmount'], [8, 'mount']]);
  });
});

test.serial('an object made anew while unmounted under the same name and inode number is another node, and names left alone follow it', async (t) => {
  const named = (name: string) => ({ kind: Kind.BaseName, ino: 101, parent: 100, name });
  await withRecords([
    MOUNT, { kind: Kind.BaseNode, ino: 100, attr: directoryAttr }, { kind: Kind.BaseNode, ino: 101, attr: fileAttr(3, 5) }, named('a'), named('b'),
    { kind: Kind.BaseData, ino: 101, length: 3, payload: Buffer.from('old'), flags: Flag.Captured }, { kind: Kind.BaseEnd },
    MOUNT, { kind: Kind.BaseNode, ino: 101, attr: fileAttr(4, 6), flags: Flag.Unmounted }, { kind: Kind.BaseData, ino: 101, length: 4, payload: Buffer.from('new!'), flags: Flag.Unmounted | Flag.Captured },
    { kind: Kind.BaseAbsent, parent: 100, name: 'b', flags: Flag.Unmounted }, { kind: Kind.BaseEnd },
  ], async (history) => {
    t.deepEqual([await text(history, 'a', 7), await text(history, 'b', 7)], ['old', 'old']);
    t.deepEqual([await text(history, 'a', 8), await text(history, 'b', 8)], ['new!', null]);
    const [before, after] = await Promise.all([history.lookup(ROOT, 'a', 7), history.lookup(ROOT, 'a', 8)]);
    t.not(before!.node, after!.node);
    t.deepEqual(await history.linksOf(after!.node, 8), [{ parent: ROOT, name: 'a' }]);
    t.deepEqual(await history.linksOf(before!.node, 8), []);
  }, 1);
});

test.serial('a mount that finds all as history has it changes nothing and leaves no gap', async (t) => {
  await withRecords([
    MOUNT, { kind: Kind.BaseNode, ino: 100, attr: directoryAttr }, { kind: Kind.BaseEnd }, { kind: Kind.Unmount, payload: {} },
    MOUNT, { kind: Kind.BaseNode, ino: 100, attr: { ...directoryAttr, atime: 77n }, flags: Flag.Unmounted }, { kind: Kind.BaseEnd },
  ], async (history) => {
    for await (const change of history.changes(0, 7)) t.fail(`a change of kind ${change.kind}`);
    t.deepEqual(await history.gaps(), []);
  });
});

test.serial('a first walk that was not complete leaves a gap at the next mount', async (t) => {
  await withRecords([MOUNT, create(101, 'a'), MOUNT], async (history) => {
    t.deepEqual((await history.gaps()).map((gap) => [gap.seq, gap.reason, gap.detail]), [[3, 'baseline-incomplete', { since: 1 }]]);
    t.deepEqual(history.baselineSince(), { seq: 1, timeNs: 1000n });
  });
});

test.serial('extended attributes are as they were', async (t) => {
  const set = (name: string, value: string) => ({ kind: Kind.Setxattr, ino: 101, name, payload: Buffer.from(value), attr: fileAttr(0, 101) });
  await withRecords([MOUNT, create(101, 'a'), set('user.a', '1'), set('user.b', ''), set('user.a', '2'), { kind: Kind.Removexattr, ino: 101, name: 'user.b', attr: fileAttr(0, 101) }], async (history) => {
    const node = (await history.lookup(ROOT, 'a', 6))!.node;
    const at = async (seq: number) => [...await history.xattrs(node, seq)].map(([name, value]) => `${name}=${value.toString()}`);
    t.deepEqual(await at(2), []);
    t.deepEqual(await at(4), ['user.a=1', 'user.b=']);
    t.deepEqual(await at(6), ['user.a=2']);
  });
});
