/** Opening history, its timeline, and what it tells the engine of the live tree. */
import test from 'ava';
import { truncate, writeFile, chmod } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { Kind } from '../../../lib/extractor/record.js';
import { History } from '../../../lib/history/history.js';
import { META_FORMAT } from '../../../lib/history/meta.js';
import { Rocks } from '../../../lib/history/rocks.js';
import { ROOT, type Change } from '../../../lib/history/types.js';
import { directoryAttr, extractRaw, fileAttr, numbered } from '../../helpers/extract.js';
import { isDirectory } from '../../helpers/model.js';
import { Random } from '../../helpers/random.js';
import { Scenario } from '../../helpers/scenario.js';
import { scoped, type Scope } from '../../helpers/scope.js';

const MOUNT = { kind: Kind.Mount, ino: 100, attr: directoryAttr, payload: {} };
const create = (ino: number, name: string) => ({ kind: Kind.Create, ino, parent: 100, name, attr: fileAttr(0, ino), parentAttr: directoryAttr });

async function filled(scope: Scope, raw: Buffer[]): Promise<{ history: History; directory: string }> {
  const directory = `${scope.temporary('memory')}/history`;
  const history = await History.open(directory);
  scope.defer(() => history.close().catch(() => undefined));
  await extractRaw(history, raw);
  return { history, directory };
}

test.serial('what was committed is there when history is opened again, also only for reading', async (t) => {
  await scoped(async (scope) => {
    const { history, directory } = await filled(scope, numbered([MOUNT, create(101, 'a')]));
    await history.close();
    for (const readOnly of [true, false]) {
      const again = await History.open(directory, { readOnly });
      t.is(again.watermark(), 2);
      t.deepEqual((await again.list(ROOT, 2)).map((entry) => entry.name), ['a']);
      await again.close();
    }
  });
});

test.serial('a history that is not there is not made by reading', async (t) => {
  await scoped(async (scope) => {
    await t.throwsAsync(History.open(`${scope.temporary('memory')}/none`, { readOnly: true }), { code: 'ERR_NO_STORE' });
  });
});

test.serial('a second opener for writing is refused', async (t) => {
  await scoped(async (scope) => {
    const { directory } = await filled(scope, numbered([MOUNT]));
    await t.throwsAsync(History.open(directory), { code: 'ERR_STORE_LOCKED' });
  });
});

for (const format of [1, 99]) {
  test.serial(`a format that it does not know is refused and left as it is: ${format}`, async (t) => {
    await scoped(async (scope) => {
      const { history, directory } = await filled(scope, numbered([MOUNT]));
      const batch = history.rocks.batch();
      batch.put('meta', META_FORMAT, Buffer.from([0, 0, 0, format]));
      await history.rocks.commit(batch);
      await history.close();
      for (let i = 0; i < 2; i++) {
        const error = await t.throwsAsync(History.open(directory), { code: 'ERR_STORE_FORMAT' });
        t.regex(error.message, new RegExp(`format ${format}`));
        t.true(error.message.includes(directory));
      }
    });
  });
}

test.serial('the history of another store is refused', async (t) => {
  await scoped(async (scope) => {
    const directory = `${scope.temporary('memory')}/history`;
    await (await History.open(directory, { storeId: Buffer.alloc(16, 1) })).close();
    await t.throwsAsync(History.open(directory, { storeId: Buffer.alloc(16, 2) }), { code: 'ERR_STORE_CORRUPT' });
    await (await History.open(directory, { storeId: Buffer.alloc(16, 1) })).close();
  });
});

for (const [what, damage] of [
  ['an unreadable CURRENT', (directory: string) => writeFile(`${directory}/CURRENT`, 'garbage')],
  ['a cut manifest', async (directory: string) => truncate(`${directory}/${readdirSync(directory).find((name) => name.startsWith('MANIFEST'))!}`, 20)],
  ['a missing table', async (directory: string) => {
    const { rmSync } = await import('node:fs');
    for (const name of readdirSync(directory)) if (name.endsWith('.sst')) rmSync(`${directory}/${name}`);
  }],
] as const) {
  test.serial(`${what} is reported as damage, with the place and what to do`, async (t) => {
    await scoped(async (scope) => {
      const { history, directory } = await filled(scope, numbered([MOUNT, create(101, 'a')]));
      await history.rocks.flush();
      await history.close();
      await damage(directory);
      const error = await t.throwsAsync<Error & { hint: string }>(History.open(directory), { code: 'ERR_HISTORY_CORRUPT' });
      t.true(error.message.includes(directory));
      t.not(error.hint, '');
    });
  });
}

test.serial('times and seqs are found both ways, between records too', async (t) => {
  await scoped(async (scope) => {
    const times = [1000n, 2000n, 2000n, 5000n, 5_000_000_005_000n];
    const drafts = times.map((timeNs, i) => ({ ...(i === 0 ? MOUNT : create(100 + i, `f${i}`)), timeNs }));
    const { history } = await filled(scope, numbered(drafts));
    for (const [at, seq] of [[999n, null], [1000n, 1], [1999n, 1], [2000n, 3], [4999n, 3], [5000n, 4], [10n ** 18n, 5]] as const) t.is(await history.seqAt(at), seq);
    for (const [i, timeNs] of times.entries()) t.is(await history.timeOf(i + 1), timeNs);
    t.is(await history.timeOf(6), null);
    t.is(await history.timeOf(0), null);
    t.deepEqual(await history.range(), { first: { seq: 1, timeNs: 1000n }, last: { seq: 5, timeNs: 5_000_000_005_000n } });
  });
});

test.serial('an empty history has no range, no times and nothing in it', async (t) => {
  await scoped(async (scope) => {
    const { history } = await filled(scope, []);
    t.is(await history.range(), null);
    t.is(await history.seqAt(5n), null);
    t.is(await history.attr(ROOT, 0), null);
    t.deepEqual(await history.list(ROOT, 0), []);
    t.is(await history.writer(3), null);
    for await (const chunk of history.liveEntries()) t.fail(`${chunk.length} bytes of entries`);
  });
});

test.serial('changes come in order, either way, and those of one node cost only those', async (t) => {
  await scoped(async (scope) => {
    const scenario = new Scenario(new Random(5));
    scenario.changeUnmounted(20);
    scenario.mount();
    for (let i = 0; i < 200; i++) scenario.step();
    scenario.finishWalk();
    scenario.unmount();
    scenario.mount(scenario.changeUnmounted(10));
    for (let i = 0; i < 100; i++) scenario.step();
    scenario.finishWalk();
    const { history } = await filled(scope, scenario.records);
    const all = await gathered(history.changes(0, scenario.lastSeq));
    t.deepEqual((await gathered(history.changes(0, scenario.lastSeq, { reverse: true }))).reverse(), all);
    t.deepEqual([...all].sort((a, b) => a.seq - b.seq), all);
    const { lastSeq } = scenario;
    for (const [after, upTo] of [[0, 20], [20, 300], [50, 60], [63, 64], [64, 65], [127, 200], [199, 200], [lastSeq - 1, lastSeq], [lastSeq, lastSeq + 9]] as const) {
      const part = all.filter((change) => change.seq > after && change.seq <= upTo);
      t.deepEqual(await gathered(history.changes(after, upTo)), part);
      t.deepEqual(await gathered(history.changes(after, upTo, { reverse: true })), [...part].reverse());
      for (const node of new Set(all.map((change) => change.node))) {
        const own = part.filter((change) => [change.node, change.parent, change.parent2, change.target].includes(node));
        t.deepEqual(await gathered(history.nodeChanges(node, after, upTo)), own);
        t.deepEqual(await gathered(history.nodeChanges(node, after, upTo, { reverse: true })), [...own].reverse());
      }
    }
  });
});

async function gathered(changes: AsyncIterable<Change>): Promise<Change[]> {
  const all: Change[] = [];
  for await (const change of changes) all.push(change);
  return all;
}

test.serial('a writer is what its record says', async (t) => {
  await scoped(async (scope) => {
    const payload = { pid: 12, start: 34, ppid: 1, exe: '/usr/bin/vi\u00fc', argv: ['vi', 'a b'], uid: 1000, gid: 100, cgroup: '/user', certain: false, ancestors: [], session: '' };
    const { history } = await filled(scope, numbered([MOUNT, { kind: Kind.Writer, payload }]));
    t.deepEqual(await history.writer(2), { id: 2, ...payload });
    t.is(await history.writer(1), null);
  });
});

test.serial('a directory is listed at the cost of its names, however often they came and went', async (t) => {
  await scoped(async (scope) => {
    const lock = (born: number) => [{ ...create(1000 + born, 'lock'), attr: fileAttr(0, born) }, { kind: Kind.Unlink, ino: 1000 + born, parent: 100, name: 'lock', attr: { ...fileAttr(0, born), nlink: 0 }, parentAttr: directoryAttr }];
    const churn = Array.from({ length: 1000 }, (_, i) => lock(i + 2)).flat();
    const { history } = await filled(scope, numbered([MOUNT, create(101, 'a'), create(102, 'z'), ...churn, create(103, 'b'), ...churn, create(104, 'lock')]));
    const scan = history.rocks.scan.bind(history.rocks);
    let read = 0;
    history.rocks.scan = async function* (...args) {
      for await (const entry of scan(...args)) {
        read++;
        yield entry;
      }
    };
    const names = async (seq: number): Promise<string> => (await history.list(ROOT, seq)).map(({ name }) => name).join(' ');
    t.deepEqual([await names(3), await names(1000), await names(1001), await names(2004), await names(4004), await names(4005)], ['a z', 'a lock z', 'a z', 'a b z', 'a b z', 'a b lock z']);
    t.true(read < 6 * 150, `${read} entries`);
  });
});

test.serial('the live entries are the root and every name of the newest tree, directories first', async (t) => {
  await scoped(async (scope) => {
    const scenario = new Scenario(new Random(8));
    scenario.changeUnmounted(50);
    scenario.mount();
    for (let i = 0; i < 200; i++) scenario.step();
    scenario.finishWalk();
    const { history } = await filled(scope, scenario.records);
    const found: string[] = [];
    const known = new Set([0]);
    for await (const chunk of history.liveEntries()) {
      for (let at = 0; at < chunk.length;) {
        const length = chunk.readUInt32LE(at + 64);
        const [parent, ino] = [Number(chunk.readBigUInt64LE(at)), Number(chunk.readBigUInt64LE(at + 8))];
        const time = (seconds: number, ns: number) => chunk.readBigInt64LE(at + seconds) * 1_000_000_000n + BigInt(chunk.readUInt32LE(at + ns));
        t.true(known.has(parent));
        known.add(ino);
        found.push([parent, chunk.toString('latin1', at + 68, at + 68 + length), ino, ...[16, 20, 24, 28].map((offset) => chunk.readUInt32LE(at + offset)), chunk.readBigUInt64LE(at + 32), time(40, 48), time(52, 60)].join(' '));
        at += 68 + length;
      }
    }
    const root = { parent: { ino: 0 }, name: '', node: scenario.model.root };
    const expected = [root, ...scenario.model.names()].map(({ parent, name, node }) => [parent.ino, name, node.ino, node.mode, node.uid, node.gid, node.nlink, node.size, node.mtime, node.ctime].join(' '));
    t.deepEqual(found.sort(), expected.sort());
    t.true(scenario.model.names().some(({ node }) => isDirectory(node)));
  });
});

test.serial('a batch over several families is applied wholly, and each entry is in its own family', async (t) => {
  await scoped(async (scope) => {
    const rocks = await Rocks.open(`${scope.temporary('memory')}/rocks`, { readOnly: false });
    scope.defer(() => rocks.close());
    const key = Buffer.from('k');
    const batch = rocks.batch(1);
    for (const [family, value] of [['names', 'a'], ['links', 'b'], ['content', 'c'], ['names', 'd']] as const) batch.put(family, key, Buffer.from(value));
    t.is(await rocks.get('names', key), null);
    await rocks.commit(batch);
    t.deepEqual(await Promise.all((['names', 'links', 'content', 'nodes'] as const).map(async (family) => (await rocks.get(family, key))?.toString())), ['d', 'b', 'c', undefined]);
    await rocks.sync();
    t.is(await rocks.peek('nodes', {}), null);
    t.is((await rocks.peek('links', { gte: Buffer.from('a') }))?.value.toString(), 'b');
  });
});

test.serial('opened anew it is the same to all who read meanwhile', async (t) => {
  await scoped(async (scope) => {
    const rocks = await Rocks.open(`${scope.temporary('memory')}/rocks`, { readOnly: false });
    scope.defer(() => rocks.close());
    const key = Buffer.from('k');
    const batch = rocks.batch(1);
    batch.put('names', key, Buffer.from('a'));
    await rocks.commit(batch);
    t.true(await rocks.reopenBytes() > 0);
    const reads: Promise<Buffer | null>[] = [];
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 50; i++) reads.push(rocks.get('names', key));
      const reopened = rocks.reopen();
      for (let i = 0; i < 50; i++) reads.push(rocks.get('names', key));
      await reopened;
    }
    for (const value of await Promise.all(reads)) t.is(value?.toString(), 'a');
    t.false(rocks.stopped);
  });
});

test.serial('a directory that cannot be written is refused', async (t) => {
  await scoped(async (scope) => {
    const directory = scope.temporary('memory');
    await writeFile(`${directory}/file`, '');
    await chmod(`${directory}/file`, 0o600);
    await t.throwsAsync(History.open(`${directory}/file/history`));
  });
});
