/** Cold content on a real disk: what a crash leaves, what is away, damaged or of somebody else, and what is given back or destroyed. */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { ColdTier } from '../../../lib/cold/tier.js';
import { Kind } from '../../../lib/extractor/record.js';
import { wipeDead } from '../../../lib/cold/wipe.js';
import { History } from '../../../lib/history/history.js';
import { COLD_FORMAT, HISTORY_FORMAT, META_FORMAT } from '../../../lib/history/meta.js';
import type { Seq } from '../../../lib/history/types.js';
import { THOROUGH } from '../../../lib/pack/encode.js';
import { HistoryPacker } from '../../../lib/pack/packer.js';
import { Packing } from '../../../lib/pack/packing.js';
import { KeepPolicy } from '../../../lib/policy/keeping.js';
import { DEFAULT_RETENTION } from '../../../lib/policy/retention.js';
import { detachContents } from '../../../lib/retention/detach.js';
import { Editor, UNTHROTTLED } from '../../../lib/retention/editor.js';
import { Keeper } from '../../../lib/retention/keeper.js';
import { purgeObjects, purgePlan } from '../../../lib/retention/purge.js';
import { verify } from '../../../lib/verify/verify.js';
import { away, coldIds, cool, filesOf } from '../../helpers/cold.js';
import { extractRaw, numbered } from '../../helpers/extract.js';
import { FoldedHistory } from '../../helpers/folded-history.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { Random, freshSeed } from '../../helpers/random.js';
import { until } from '../../helpers/run.js';
import { scoped, type Scope } from '../../helpers/scope.js';

const never = new AbortController().signal;
const bytes = (text: string): Buffer => Buffer.from(text);
const VERSIONS = 20;
const LENGTH = 5000;

/** Bytes of a version that do not compress. */
function version(i: number): Buffer {
  const random = new Random(4711 + i);
  return Buffer.from(Array.from({ length: LENGTH }, () => random.below(256)));
}

interface Versions { tree: ModelTree; history: History; folded: FoldedHistory; cold: string; written: Seq[] }

/** A file of which twenty versions were written. */
async function versions(scope: Scope, count = VERSIONS): Promise<Versions> {
  const tree = new ModelTree();
  const written: Seq[] = [];
  tree.do({ op: 'create', path: bytes('file'), mode: 0o644 });
  for (let i = 0; i < count; i++) {
    tree.sleep(1_000_000_000n);
    tree.do({ op: 'write', path: bytes('file'), offset: 0, data: version(i) });
    written.push(tree.seq);
  }
  const folded = await FoldedHistory.open(`${scope.temporary('memory')}/history`, tree);
  scope.defer(() => folded.history.close());
  return { tree, history: folded.history, folded, cold: scope.temporary('memory'), written };
}

const at = async (history: History, seq: Seq): Promise<Buffer> => history.read((await history.resolve(['file'], seq))!, 0, LENGTH, seq);

async function kinds(history: History): Promise<string[]> {
  const found: string[] = [];
  for await (const one of verify(history, { deep: true, journal: null, signal: never })) if ('kind' in one) found.push(one.kind);
  return [...new Set(found)].sort();
}

test.serial('only what no instant of the period needs goes, and the format is that of cold content from then on', async (t) => {
  await scoped(async (scope) => {
    const { history, cold, written } = await versions(scope);
    const format = async (): Promise<number> => (await history.rocks.get('meta', META_FORMAT))!.readUInt32BE(0);
    await cool(history, cold, written[0]!);
    t.deepEqual(await coldIds(history), []);
    t.is(await format(), HISTORY_FORMAT);
    await cool(history, cold, written[10]!);
    t.is((await coldIds(history)).length, 10, 'versions 0 to 9: the instant itself still needs version 10');
    t.is(await format(), COLD_FORMAT);
    const [file] = filesOf(cold);
    t.is(fs.statSync(file!).mode & 0o777, 0o600);
    t.is(fs.statSync(path.dirname(file!)).mode & 0o777, 0o700);
    for (const [i, seq] of written.entries()) t.true((await at(history, seq)).equals(version(i)));
    t.deepEqual(await kinds(history), []);
  });
});

test.serial('where the directory is away, whoever reads what lies there is told, and nobody else', async (t) => {
  await scoped(async (scope) => {
    const { tree, history, folded, cold, written } = await versions(scope);
    await cool(history, cold, written[10]!);
    history.contents.forget();
    await away(cold, async () => {
      const [old, young] = await Promise.allSettled([at(history, written[3]!), at(history, written[15]!)]);
      t.is(old.status === 'rejected' && (old.reason as { code: string }).code, 'ERR_COLD_AWAY');
      t.true(young.status === 'fulfilled' && young.value.equals(version(15)), 'asked at the same time');
      t.is((await history.attr((await history.resolve(['file'], written[3]!))!, written[3]!))!.size, LENGTH);
      // What is written again is stored again: nothing of it needs the disk.
      tree.do({ op: 'write', path: bytes('file'), offset: 0, data: version(3) });
      await folded.catchUp();
      t.true((await at(history, tree.seq)).equals(version(3)));
      t.deepEqual(await kinds(history), ['cold-away']);
      await t.throwsAsync(cool(history, cold, written[15]!), { code: 'ERR_COLD_AWAY' });
    });
    t.true((await at(history, written[3]!)).equals(version(3)));
    t.deepEqual(await kinds(history), []);
  });
});

test.serial('what is written again that is cold is stored again, whether it was just read or never', async (t) => {
  await scoped(async (scope) => {
    const { tree, history, folded, cold, written } = await versions(scope);
    for (const seq of written) await at(history, seq);
    await cool(history, cold, written[10]!);
    tree.do({ op: 'write', path: bytes('file'), offset: 0, data: version(3) });
    await folded.catchUp();
    await history.close();
    const again = await FoldedHistory.open(history.directory, tree);
    scope.defer(() => again.history.close());
    await away(cold, async () => {
      t.true((await at(again.history, tree.seq)).equals(version(3)));
      tree.do({ op: 'write', path: bytes('file'), offset: 0, data: version(4) });
      await again.catchUp();
      t.true((await at(again.history, tree.seq)).equals(version(4)));
    });
  });
});

test.serial('a file that lost its name, and is still written to, is recorded while what it rests on is away', async (t) => {
  await scoped(async (scope) => {
    const { tree, history, folded, cold, written } = await versions(scope, 1);
    const node = (await history.resolve(['file'], written[0]!))!;
    const { attr } = tree.history.node(node, tree.seq)!;
    tree.do({ op: 'unlink', path: bytes('file') });
    tree.sleep(1_000_000_000n);
    tree.do({ op: 'create', path: bytes('other'), mode: 0o644 });
    await folded.catchUp();
    await cool(history, cold, tree.seq);
    t.is((await coldIds(history)).length, 1);
    history.contents.forget();
    const nowNs = (await history.timeOf(history.watermark()))!;
    const patches = Array.from({ length: 70 }, (_, i) => ({ kind: Kind.Write, timeNs: nowNs + BigInt(i), ino: node + 1000, offset: 10 * i, length: 600, attr: { ...attr, nlink: 0 }, payload: Buffer.alloc(600, i + 1) }));
    await away(cold, () => extractRaw(history, numbered(patches, history.watermark() + 1)));
    const now = await history.read(node, 0, LENGTH, history.watermark());
    t.true(now.subarray(2000).equals(version(0).subarray(2000)), 'what nobody wrote over');
    t.true(now.subarray(0, 700).equals(Buffer.concat([...patches.slice(0, -1).map(({ payload }) => payload.subarray(0, 10)), patches.at(-1)!.payload]).subarray(0, 700)));
    t.deepEqual(await kinds(history), []);
  });
});

test.serial('a disk that is not mounted is not written to in its place', async (t) => {
  await scoped(async (scope) => {
    const { history, cold, written } = await versions(scope);
    await cool(history, cold, written[5]!);
    await away(cold, async () => {
      fs.mkdirSync(cold);
      await t.throwsAsync(cool(history, cold, written[15]!), { code: 'ERR_COLD_AWAY' });
      t.deepEqual(fs.readdirSync(cold), []);
      fs.rmdirSync(cold);
    });
    t.is((await coldIds(history)).length, 5);
  });
});

test.serial('bytes that a crash left without their batch are named by nothing, and nothing is written over', async (t) => {
  await scoped(async (scope) => {
    const { history, cold, written } = await versions(scope);
    await cool(history, cold, written[5]!);
    await history.close();
    const before = `${history.directory}.before`;
    fs.cpSync(history.directory, before, { recursive: true });
    const goOn = async (seq: Seq): Promise<History> => {
      const opened = await History.open(history.directory);
      scope.defer(() => opened.close());
      await cool(opened, cold, seq);
      for (const [i, one] of written.entries()) t.true((await at(opened, one)).equals(version(i)), `version ${i}`);
      t.deepEqual(await kinds(opened), []);
      return opened;
    };
    await (await goOn(written[10]!)).close();
    const [longer] = filesOf(cold);
    const kept = fs.readFileSync(longer!);
    // The database as it was: of what was appended since it knows nothing.
    fs.rmSync(history.directory, { recursive: true });
    fs.renameSync(before, history.directory);
    const last = await goOn(written[15]!);
    t.is((await coldIds(last)).length, 15);
    t.is(filesOf(cold).length, 2);
    t.true(fs.readFileSync(longer!).equals(kept));
  });
});

test.serial('a file that lies in the way stays, and is passed by', async (t) => {
  await scoped(async (scope) => {
    const { history, cold, written } = await versions(scope);
    const own = path.join(cold, '0'.repeat(32));
    fs.mkdirSync(own);
    fs.writeFileSync(path.join(own, '0001.rwc'), 'not ours');
    await cool(history, cold, written[10]!);
    t.is(fs.readFileSync(path.join(own, '0001.rwc'), 'utf8'), 'not ours');
    t.is((await coldIds(history)).length, 10);
    for (const [i, seq] of written.entries()) t.true((await at(history, seq)).equals(version(i)));
    t.deepEqual(await kinds(history), []);
  });
});

test.serial('a flipped bit is damage, told with its place, and never read as content', async (t) => {
  const seed = freshSeed();
  t.log(`REWIND_SEED=${seed}`);
  const random = new Random(seed);
  await scoped(async (scope) => {
    const { history, cold, written } = await versions(scope, 6);
    await cool(history, cold, written[4]!);
    const [file] = filesOf(cold);
    const whole = fs.readFileSync(file!);
    let told = 0;
    for (let i = 0; i < 60; i++) {
      const damaged = Buffer.from(whole);
      const place = i < 20 ? random.below(400) : random.below(whole.length);
      damaged[place]! ^= 1 << random.below(8);
      fs.writeFileSync(file!, damaged);
      history.contents.forget();
      let wrong = 0;
      for (const [j, seq] of written.entries()) {
        try {
          t.true((await at(history, seq)).equals(version(j)), `byte ${place}`);
        } catch (error) {
          const { code, message } = error as { code: string; message: string };
          // Its beginning may name another store now.
          if (code !== 'ERR_COLD_AWAY') t.regex(message, new RegExp(`${path.basename(file!)} at byte \\d+`));
          t.true(['ERR_HISTORY_CORRUPT', 'ERR_COLD_AWAY'].includes(code), message);
          wrong++;
        }
      }
      t.not(wrong === 0 && !(await kinds(history)).some((kind) => kind === 'cold-damaged' || kind === 'cold-away'), true, `byte ${place}`);
      told += wrong;
    }
    t.true(told > 20);
    fs.writeFileSync(file!, whole.subarray(0, whole.length - 1));
    history.contents.forget();
    t.deepEqual(await kinds(history), ['block-damaged', 'content-damaged']);
    fs.writeFileSync(file!, whole);
    t.deepEqual(await kinds(history), []);
  });
});

test.serial('a file of another store is refused, and those that were moved are found by the policy', async (t) => {
  await scoped(async (scope) => {
    const { history, cold, written } = await versions(scope);
    await cool(history, cold, written[10]!);
    const other = await versions(scope);
    await cool(other.history, other.cold, written[10]!);
    const [[ours], [theirs]] = [filesOf(cold), filesOf(other.cold)];
    const whole = fs.readFileSync(ours!);
    fs.copyFileSync(theirs!, ours!);
    history.contents.forget();
    await t.throwsAsync(at(history, written[1]!), { code: 'ERR_COLD_AWAY', message: /another file than this history wrote/ });
    fs.writeFileSync(ours!, whole);
    const moved = `${cold}-moved`;
    scope.defer(() => fs.rmSync(moved, { recursive: true, force: true }));
    fs.cpSync(cold, moved, { recursive: true });
    fs.rmSync(cold, { recursive: true });
    await t.throwsAsync(at(history, written[1]!), { code: 'ERR_COLD_AWAY' });
    await new ColdTier(history, () => ({ directory: moved, afterMs: 1000 })).adopt(true);
    t.true((await at(history, written[1]!)).equals(version(1)));
    await history.close();
    const again = await History.open(history.directory);
    scope.defer(() => again.close());
    t.true((await at(again, written[2]!)).equals(version(2)), 'it is remembered');
    fs.mkdirSync(cold);
  });
});

function keeperOf(history: History): Keeper {
  return new Keeper({ history, rules: () => DEFAULT_RETENTION, keeping: () => new KeepPolicy(DEFAULT_RETENTION, []), limit: () => history.watermark(), needed: async () => [], settle: async () => undefined });
}

test.serial('of a purged file no byte is left in cold files, also of what was dead there already or behind their end', async (t) => {
  await scoped(async (scope) => {
    const tree = new ModelTree();
    const secret = Buffer.concat([bytes('top-secret-4711'), version(99)]);
    for (const [name, data] of [['secret', secret], ['kept', version(1)]] as const) {
      tree.do({ op: 'create', path: bytes(name), mode: 0o600 });
      tree.do({ op: 'write', path: bytes(name), offset: 0, data });
    }
    const then = tree.seq;
    for (const name of ['secret', 'kept']) tree.do({ op: 'unlink', path: bytes(name) });
    tree.sleep(1_000_000_000n);
    tree.do({ op: 'create', path: bytes('more'), mode: 0o600 });
    const { history } = await FoldedHistory.open(`${scope.temporary('memory')}/history`, tree);
    scope.defer(() => history.close());
    const cold = scope.temporary('memory');
    await cool(history, cold, tree.seq - 1);
    const [file] = filesOf(cold);
    t.true(fs.readFileSync(file!).includes('top-secret-4711'));
    fs.appendFileSync(file!, 'torn top-secret-4711');
    const editor = new Editor(history, history.retention(), UNTHROTTLED, never);
    await purgeObjects(history, await purgePlan(history, ['secret'], true), editor, { by: 'uid 0', timeNs: 1n, note: 'secret' });
    await detachContents(history, editor, never);
    await keeperOf(history).tidy({ hurry: true });
    t.true(fs.readFileSync(file!).includes('top-secret-4711'), 'what is dead is still there');
    await wipeDead(history);
    await history.rocks.flush();
    for (const one of [...filesOf(cold), ...filesOf(history.directory)]) t.false(fs.readFileSync(one).includes('top-secret-4711'), one);
    const node = (await history.resolve(['kept'], then))!;
    history.contents.forget();
    t.true((await history.read(node, 0, LENGTH, then)).equals(version(1)));
    t.deepEqual(await kinds(history), []);
    const whole = fs.readFileSync(file!);
    whole[60]! ^= 1;
    fs.writeFileSync(file!, whole);
    t.deepEqual(await kinds(history), ['cold-damaged']);
    await t.notThrowsAsync(wipeDead(history), 'a damaged beginning keeps nothing from being destroyed');
  });
});

test.serial('a file of which less than half is needed is given back, and what is needed reads on', async (t) => {
  await scoped(async (scope) => {
    const { history, cold, written } = await versions(scope);
    for (const seq of [written[6]!, written[12]!, written[18]!]) await cool(history, cold, seq, 20_000);
    const before = filesOf(cold);
    t.is(before.length, 3);
    // All but every sixth instant is given up, and what is left of it merged.
    const kept = written.filter((_, i) => i % 6 === 0 || i > 17);
    await history.forget(history.rocks.batch(), { ...history.retention(), due: kept.slice(1).map((to, i) => ({ from: kept[i]!, to })).filter(({ from, to }) => to - from > 1), unswept: true });
    await keeperOf(history).tidy({ hurry: true });
    const { files } = await history.rocks.cold.book();
    t.true([...files.values()].some(({ bytes: all, live }) => live * 2 < all));
    await cool(history, cold, written[18]!, 30_000);
    t.true(filesOf(cold).length < before.length, `${filesOf(cold).length}`);
    history.contents.forget();
    for (const seq of kept) t.true((await at(history, seq)).equals(version(written.indexOf(seq))), `#${seq}`);
    t.deepEqual(await kinds(history), []);
  });
});

test.serial('content is packed before it goes, and nothing is packed against it afterwards', async (t) => {
  await scoped(async (scope) => {
    const tree = new ModelTree();
    tree.do({ op: 'create', path: bytes('file'), mode: 0o644 });
    const save = (i: number): void => {
      tree.sleep(1_000_000_000n);
      tree.do({ op: 'write', path: bytes('file'), offset: 0, data: Buffer.concat([version(0).subarray(0, 4500), version(i).subarray(0, 500)]) });
    };
    for (let i = 0; i < 10; i++) save(i);
    const folded = await FoldedHistory.open(`${scope.temporary('memory')}/history`, tree);
    const { history } = folded;
    scope.defer(() => history.close());
    const cold = scope.temporary('memory');
    const rules = { directory: cold, afterMs: Date.now() - Number((await history.timeOf(tree.seq))! / 1_000_000n) - 1 };
    const phases = new Set<string>();
    for await (const { phase } of new Packing(history, new ColdTier(history, () => rules)).now(never)) phases.add(phase);
    t.true(phases.has('cold'));
    t.true(fs.statSync(filesOf(cold)[0]!).size < 3 * LENGTH, 'as differences');
    await away(cold, async () => {
      for (let i = 10; i < 14; i++) save(i);
      await folded.catchUp();
      const packer = new HistoryPacker(history);
      while (await packer.step(THOROUGH)) { /* All of it. */ }
      history.contents.forget();
      t.is((await at(history, tree.seq)).subarray(4500).compare(version(13).subarray(0, 500)), 0);
    });
    t.deepEqual(await kinds(history), []);
  });
});

test.serial('it is done in the background when all is packed, once a day, and goes on where it is stopped', async (t) => {
  await scoped(async (scope) => {
    const { history, cold, written } = await versions(scope, 200);
    const rules = { directory: cold, afterMs: Date.now() - Number((await history.timeOf(written.at(-1)!))! / 1_000_000n) - 1 };
    const failures: unknown[] = [];
    const passed = async (): Promise<number> => (await history.rocks.cold.book()).passedMs;
    for (let mounts = 0; await passed() === 0; mounts++) {
      t.true(mounts < 20);
      const packing = new Packing(history, new ColdTier(history, () => rules));
      packing.start(() => true, (error) => failures.push(error));
      await until('a pass ends, or a moment', async () => await passed() > 0, 500 * (mounts + 1)).catch(() => null);
      await packing.stop();
    }
    t.deepEqual(failures, []);
    t.is((await coldIds(history)).length, 199);
    const tier = new ColdTier(history, () => rules);
    t.false(await tier.step(), 'the next is due tomorrow');
    t.true((await at(history, written[7]!)).equals(version(7)));
    t.deepEqual(await kinds(history), []);
  });
});
