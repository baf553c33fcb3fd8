/** A schedule over a real history: what it gives up, what it can take back, what it frees, and what it never touches. */
import test from 'ava';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { History } from '../../../lib/history/history.js';
import { u64Key } from '../../../lib/history/keys.js';
import type { Seq } from '../../../lib/history/types.js';
import { MERGED_CONTENT } from '../../../lib/history/retained.js';
import { CONTENT_HEAD, dictionaryOf } from '../../../lib/history/values.js';
import { KeepPolicy } from '../../../lib/policy/keeping.js';
import { DEFAULT_RETENTION, type RetentionRules } from '../../../lib/policy/retention.js';
import { QUICK } from '../../../lib/pack/encode.js';
import { HistoryPacker } from '../../../lib/pack/packer.js';
import { detachContents } from '../../../lib/retention/detach.js';
import { Editor, UNTHROTTLED } from '../../../lib/retention/editor.js';
import { Keeper } from '../../../lib/retention/keeper.js';
import { purgeObjects, purgePlan } from '../../../lib/retention/purge.js';
import { boundaries, Chosen } from '../../../lib/retention/schedule.js';
import { sweepContents } from '../../../lib/retention/sweep.js';
import { discard, takeBack } from '../../../lib/retention/trash.js';
import { expectKept } from '../../../lib/time/kept.js';
import { dump } from '../../helpers/dump.js';
import { FoldedHistory } from '../../helpers/folded-history.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { scoped, type Scope } from '../../helpers/scope.js';

const HOUR_NS = 3_600_000_000_000n;
const DAY_MS = 86_400_000;
const never = new AbortController().signal;
const bytes = (text: string): Buffer => Buffer.from(text);

/** A file saved every three hours for some days, all of it content of its own. */
async function daysOfWork(scope: Scope, days: number): Promise<{ tree: ModelTree; history: History; nowMs: number }> {
  const tree = new ModelTree();
  tree.do({ op: 'create', path: bytes('file'), mode: 0o644 });
  for (let i = 0; i < days * 8; i++) {
    tree.sleep(3n * HOUR_NS);
    tree.do({ op: 'write', path: bytes('file'), offset: 0, data: Buffer.alloc(5000, `version ${i} `) });
  }
  const { history } = await FoldedHistory.open(scope.temporary('memory'), tree);
  scope.defer(() => history.close());
  return { tree, history, nowMs: Number(tree.history.times.at(-1)! / 1_000_000n) };
}

function keeper(history: History, rules: Partial<RetentionRules> = {}): Keeper {
  const retention = { ...DEFAULT_RETENTION, ...rules };
  return new Keeper({ history, rules: () => retention, keeping: () => new KeepPolicy(retention, []), limit: () => history.watermark(), needed: async () => [], settle: async () => undefined });
}

async function countOf(history: History, family: 'content' | 'blocks'): Promise<number> {
  let count = 0;
  for await (const _ of history.rocks.scan(family, {}, { values: false })) count++;
  return count;
}

test.serial('the last state of each bucket stays, everything of the window, and nothing else', async (t) => {
  await scoped(async (scope) => {
    const { tree, history, nowMs } = await daysOfWork(scope, 30);
    const kept = keeper(history);
    const before = new Map<Seq, string[]>();
    for (let seq = 1; seq <= tree.seq; seq += 3) before.set(seq, await dump(history, seq));
    await kept.prune(nowMs);
    await kept.tidy({ hurry: true, all: true, nowMs });
    const windowMs = nowMs - DEFAULT_RETENTION.windowMs;
    let gone = 0;
    for (let seq = 1; seq <= tree.seq; seq++) {
      const timeMs = Number(tree.history.times[seq - 1]! / 1_000_000n);
      if (history.hidden(seq) !== null) gone++;
      else if (before.has(seq)) t.deepEqual(await dump(history, seq), before.get(seq), `#${seq}`);
      if (timeMs >= windowMs) t.is(history.hidden(seq), null, `#${seq} is in the window`);
    }
    // Of 30 days with 8 saves each: the window has 7, hours another 7, and of the other 16 each has its last.
    t.true(gone > 16 * 6 && gone < 16 * 8, `${gone}`);
    for (const boundary of boundaries('day', nowMs - 30 * DAY_MS, windowMs)) t.is(history.hidden((await history.seqAt(BigInt(boundary) * 1_000_000n - 1n))!), null);
    await t.throwsAsync(expectKept(history, 3), { code: 'ERR_TIME_THINNED', message: /the oldest that is kept is|the nearest that are kept are/ });
  });
});

/** A file saved each hour of some days, while a log that was opened in the morning is appended to all day. */
async function daysOfService(scope: Scope, days: number): Promise<{ tree: ModelTree; history: History; nowMs: number }> {
  const tree = new ModelTree();
  for (const name of ['file', 'log']) tree.do({ op: 'create', path: bytes(name), mode: 0o644 });
  const save = (name: string, offset: number, text: string): void => void tree.do({ op: 'write', path: bytes(name), offset, data: bytes(text) });
  for (let day = 0; day < days; day++) {
    const opened = tree.save = tree.record();
    for (let hour = 0; hour < 24; hour++) {
      tree.save = 0;
      save('file', 0, `day ${day} hour ${hour}`);
      tree.save = opened;
      for (let i = 0; i < 4; i++) {
        tree.sleep(HOUR_NS / 4n);
        save('log', (day * 24 + hour) * 4 + i, '.');
      }
    }
  }
  const { history } = await FoldedHistory.open(scope.temporary('memory'), tree);
  scope.defer(() => history.close());
  return { tree, history, nowMs: Number(tree.history.times.at(-1)! / 1_000_000n) };
}

test.serial('who has a log open all day moves no instant that is kept; a save that is half written at its time does', async (t) => {
  await scoped(async (scope) => {
    const { tree, history, nowMs } = await daysOfService(scope, 10);
    await keeper(history).prune(nowMs);
    let [kept, hours] = [0, 0];
    for (const boundary of boundaries('hour', nowMs - 9 * DAY_MS, nowMs - DEFAULT_RETENTION.windowMs)) {
      hours++;
      const seq = (await history.seqAt(BigInt(boundary) * 1_000_000n - 1n))!;
      if (history.hidden(seq) === null) kept++;
    }
    t.true(hours >= 40);
    t.is(kept, hours);
    t.is(history.hidden(tree.seq), null);
  });
});

test.serial('which instants are kept is asked of history once for each, however often it is planned', async (t) => {
  await scoped(async (scope) => {
    const { history, nowMs } = await daysOfService(scope, 10);
    const kept = keeper(history);
    const plan = await kept.plan(nowMs);
    t.true(plan.everywhere.length > 40);
    history.changes = () => { throw new Error('asked again'); };
    t.deepEqual(await kept.plan(nowMs), plan);
    history.changes = History.prototype.changes.bind(history);
    await t.notThrowsAsync(kept.plan(nowMs + DAY_MS));
  });
});

test.serial('in the background room is given back once much was deleted, or after a week; whoever waits for it gets it at once', async (t) => {
  await scoped(async (scope) => {
    const { history, nowMs } = await daysOfWork(scope, 40);
    const kept = keeper(history);
    const tidied = async (atMs: number) => {
      await kept.prune(atMs);
      return kept.tidy({ nowMs: atMs + DEFAULT_RETENTION.trashMs });
    };
    t.true((await tidied(nowMs)).contents > 0, 'never before');
    t.false(history.retention().unswept);
    const few = await tidied(nowMs + DAY_MS);
    t.true(few.edits > 0);
    t.is(few.contents, 0);
    t.true(history.retention().unswept);
    const later = await kept.tidy({ nowMs: nowMs + 2 * DEFAULT_RETENTION.trashMs });
    t.true(later.contents > 0, 'a week later');
    t.is((await tidied(nowMs + 2 * DAY_MS)).contents, 0);
    t.true((await kept.tidy({ hurry: true, nowMs: nowMs + 2 * DEFAULT_RETENTION.trashMs })).contents > 0, 'somebody waits');
    const much = await tidied(nowMs + 8 * DAY_MS);
    t.true(much.contents > 0, `${much.edits} were deleted`);
  });
});

test.serial('what was given up is hidden, comes back whole while it is in the trash, and is listed by file and version before', async (t) => {
  await scoped(async (scope) => {
    const { history, nowMs } = await daysOfWork(scope, 20);
    const kept = keeper(history);
    const plan = await kept.plan(nowMs);
    const listed: Seq[] = [];
    for await (const { path: shown, seq } of kept.versions(plan)) {
      t.deepEqual(shown, ['file']);
      listed.push(seq);
    }
    const before = await dump(history, listed[0]!);
    await kept.prune(nowMs);
    t.deepEqual(await kept.plan(nowMs), { everywhere: [], parts: [] }, 'it is given up once');
    for (const seq of listed) t.not(history.hidden(seq), null);
    await t.throwsAsync(expectKept(history, listed[0]!), { code: 'ERR_TIME_THINNED' });
    t.is((await kept.tidy({ hurry: true, nowMs })).stretches, 0, 'nothing goes before its time');
    t.is((await takeBack(history)).length, 1);
    t.deepEqual(await dump(history, listed[0]!), before);
    await expectKept(history, listed[0]!);
  });
});

test.serial('content that nothing names goes, and the rest stays, also what other content is decoded with', async (t) => {
  await scoped(async (scope) => {
    const { history, nowMs } = await daysOfWork(scope, 40);
    const kept = keeper(history);
    const all = await countOf(history, 'content');
    // The newest content says that it is decoded with the first.
    const batch = history.rocks.batch();
    const newest = history.meta().nextContent - 1;
    const value = (await history.rocks.get('content', u64Key(newest)))!;
    batch.put('content', u64Key(newest), Buffer.concat([Buffer.from([2]), value.subarray(1, CONTENT_HEAD), Buffer.from([1, 1])]));
    await history.forget(batch, history.retention());
    t.is(dictionaryOf((await history.rocks.get('content', u64Key(newest)))!), 1);
    await kept.prune(nowMs);
    const { contents } = await kept.tidy({ hurry: true, all: true, nowMs });
    t.true(contents > all / 3);
    t.is(await countOf(history, 'content'), all - contents);
    t.not(await history.rocks.get('content', u64Key(1)), null);
  });
});

test.serial('content that merging has made is packed like all other', async (t) => {
  await scoped(async (scope) => {
    const tree = new ModelTree();
    tree.do({ op: 'create', path: bytes('file'), mode: 0o600 });
    tree.do({ op: 'write', path: bytes('file'), offset: 0, data: randomBytes(60_000) });
    for (const [i, offset] of [8000, 8500, 40_000].entries()) tree.do({ op: 'write', path: bytes('file'), offset, data: Buffer.alloc(4000, `row ${i} `) });
    const { history } = await FoldedHistory.open(scope.temporary('memory'), tree);
    scope.defer(() => history.close());
    const packer = new HistoryPacker(history);
    while (await packer.step(QUICK)) { /* All of it. */ }
    await discard(history, [{ from: 3, to: tree.seq }], 'test', 0, 0);
    await keeper(history).tidy({ hurry: true, all: true });
    const merged = u64Key(MERGED_CONTENT);
    const before = (await history.rocks.get('content', merged))!;
    const node = (await history.resolve(['file'], tree.seq))!;
    const bytesBefore = await history.read(node, 0, 60_000, tree.seq);
    while (await packer.step(QUICK)) { /* All of it. */ }
    t.true((await history.rocks.get('content', merged))!.length < before.length / 4);
    t.true(bytesBefore.equals(await history.read(node, 0, 60_000, tree.seq)));
    t.is((await packer.progress()).merged, history.retention().nextContent);
    t.false(await new HistoryPacker(history).step(QUICK), 'another process goes on there');
  });
});

test.serial('content that the extractor finds again during a sweep stays, and what was freed is never named again', async (t) => {
  await scoped(async (scope) => {
    const { history } = await daysOfWork(scope, 1);
    const batch = history.rocks.batch();
    for await (const { key } of history.rocks.scan('blocks', {})) batch.delete('blocks', key);
    await history.forget(batch, history.retention());
    const swept = await sweepContents(history, async () => t.true(history.mayReuse(2)), UNTHROTTLED, never);
    t.is(swept.contents, 7);
    t.not(await history.rocks.get('content', u64Key(2)), null);
    t.false(history.mayReuse(1));
    t.true(history.mayReuse(2));
  });
});

test.serial('a pinned instant is kept by a schedule, and refuses to be discarded', async (t) => {
  await scoped(async (scope) => {
    const { history, nowMs } = await daysOfWork(scope, 40);
    const batch = history.rocks.batch();
    batch.put('points', u64Key(50), bytes(JSON.stringify({ kind: 'mark', name: 'x', note: '', timeNs: '1', pinned: true })));
    await history.forget(batch, history.retention());
    await t.throwsAsync(discard(history, [{ from: 1, to: 100 }], 'test', nowMs, 0), { code: 'ERR_PINNED' });
    const kept = keeper(history);
    await kept.prune(nowMs);
    t.is(history.hidden(50), null);
    t.not(history.hidden(51), null);
  });
});

test.serial('a limit of size gives up the oldest, round by round, but never what is too young', async (t) => {
  await scoped(async (scope) => {
    const { tree, history, nowMs } = await daysOfWork(scope, 6);
    const kept = keeper(history, { maxBytes: 1, atLeastMs: 2 * DAY_MS });
    let end = 0;
    for (let round = 0; round < 3; round++) {
      await kept.maintain(nowMs);
      const [oldest] = history.retention().merged;
      t.is(oldest!.from, 0);
      t.true(oldest!.to > end);
      end = oldest!.to;
    }
    for (let seq = tree.seq - 15; seq <= tree.seq; seq++) t.is(history.hidden(seq), null);
  });
});

test.serial('of a purged file no byte is left in the store, and whoever asks is told', async (t) => {
  await scoped(async (scope) => {
    const tree = new ModelTree();
    const secret = Buffer.alloc(6000, 'top-secret-4711 ');
    for (const name of ['secret', 'copy', 'other']) tree.do({ op: 'create', path: bytes(name), mode: 0o600 });
    for (const name of ['secret', 'copy']) tree.do({ op: 'write', path: bytes(name), offset: 0, data: secret });
    tree.do({ op: 'write', path: bytes('other'), offset: 0, data: Buffer.alloc(6000, 'harmless ') });
    tree.do({ op: 'write', path: bytes('copy'), offset: 0, data: Buffer.alloc(6000, 'overwritten ') });
    const at = tree.seq;
    tree.do({ op: 'unlink', path: bytes('secret') });
    const { history } = await FoldedHistory.open(scope.temporary('memory'), tree);
    scope.defer(() => history.close());
    const node = (await history.resolve(['secret'], at))!;
    const copy = (await history.resolve(['copy'], at))!;
    const objects = await purgePlan(history, ['secret'], true);
    t.deepEqual(objects.map(({ path: shown, live, holds }) => ({ path: shown, live, holds })), [{ path: ['secret'], live: false, holds: false }, { path: ['copy'], live: true, holds: false }]);
    const editor = new Editor(history, history.retention(), UNTHROTTLED, never);
    await purgeObjects(history, objects, editor, { by: 'uid 0', timeNs: 1n, note: 'secret' });
    await keeper(history).tidy({ hurry: true });
    await history.rocks.flush();
    for (const name of fs.readdirSync(history.directory)) t.false(fs.readFileSync(path.join(history.directory, name)).includes('top-secret-4711'), name);
    await t.throwsAsync(history.read(node, 0, 10, at), { code: 'ERR_PURGED', message: /by uid 0/ });
    await t.throwsAsync(history.read(copy, 0, 10, at - 1), { code: 'ERR_PURGED' });
    t.is((await history.read(copy, 0, 11, at)).toString(), 'overwritten');
    t.is((await history.gaps()).at(-1)!.reason, 'purged');
    await history.close();
    const again = await History.open(history.directory);
    scope.defer(() => again.close());
    await t.throwsAsync(again.read(node, 0, 10, at), { code: 'ERR_PURGED' });
  });
});

test.serial('content that was compressed against a purged one stands by itself', async (t) => {
  await scoped(async (scope) => {
    const tree = new ModelTree();
    const secret = randomBytes(6000);
    const kept = Buffer.concat([secret.subarray(0, 2000), randomBytes(2000), secret.subarray(4000)]);
    for (const [name, data] of [['secret', secret], ['kept', kept]] as const) {
      tree.do({ op: 'create', path: bytes(name), mode: 0o600 });
      tree.do({ op: 'write', path: bytes(name), offset: 0, data });
    }
    tree.do({ op: 'unlink', path: bytes('secret') });
    const { history } = await FoldedHistory.open(scope.temporary('memory'), tree);
    scope.defer(() => history.close());
    const packer = new HistoryPacker(history);
    while (await packer.step(QUICK)) { /* All of it. */ }
    t.true(await basedOnOthers(history) > 0, 'one rests on the other');
    const editor = new Editor(history, history.retention(), UNTHROTTLED, never);
    await purgeObjects(history, await purgePlan(history, ['secret'], false), editor, { by: 'uid 0', timeNs: 1n, note: 'secret' });
    await detachContents(history, editor, never);
    await keeper(history).tidy({ hurry: true });
    await history.rocks.flush();
    t.is(await basedOnOthers(history), 0);
    for (const name of fs.readdirSync(history.directory)) t.false(fs.readFileSync(path.join(history.directory, name)).includes(secret.subarray(2000, 4000)), name);
    const node = (await history.resolve(['kept'], history.watermark()))!;
    t.true((await history.read(node, 0, 6000, history.watermark())).equals(kept));
  });
});

test.serial('a short secret, which lies in the entry of its block, is gone from the files of the store, too', async (t) => {
  await scoped(async (scope) => {
    const tree = new ModelTree();
    tree.do({ op: 'create', path: bytes('secret'), mode: 0o600 });
    tree.do({ op: 'write', path: bytes('secret'), offset: 0, data: bytes('top-secret-4711') });
    tree.do({ op: 'unlink', path: bytes('secret') });
    const { history } = await FoldedHistory.open(scope.temporary('memory'), tree);
    scope.defer(() => history.close());
    await history.rocks.flush();
    const editor = new Editor(history, history.retention(), UNTHROTTLED, never);
    await purgeObjects(history, await purgePlan(history, ['secret'], false), editor, { by: 'uid 0', timeNs: 1n, note: 'secret' });
    await keeper(history).tidy({ hurry: true });
    await history.rocks.flush();
    for (const name of fs.readdirSync(history.directory)) t.false(fs.readFileSync(path.join(history.directory, name)).includes('top-secret-4711'), name);
  });
});

async function basedOnOthers(history: History): Promise<number> {
  let count = 0;
  for await (const { value } of history.rocks.scan('content', {})) if (dictionaryOf(value) !== 0) count++;
  return count;
}

test.serial('an instant that could not be chosen because history could not be read is asked about again', async (t) => {
  const tree = new ModelTree();
  tree.do({ op: 'create', path: bytes('file'), mode: 0o644 });
  const failing = Object.create(tree.history, { timeOf: { value: () => Promise.reject(new Error('the disk fails')) } }) as typeof tree.history;
  const chosen = new Chosen();
  await t.throwsAsync(chosen.at(failing, tree.seq), { message: 'the disk fails' });
  chosen.age();
  t.is(await chosen.at(tree.history, tree.seq), tree.seq);
});
