/** Packing: the same answers in fewer bytes, whatever stops it, and chains that stay short. */
import test from 'ava';
import { depthOf } from '../../../lib/history/codec.js';
import { Kind } from '../../../lib/extractor/record.js';
import { FAMILIES } from '../../../lib/history/families.js';
import { History } from '../../../lib/history/history.js';
import { getU64, u64Key } from '../../../lib/history/keys.js';
import { ROOT } from '../../../lib/history/types.js';
import { Codec, dictionaryOf } from '../../../lib/history/values.js';
import { EntryPacker } from '../../../lib/pack/entries.js';
import { MAX_DEPTH, QUICK } from '../../../lib/pack/encode.js';
import { HistoryPacker } from '../../../lib/pack/packer.js';
import { dump as dumpTree } from '../../helpers/dump.js';
import { directoryAttr, dump, extractRaw, fileAttr, freshState, numbered } from '../../helpers/extract.js';
import { Random } from '../../helpers/random.js';
import type { RecordDraft } from '../../helpers/records.js';
import { Scenario } from '../../helpers/scenario.js';
import { scoped, type Scope } from '../../helpers/scope.js';

const MOUNT = { kind: Kind.Mount, ino: 100, attr: directoryAttr, payload: {} };

/** Until nothing is left, with a new packer for each step: as if it was stopped after every one. */
async function packAll(history: History): Promise<void> {
  while (await new HistoryPacker(history).step(QUICK)) { /* All of it. */ }
  while (await new EntryPacker(history).step(6, true)) { /* All of it. */ }
}

async function opened(scope: Scope): Promise<History> {
  const history = await History.open(`${scope.temporary('memory')}/history`);
  scope.defer(() => history.close());
  return history;
}

const FOREVER = FAMILIES.filter((family) => family !== 'meta' && family !== 'content');

async function everything(history: History): Promise<string[]> {
  const lines = await dump(history, FOREVER);
  for (let seq = 1; seq <= history.watermark(); seq += 7) lines.push(...await dumpTree(history, seq));
  return lines;
}

for (const seed of [11, 12]) {
  test.serial(`every instant of a random session reads as before, and what comes after is extracted the same: seed ${seed}`, async (t) => {
    await scoped(async (scope) => {
      const scenario = new Scenario(new Random(seed));
      scenario.mount();
      for (let i = 0; i < 260; i++) scenario.step();
      const half = Math.floor(scenario.records.length / 2);
      const [packed, plain] = [await opened(scope), await opened(scope)];
      const states = [freshState(packed), freshState(plain)] as const;
      for (const [i, history] of [packed, plain].entries()) await extractRaw(history, scenario.records.slice(0, half), 100, states[i]);
      await packAll(packed);
      const stored = await dump(packed, ['content']);
      t.true(stored.some((line) => !line.split(' ')[2]!.startsWith('00')), 'some of it is packed');
      for (const [i, history] of [packed, plain].entries()) await extractRaw(history, scenario.records.slice(half), 100, states[i]);
      await packAll(packed);
      t.deepEqual(await everything(packed), await everything(plain));
    });
  });
}

const text = (random: Random, lines: number): string[] => Array.from({ length: lines }, () => `${random.below(1e9).toString(36)} is what this line says, and ${random.below(1e9).toString(36)}\n`);

/** Saves of one text by an editor, in place and by rename by turns; each changes a line, some insert many. */
function saves(count: number): { drafts: Omit<RecordDraft, 'seq'>[]; written: number } {
  const random = new Random(3);
  const lines = text(random, 1500);
  const drafts: Omit<RecordDraft, 'seq'>[] = [MOUNT];
  let written = 0;
  for (let i = 0; i < count; i++) {
    if (random.chance(0.2)) lines.splice(random.below(lines.length), 0, ...text(random, 5));
    else lines.splice(random.below(lines.length), 1, ...text(random, 1));
    const bytes = Buffer.from(lines.join(''));
    const ino = 101 + i;
    drafts.push({ kind: Kind.Create, ino, parent: 100, name: 'text.tmp', attr: fileAttr(0, ino), parentAttr: directoryAttr });
    drafts.push({ kind: Kind.Write, ino, length: bytes.length, payload: bytes, attr: fileAttr(bytes.length, ino) });
    drafts.push({ kind: Kind.Rename, ino, parent: 100, name: 'text.tmp', name2: 'text', attr: fileAttr(bytes.length, ino), parentAttr: directoryAttr, parent2: { ino: 100, attr: directoryAttr }, ...(i > 0 && { target: { ino: ino - 1, attr: { ...fileAttr(1, ino - 1), nlink: 0 } } }) });
    written += bytes.length;
  }
  return { drafts, written };
}

test.serial('saves of a text take what they change, however many there are, and none is more than eight look-ups away', async (t) => {
  await scoped(async (scope) => {
    const history = await opened(scope);
    const { drafts, written } = saves(120);
    await extractRaw(history, numbered(drafts));
    await packAll(history);
    let stored = 0;
    let deepest = 0;
    for await (const { key, value } of history.rocks.scan('content', {})) {
      stored += value.length;
      deepest = Math.max(deepest, depthOf(value));
      t.true(dictionaryOf(value) < getU64(key, 0));
      if (value[0] === Codec.Delta) t.is(depthOf(value), depthOf((await history.rocks.get('content', u64Key(dictionaryOf(value))))!) + 1);
    }
    t.is(deepest, MAX_DEPTH);
    t.true(stored < written / 50, `${stored} of ${written}`);
    t.like(await new HistoryPacker(history).progress(), { storedBytes: stored });
    const last = (await history.lookup(ROOT, 'text', history.watermark()))!;
    t.true((await history.read(last.node, 0, 1 << 20, history.watermark())).equals(drafts.at(-2)!.payload as Buffer));
  });
});

test.serial('what does not become smaller stays as it is', async (t) => {
  await scoped(async (scope) => {
    const history = await opened(scope);
    const random = new Random(9);
    const noise = Buffer.from(Array.from({ length: 65536 }, () => random.below(256)));
    await extractRaw(history, numbered([MOUNT, { kind: Kind.Create, ino: 101, parent: 100, name: 'noise', attr: fileAttr(0, 101), parentAttr: directoryAttr }, { kind: Kind.Write, ino: 101, length: noise.length, payload: noise, attr: fileAttr(noise.length, 101) }]));
    const before = await dump(history, ['content']);
    await packAll(history);
    t.deepEqual(await dump(history, ['content']), before);
  });
});

test.serial('the timeline, states and patches of many small writes take a part of what they did', async (t) => {
  await scoped(async (scope) => {
    const history = await opened(scope);
    const drafts: Omit<RecordDraft, 'seq'>[] = [MOUNT, { kind: Kind.Create, ino: 101, parent: 100, name: 'log', attr: fileAttr(0, 101), parentAttr: directoryAttr }];
    let size = 0;
    for (let i = 0; i < 3000; i++) {
      const line = Buffer.from(`2026-11-29T10:00:${i} worker ${i % 7} has done ${i * i % 1013} things\n`);
      drafts.push({ kind: Kind.Write, ino: 101, offset: size, length: line.length, payload: line, timeNs: BigInt(i) * 1_000_003n, attr: { ...fileAttr(size += line.length, 101), mtime: BigInt(i) * 1_000_001n, ctime: BigInt(i) * 1_000_001n } });
    }
    await extractRaw(history, numbered(drafts));
    const bytes = async (): Promise<number> => {
      let sum = 0;
      for (const family of FOREVER) for await (const { key, value } of history.rocks.scan(family, {}, { stored: true })) sum += key.length + value.length;
      return sum;
    };
    const before = await bytes();
    const answers = await everything(history);
    await packAll(history);
    t.true(await bytes() < before / 3, `${await bytes()} of ${before}`);
    t.deepEqual(await everything(history), answers);
    t.false(await new EntryPacker(history).step(6, false), 'nothing came since');
  });
});
