/** A first walk that was cut short: what the next one finds, and content that it never held in full. */
import test from 'ava';
import { RewindError } from '../../../lib/errors.js';
import { Flag, Kind } from '../../../lib/extractor/record.js';
import { History } from '../../../lib/history/history.js';
import { ROOT } from '../../../lib/history/types.js';
import { directoryAttr, extractRaw, fileAttr, numbered } from '../../helpers/extract.js';
import type { RecordDraft } from '../../helpers/records.js';
import { scoped } from '../../helpers/scope.js';

const BLOCK = 65536;
const MOUNT = { kind: Kind.Mount, ino: 100, payload: {} };
const END = { kind: Kind.BaseEnd };
const root = (flags = 0) => ({ kind: Kind.BaseNode, ino: 100, attr: directoryAttr, flags });
const node = (size: number, flags = 0) => ({ kind: Kind.BaseNode, ino: 101, attr: fileAttr(size, 5), flags });
const named = (flags = 0) => ({ kind: Kind.BaseName, ino: 101, parent: 100, name: 'f', flags });
const data = (offset: number, payload: Buffer, flags = 0) => ({ kind: Kind.BaseData, ino: 101, offset, length: payload.length, payload, flags });
const write = (offset: number, payload: string, size: number) => ({ kind: Kind.Write, ino: 101, offset, length: payload.length, payload: Buffer.from(payload), attr: { ...fileAttr(size, 5), ctime: 9n } });
const area = (char: string) => Buffer.alloc(BLOCK, char);

/** Each with all records in one batch, and with each in a batch of its own. */
async function withRecords(drafts: Omit<RecordDraft, 'seq'>[], body: (history: History) => Promise<void>): Promise<void> {
  for (const batchSize of [1, 1000]) {
    await scoped(async (scope) => {
      const history = await History.open(`${scope.temporary('memory')}/history`);
      scope.defer(() => history.close());
      await extractRaw(history, numbered(drafts), batchSize);
      await body(history);
    });
  }
}

/** Every run of one character as `c*LENGTH`; `-` when it was not captured, null when there is no file. */
async function content(history: History, seq: number): Promise<string | null> {
  const entry = await history.lookup(ROOT, 'f', seq);
  if (entry === null) return null;
  try {
    const bytes = await history.read(entry.node, 0, 1 << 20, seq);
    return bytes.toString('latin1').replace(/(.)\1*/gs, (run) => `${run[0] === '\0' ? '0' : run[0]}*${run.length} `).trim();
  } catch (error) {
    if (error instanceof RewindError && error.code === 'ERR_NOT_CAPTURED') return '-';
    throw error;
  }
}

const gapsOf = async (history: History) => (await history.gaps()).map(({ seq, reason }) => [seq, reason]);
async function changesOf(history: History): Promise<unknown[]> {
  const changes = [];
  for await (const { seq, marker, unmounted } of history.changes(0, history.watermark())) if (unmounted) changes.push([seq, marker]);
  return changes;
}

test.serial('what was so at the first mount is there from the first mount on, whenever it is found', async (t) => {
  await withRecords([
    MOUNT, root(),
    MOUNT, node(4, Flag.Initial), named(Flag.Initial), data(0, Buffer.from('aaaa'), Flag.Captured), END,
  ], async (history) => {
    for (const seq of [1, 2, 3, 7]) t.is(await content(history, seq), 'a*4', `#${seq}`);
    t.deepEqual(await changesOf(history), []);
    t.deepEqual(await gapsOf(history), [[3, 'baseline-incomplete']]);
    t.is(history.baselineSince(), null);
  });
});

test.serial('what may have been made since the first mount is first seen at the mount that finds it', async (t) => {
  await withRecords([
    MOUNT, root(),
    MOUNT, node(4, Flag.Unmounted), named(Flag.Unmounted), data(0, Buffer.from('aaaa'), Flag.Captured | Flag.Unmounted), END,
  ], async (history) => {
    t.is(await content(history, 2), null);
    t.is(await content(history, 3), 'a*4');
    t.deepEqual(await changesOf(history), [[3, 'create'], [3, 'modify']]);
  });
});

test.serial('a name of which history knows more than the walk is not taken for one of the first mount', async (t) => {
  await withRecords([
    MOUNT, root(), node(1), named(), data(0, Buffer.from('a'), Flag.Captured), { kind: Kind.Unlink, ino: 101, parent: 100, name: 'f', attr: { ...fileAttr(1, 5), nlink: 0 }, parentAttr: directoryAttr },
    MOUNT, { ...node(1, Flag.Initial), ino: 102 }, { ...named(Flag.Initial), ino: 102 }, { ...data(0, Buffer.from('b'), Flag.Captured), ino: 102 }, END,
  ], async (history) => {
    t.deepEqual([await content(history, 1), await content(history, 6), await content(history, 7)], ['a*1', null, 'b*1']);
  });
});

test.serial('a file counts as captured from its mount on once all of its content is there, however often the walk is cut short', async (t) => {
  const drafts: Omit<RecordDraft, 'seq'>[] = [
    MOUNT, root(), node(3 * BLOCK), named(), data(BLOCK, area('b')), write(BLOCK, 'x', 3 * BLOCK),   // 6
    MOUNT, MOUNT, { ...node(3 * BLOCK), attr: { ...fileAttr(3 * BLOCK, 5), ctime: 9n } }, data(0, area('a')),
  ];
  await withRecords(drafts, async (history) => {
    for (const seq of [1, 6, 8, 10]) t.is(await content(history, seq), '-', `#${seq}`);
  });
  await withRecords([...drafts, data(BLOCK, area('!')), data(2 * BLOCK, area('c'), Flag.Captured), END], async (history) => {
    for (const seq of [1, 5]) t.is(await content(history, seq), `a*${BLOCK} b*${BLOCK} c*${BLOCK}`, `#${seq}`);
    for (const seq of [6, 13]) t.is(await content(history, seq), `a*${BLOCK} x*1 b*${BLOCK - 1} c*${BLOCK}`, `#${seq}`);
    t.deepEqual(await changesOf(history), []);
  });
});

test.serial('what was written beyond the end that a file had at the first mount is not taken for its content then', async (t) => {
  const grown = { ...fileAttr(2 * BLOCK, 5), ctime: 9n };
  await withRecords([
    MOUNT, root(), node(100), named(), write(200, 'x', 201), { kind: Kind.Truncate, ino: 101, length: 2 * BLOCK, attr: grown }, write(BLOCK, 'y', 2 * BLOCK),   // 7
    MOUNT, { ...node(0), attr: grown }, data(0, Buffer.concat([Buffer.alloc(100, 'a'), Buffer.alloc(100), Buffer.from('x'), Buffer.alloc(BLOCK - 201)])), data(BLOCK, Buffer.concat([Buffer.from('y'), Buffer.alloc(BLOCK - 1)]), Flag.Captured), END,
  ], async (history) => {
    t.is(await content(history, 1), 'a*100');
    t.is(await content(history, 5), 'a*100 0*100 x*1');
    t.is(await content(history, 6), `a*100 0*100 x*1 0*${2 * BLOCK - 201}`);
    t.is(await content(history, 12), `a*100 0*100 x*1 0*${BLOCK - 201} y*1 0*${BLOCK - 1}`);
  });
});

test.serial('content that was changed before all of it was there stays unknown for the time before', async (t) => {
  const changed = { ...fileAttr(2 * BLOCK, 5), ctime: 77n };
  await withRecords([
    MOUNT, root(), node(2 * BLOCK), named(), data(0, area('a')), write(0, 'x', 2 * BLOCK),   // 6
    MOUNT, { ...node(0, Flag.Unmounted), attr: changed }, data(0, area('n'), Flag.Unmounted), data(BLOCK, area('m'), Flag.Unmounted | Flag.Captured), END,
  ], async (history) => {
    for (const seq of [1, 5, 6]) t.is(await content(history, seq), '-', `#${seq}`);
    t.is(await content(history, 7), `n*${BLOCK} m*${BLOCK}`);
  });
});

test.serial('content that could not be read is not captured, until it is written anew or a later mount reads all of it', async (t) => {
  const unreadable = { kind: Kind.Gap, ino: 101, payload: { reason: 'baseline', what: 'content', ino: 101, error: 'EIO' } };
  const before = [MOUNT, root(), node(2 * BLOCK), named(), data(0, area('a')), unreadable, END, write(BLOCK, 'x', 2 * BLOCK)];   // 8
  await withRecords([...before, MOUNT, { ...node(0), attr: { ...fileAttr(2 * BLOCK, 5), ctime: 9n } }, data(0, area('a')), data(BLOCK, area('x'), Flag.Captured), END], async (history) => {
    for (const seq of [1, 7, 8]) t.is(await content(history, seq), '-', `#${seq}`);
    t.is(await content(history, 9), `a*${BLOCK} x*${BLOCK}`);
    t.true(await history.isWhole((await history.lookup(ROOT, 'f', 9))!.node));
  });
  await withRecords([...before, { kind: Kind.Truncate, ino: 101, length: 0, attr: fileAttr(0, 5) }, write(0, 'new', 3)], async (history) => {
    t.is(await content(history, 8), '-');
    t.is(await content(history, 10), 'n*1 e*1 w*1');
  });
});

test.serial('a gap names what it concerns', async (t) => {
  const gap = (more: object) => ({ kind: Kind.Gap, payload: { reason: 'baseline', what: 'object', error: 'EACCES' }, ...more });
  await withRecords([MOUNT, root(), node(4), named(), gap({ ino: 101 }), gap({ ino: 999, parent: 100, name: 'f' }), gap({})], async (history) => {
    const file = (await history.lookup(ROOT, 'f', 4))!.node;
    const place = (await history.gaps()).map(({ seq: _, timeNs: __, reason: ___, detail: ____, ...rest }) => rest);
    t.deepEqual(place, [{ node: file }, { parent: ROOT, name: 'f' }, {}]);
  });
});

test.serial('what differed at a mount that was killed before it was captured is not shown with the content of before', async (t) => {
  const touched = { ...fileAttr(4, 5), ctime: 50n };
  const first = [MOUNT, root(), node(4), named(), data(0, Buffer.from('oldd'), Flag.Captured), END];   // 6
  const cut = [...first, MOUNT, { ...node(0, Flag.Unmounted), attr: touched }];   // 8
  await withRecords(cut, async (history) => {
    t.is(await content(history, 6), 'o*1 l*1 d*2');
    t.is(await content(history, 8), '-');
  });
  await withRecords([...cut, MOUNT, { ...node(0), attr: touched }, data(0, Buffer.from('new!'), Flag.Captured), END], async (history) => {
    t.is(await content(history, 6), 'o*1 l*1 d*2');
    for (const seq of [7, 8, 12]) t.is(await content(history, seq), 'n*1 e*1 w*1 !*1', `#${seq}`);
  });
});

test.serial('what a directory without a name holds is told to the engine, as is a file without one', async (t) => {
  await withRecords([
    MOUNT, root(), { kind: Kind.BaseNode, ino: 102, attr: directoryAttr }, node(3),
    { kind: Kind.Create, ino: 103, parent: 102, name: 'in', attr: fileAttr(0, 6), parentAttr: directoryAttr },
    { kind: Kind.Tmpfile, ino: 104, parent: 100, attr: { ...fileAttr(0, 7), nlink: 0 } },
  ], async (history) => {
    const entries: string[] = [];
    for await (const chunk of history.liveEntries()) {
      for (let at = 0; at < chunk.length;) {
        const end = at + 68 + chunk.readUInt32LE(at + 64);
        entries.push(`${chunk.readBigUInt64LE(at)}/${chunk.toString('latin1', at + 68, end)} ${chunk.readBigUInt64LE(at + 8)}${chunk.readUInt32LE(at + 16) >= 2 ** 31 ? ' uncaptured' : ''}`);
        at = end;
      }
    }
    t.deepEqual(entries, ['0/ 100', '0/ 101 uncaptured', '0/ 102', '102/in 103']);
  });
});
