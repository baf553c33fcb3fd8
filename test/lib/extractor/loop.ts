/** The loop: everything once, in order, nothing skipped; released only when durable; errors surface. */
import test from 'ava';
import { cp } from 'node:fs/promises';
import { constants } from 'node:os';
import { Extractor } from '../../../lib/extractor/loop.js';
import { Kind } from '../../../lib/extractor/record.js';
import { FAMILIES } from '../../../lib/history/families.js';
import { History } from '../../../lib/history/history.js';
import { RewindError } from '../../../lib/errors.js';
import { ROOT, type Change } from '../../../lib/history/types.js';
import { native } from '../../../lib/native.js';
import { directoryAttr, dump, extractRaw, fileAttr, freshState, MemoryJournal, numbered, singles } from '../../helpers/extract.js';
import { Random } from '../../helpers/random.js';
import { Scenario } from '../../helpers/scenario.js';
import { scoped, type Scope } from '../../helpers/scope.js';

const { EIO, ENOSPC } = constants.errno;
const MOUNT = { kind: Kind.Mount, ino: 100, attr: directoryAttr, payload: {} };
const create = (ino: number, name: string) => ({ kind: Kind.Create, ino, parent: 100, name, attr: fileAttr(0, ino), parentAttr: directoryAttr });
const write = (ino: number, text: string) => ({ kind: Kind.Write, ino, length: text.length, payload: Buffer.from(text), attr: fileAttr(text.length, ino) });

async function opened(scope: Scope): Promise<History> {
  const history = await History.open(`${scope.temporary('memory')}/history`);
  scope.defer(() => history.close());
  return history;
}

test.serial('what is in the journal is in history once caughtUp resolves, and stop takes in what came last', async (t) => {
  await scoped(async (scope) => {
    const history = await opened(scope);
    const journal = new MemoryJournal(numbered([MOUNT, create(101, 'a')]));
    const extractor = new Extractor(journal, history);
    const seen: Change[] = [];
    extractor.onChanges((changes) => seen.push(...changes));
    extractor.start();
    await extractor.caughtUp(2);
    t.is(history.watermark(), 2);
    journal.push(...numbered([write(101, 'hello'), create(102, 'b')], 3));
    await extractor.caughtUp(4);
    t.is((await history.list(ROOT, 4)).length, 2);
    journal.push(...numbered([write(102, 'last')], 5));
    await extractor.stop();
    t.is(history.watermark(), 5);
    t.deepEqual(seen.map((change) => [change.seq, change.marker]), [[2, 'create'], [3, 'modify'], [4, 'create'], [5, 'modify']]);
    t.is(journal.released.at(-1), 5);
    await t.throwsAsync(extractor.caughtUp(6));
  });
});

test.serial('nothing is released before history holds it', async (t) => {
  await scoped(async (scope) => {
    const history = await opened(scope);
    const scenario = new Scenario(new Random(77));
    scenario.mount();
    for (let i = 0; i < 300; i++) scenario.step();
    const journal = new MemoryJournal(scenario.records);
    journal.release = async (seq) => {
      t.true(seq <= history.watermark());
      journal.released.push(seq);
    };
    const extractor = new Extractor(journal, history);
    extractor.start();
    await extractor.stop();
    t.is(journal.released.at(-1), scenario.lastSeq);
  });
});

test.serial('a record that cannot be read stops the loop: nothing behind it is taken, who waits is told', async (t) => {
  await scoped(async (scope) => {
    const history = await opened(scope);
    const records = numbered([MOUNT, create(101, 'a'), write(101, 'x'), create(102, 'b')]);
    const journal = new MemoryJournal(records.slice(0, 2));
    const extractor = new Extractor(journal, history);
    const errors: unknown[] = [];
    extractor.onError((error) => errors.push(error));
    extractor.start();
    await extractor.caughtUp(2);
    records[2]!.writeUInt32LE(1 << 20, 88);
    const waiting = t.throwsAsync(extractor.caughtUp(4), { code: 'ERR_JOURNAL_CORRUPT' });
    journal.push(records[2]!, records[3]!);
    await waiting;
    t.is(errors.length, 1);
    t.is(history.watermark(), 2);
    await t.throwsAsync(extractor.stop(), { code: 'ERR_JOURNAL_CORRUPT' });
    t.false(journal.released.includes(4));
  });
});

test.serial('a record missing in the middle is refused', async (t) => {
  await scoped(async (scope) => {
    const history = await opened(scope);
    const journal = new MemoryJournal([...numbered([MOUNT]), ...numbered([create(101, 'a')], 3)]);
    const extractor = new Extractor(journal, history);
    extractor.start();
    await t.throwsAsync(extractor.caughtUp(3), { code: 'ERR_JOURNAL_CORRUPT' });
    t.true(history.watermark() <= 1);
  });
});

test.serial('a journal that begins behind what history needs next is refused', async (t) => {
  await scoped(async (scope) => {
    const history = await opened(scope);
    t.throws(() => new Extractor(new MemoryJournal([], 5), history).start(), { code: 'ERR_HISTORY_BEHIND' });
  });
});

test.serial('content that history holds damaged keeps nothing out of it that comes later, and is stored anew when it comes again', async (t) => {
  await scoped(async (scope) => {
    const history = await opened(scope);
    const text = Array.from({ length: 5000 }, (_, i) => `line ${i}\n`).join('');
    const journal = new MemoryJournal(numbered([MOUNT, ...[101, 102, 103].flatMap((ino) => [create(ino, `file ${ino}`), write(ino, `${ino} ${text}`)])]));
    const before = new Extractor(journal, history);
    before.start();
    await before.stop();
    const damaged = history.rocks.batch();
    for await (const { key, value } of history.rocks.scan('content', {})) {
      value[60]! ^= 1;
      damaged.put('content', key, value);
    }
    await history.rocks.commit(damaged);

    const extractor = new Extractor(journal, history);
    const told: string[] = [];
    extractor.onDamage((error) => told.push((error as RewindError).code));
    extractor.start();
    const patch = (ino: number, at: number) => ({ kind: Kind.Write, ino, offset: at, length: 2500, payload: Buffer.alloc(2500, `${ino} patch ${at} `), attr: fileAttr(text.length + 4, ino) });
    const patches = (ino: number, count: number) => Array.from({ length: count }, (_, i) => patch(ino, i * 500));
    // The same again; so many patches in one batch that the fold keeps an image of the block; a chain that is made shorter.
    journal.push(...numbered([create(104, 'again'), write(104, `101 ${text}`), ...patches(102, 70), ...patches(103, 60)], 8));
    await extractor.stop();
    t.is(history.watermark(), 7 + 2 + 70 + 60);
    const [first, again] = await Promise.all(['file 101', 'again'].map((name) => history.lookup(ROOT, name, history.watermark())));
    t.is((await history.read(again!.node, 0, 1 << 20, history.watermark())).toString(), `101 ${text}`);
    await t.throwsAsync(history.read(first!.node, 0, 1 << 20, history.watermark()), { code: 'ERR_HISTORY_CORRUPT' });
    t.deepEqual(told, ['ERR_HISTORY_CORRUPT'], 'once');
  });
});

test.serial('an error of the journal surfaces', async (t) => {
  await scoped(async (scope) => {
    const journal = new MemoryJournal([]);
    journal.failRead = new Error('no such device');
    const extractor = new Extractor(journal, await opened(scope));
    extractor.start();
    await t.throwsAsync(extractor.caughtUp(1), { message: 'no such device' });
  });
});

for (const code of ['ERR_DISK_FULL', 'ERR_IO'] as const) test.serial(`while the disk answers history with ${code} it says so, loses nothing, and goes on by itself afterwards`, async (t) => {
  await scoped(async (scope) => {
    const history = await opened(scope);
    const journal = new MemoryJournal(numbered([MOUNT, create(101, 'a')]));
    const extractor = new Extractor(journal, history);
    const commit = history.commit.bind(history);
    let room = true;
    history.commit = (batch, meta) => room ? commit(batch, meta) : Promise.reject(new RewindError(code, 'no room'));
    const stalls: (string | null)[] = [];
    extractor.onStall((error) => stalls.push(error && error.message));
    extractor.onError(() => t.fail('it stopped'));
    extractor.start();
    await extractor.caughtUp(2);
    room = false;
    journal.push(...numbered([create(102, 'b'), write(102, 'kept')], 3));
    await t.throwsAsync(extractor.caughtUp(4), { code });
    await t.throwsAsync(extractor.caughtUp(4), { code }, 'who asks again has it tried again');
    t.is(extractor.stalled()?.message, 'no room');
    t.deepEqual(stalls, ['no room'], 'told once');
    t.is(journal.standing.at(-1), code === 'ERR_IO' ? EIO : ENOSPC, 'and to the journal, whose limit nobody is to wait at');
    t.is(history.watermark(), 2);
    room = true;
    await extractor.caughtUp(4);
    await extractor.stop();
    t.is(extractor.stalled(), null);
    t.deepEqual(stalls, ['no room', null]);
    t.is(journal.standing.at(-1), 0);
    const b = (await history.list(ROOT, 4)).find(({ name }) => name === 'b')!;
    t.is((await history.read(b.node, 0, 100, 4)).toString(), 'kept');
    t.is(journal.released.at(-1), 4);
  });
});

test.serial('an end while there is no room is an error, not a wait', async (t) => {
  await scoped(async (scope) => {
    const history = await opened(scope);
    const extractor = new Extractor(new MemoryJournal(numbered([MOUNT])), history);
    history.commit = () => Promise.reject(new RewindError('ERR_DISK_FULL', 'no room'));
    extractor.start();
    await t.throwsAsync(extractor.caughtUp(1), { code: 'ERR_DISK_FULL' });
    await t.throwsAsync(extractor.stop(), { code: 'ERR_DISK_FULL' });
    t.is(history.watermark(), 0);
  });
});

test.serial('where room is short, segments are released in small steps', async (t) => {
  await scoped(async (scope) => {
    const random = new Random(5);
    const block = () => Buffer.from(Uint32Array.from({ length: 1 << 18 }, () => random.next()).buffer);
    const writes = Array.from({ length: 80 }, (_, i) => ({ ...write(101, ''), offset: i << 20, length: 1 << 20, payload: block(), attr: fileAttr((i + 1) << 20, 101) }));
    const journal = new MemoryJournal(numbered([MOUNT, create(101, 'a'), ...writes]));
    journal.freeBytes = 512 << 20;
    const extractor = new Extractor(journal, await opened(scope));
    extractor.start();
    await extractor.stop();
    const steps = journal.released.map((seq, i) => seq - (journal.released[i - 1] ?? 0));
    t.true(Math.max(...steps) <= 40, `released at ${journal.released}`);
  });
});

test.serial('the same batch after a crash gives the same database, byte for byte', async (t) => {
  await scoped(async (scope) => {
    const directory = scope.temporary('memory');
    const scenario = new Scenario(new Random(4242));
    scenario.changeUnmounted(40);
    scenario.mount();
    for (let i = 0; i < 300; i++) scenario.step();
    let history = await History.open(`${directory}/a`);
    const half = Math.floor(scenario.lastSeq / 2);
    await extractRaw(history, scenario.records.slice(0, half));
    await history.close();
    await cp(`${directory}/a`, `${directory}/b`, { recursive: true });
    const dumps: string[][] = [];
    for (const copy of ['a', 'b']) {
      history = await History.open(`${directory}/${copy}`);
      await extractRaw(history, scenario.records.slice(half));
      dumps.push(await dump(history));
      await history.close();
    }
    t.deepEqual(dumps[0], dumps[1]);
  });
});

test.serial('the size of batches changes no state, no change and no link', async (t) => {
  await scoped(async (scope) => {
    const scenario = new Scenario(new Random(99));
    scenario.changeUnmounted(40);
    scenario.mount();
    for (let i = 0; i < 300; i++) scenario.step();
    scenario.finishWalk();
    const families = FAMILIES.filter((family) => !['clock', 'times', 'blocks', 'content', 'hashes', 'meta', 'nodes', 'changes', 'nodechanges', 'chain'].includes(family));
    const dumps: string[][] = [];
    for (const size of [1, 7, 1000]) {
      const history = await opened(scope);
      await extractRaw(history, scenario.records, size);
      dumps.push([...await dump(history, families), ...await singles(history)]);
    }
    t.deepEqual(dumps[0], dumps[1]);
    t.deepEqual(dumps[0], dumps[2]);
  });
});

test.serial('folding a batch while the one before is committed changes nothing', async (t) => {
  await scoped(async (scope) => {
    // The last one failed: zeroes beyond the end of the file, of which only the block of that end is changed in part.
    for (const seed of [5, 6, 7, 217610058]) {
      const scenario = new Scenario(new Random(seed));
      scenario.changeUnmounted(40);
      scenario.mount();
      for (let i = 0; i < 400; i++) scenario.step();
      scenario.finishWalk();
      const dumps: string[][] = [];
      for (const size of [1, 3, 20]) {
        for (const overlapping of [false, true]) {
          const history = await opened(scope);
          if (overlapping) {
            const commit = history.commit.bind(history);
            history.commit = async (batch, meta) => {
              await new Promise((resolve) => setTimeout(resolve, size === 20 ? 5 : 0));
              await commit(batch, meta);
            };
            const extractor = new Extractor(new MemoryJournal(scenario.records), history, { batchRecords: size, cached: { bindings: 0, heads: 0 } });
            extractor.start();
            await extractor.stop();
          } else {
            await extractRaw(history, scenario.records, size);
          }
          dumps.push(await dump(history));
        }
        t.deepEqual(dumps.at(-1), dumps.at(-2), `seed ${seed}, batches of ${size}`);
      }
    }
  });
});

test.serial('a block that becomes hot while its last patches are being committed is made whole with them', async (t) => {
  await scoped(async (scope) => {
    const random = new Random(11);
    const model = Buffer.alloc(60_000, 1);
    const size = model.length;
    const drafts: Parameters<typeof numbered>[0] = [MOUNT, create(101, 'a'), { ...write(101, ''), length: size, payload: Buffer.from(model), attr: fileAttr(size, 101) }];
    const images = new Map<number, Buffer>();
    const patch = (): void => {
      const offset = random.below(size - 50);
      const payload = Buffer.alloc(50, random.below(256));
      payload.copy(model, offset);
      drafts.push({ ...write(101, ''), offset, length: 50, payload, attr: fileAttr(size, 101) });
      images.set(drafts.length, Buffer.from(model));
    };
    const fill = (until: number): void => { while (drafts.length < until) drafts.push(create(200 + drafts.length, `f${drafts.length}`)); };
    for (let batch = 1; batch <= 12; batch++) {
      for (let i = batch % 2 === 0 ? 90 : 20; i > 0 && drafts.length < batch * 100; i--) patch();
      fill(batch * 100);
    }
    const history = await opened(scope);
    const commit = history.commit.bind(history);
    history.commit = async (batch, meta) => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      await commit(batch, meta);
    };
    const extractor = new Extractor(new MemoryJournal(numbered(drafts)), history, { batchRecords: 100 });
    extractor.start();
    await extractor.stop();
    const a = (await history.list(ROOT, drafts.length)).find(({ name }) => name === 'a')!;
    for (const [seq, image] of images) t.true((await history.read(a.node, 0, size, seq)).equals(image), `as of #${seq}`);
  });
});

test.serial('the native journal wakes the loop; marks become points', async (t) => {
  await scoped(async (scope) => {
    const directory = scope.temporary('memory');
    const history = await History.open(`${directory}/history`);
    scope.defer(() => history.close());
    const journal = new native.Journal({ directory: `${directory}/journal`, storeId: Buffer.alloc(16, 7), nextSeq: 1, minFreeBytes: 0 });
    const state = await journal.open();
    scope.defer(() => journal.close());
    t.is(state.lastSeq, 0);
    const extractor = new Extractor(journal, history);
    extractor.start();
    scope.defer(() => extractor.stop());
    const mark = await journal.append(Kind.Mark, Buffer.from(JSON.stringify({ kind: 'mark', name: 'before', note: 'n' })));
    await extractor.caughtUp(mark.seq);
    t.deepEqual(await history.points(), [{ id: mark.seq, seq: mark.seq, timeNs: mark.timeNs, kind: 'mark', name: 'before', note: 'n' }]);
    t.is(await history.timeOf(mark.seq), mark.timeNs);
  });
});

test.serial('a fold state is what history says it is', async (t) => {
  await scoped(async (scope) => {
    const history = await opened(scope);
    await extractRaw(history, numbered([MOUNT, create(101, 'a')]));
    t.deepEqual(freshState(history).meta, history.meta());
    t.is(history.meta().mount, 1);
  });
});
