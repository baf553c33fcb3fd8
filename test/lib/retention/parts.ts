/** Schedules of paths: what each keeps reads as before, what it gives up says so, and what of it is listed before. */
import test, { type ExecutionContext } from 'ava';
import { RewindError } from '../../../lib/errors.js';
import type { History } from '../../../lib/history/history.js';
import type { HistoryReader } from '../../../lib/history/reader.js';
import type { Part } from '../../../lib/history/retained.js';
import { ROOT, type NodeId, type Seq } from '../../../lib/history/types.js';
import type { TreeOp } from '../../../lib/native.js';
import { KeepPolicy } from '../../../lib/policy/keeping.js';
import { parsePolicy } from '../../../lib/policy/file.js';
import { grep } from '../../../lib/recovery/grep/grep.js';
import { planRollback } from '../../../lib/recovery/plan.js';
import { planUndo } from '../../../lib/recovery/undo/plan.js';
import { completeUpTo } from '../../../lib/repair/complete.js';
import { Editor, UNTHROTTLED } from '../../../lib/retention/editor.js';
import { Keeper } from '../../../lib/retention/keeper.js';
import { mergeParts } from '../../../lib/retention/parts.js';
import { planOf } from '../../../lib/retention/plan.js';
import { purgeObjects, purgePlan } from '../../../lib/retention/purge.js';
import { mergeDue } from '../../../lib/retention/stretch.js';
import { takeBack } from '../../../lib/retention/trash.js';
import { expectKept } from '../../../lib/time/kept.js';
import { FoldedHistory } from '../../helpers/folded-history.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { randomChange } from '../../helpers/random-changes.js';
import { freshSeed, Random } from '../../helpers/random.js';
import { scoped, type Scope } from '../../helpers/scope.js';
import { findingsOf } from '../verify/support/broken.js';

const HOUR_NS = 3_600_000_000_000n;
const HOUR_MS = 3_600_000;
const never = new AbortController().signal;
const S_IFMT = 0o170000;
const bytes = (text: string): Buffer => Buffer.from(text);
const RUNS = 4;
const ROUNDS = 3;

/** Every file at an instant, by path; its content, or null where it is kept no longer. */
async function filesAt(history: HistoryReader, seq: Seq, node: NodeId = ROOT, above = '', found = new Map<string, string | null>()): Promise<Map<string, string | null>> {
  for (const { name, node: child } of await history.list(node, seq)) {
    const { thinned, uncaptured: _, ...attr } = (await history.attr(child, seq))!;
    const path = above === '' ? name : `${above}/${name}`;
    if ((attr.mode & S_IFMT) === 0o040000) await filesAt(history, seq, child, path, found);
    const told = JSON.stringify(attr, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
    if ((attr.mode & S_IFMT) !== 0o100000) found.set(path, told);
    else if (thinned === undefined) found.set(path, `${told} ${(await history.read(child, 0, attr.size, seq)).toString('base64')}`);
    else {
      await history.read(child, 0, 1, seq).then(() => { throw new Error('it was read'); }, (error: RewindError) => { if (error.code !== 'ERR_TIME_THINNED') throw error; });
      found.set(path, null);
    }
  }
  return found;
}

/** Files under each rule and several, saved in place and by rename, linked, moved between rules and removed. */
function fileChange(random: Random): TreeOp {
  const pick = (): Buffer => bytes(random.pick(['a/x', 'a/y', 'a/b', 'b/x', 'b/c', 'c', 'e f/x', 'e f/c']));
  const path = pick();
  switch (random.below(12)) {
    case 0: case 1: return { op: 'create', path, mode: 0o644 };
    case 2: return { op: 'rename', path, from: pick(), exchange: random.chance(0.2) };
    case 3: return random.chance(0.5) ? { op: 'link', path, from: pick() } : { op: 'unlink', path };
    case 4: return { op: 'truncate', path, size: random.pick([0, 50, 4096, 70_000]) };
    default: return { op: 'write', path, offset: random.pick([0, 0, 60, 65_530]), data: Buffer.alloc(random.pick([10, 100, 70_000]), random.below(256)) };
  }
}

/** Random instants of each schedule; whoever keeps longer keeps what others keep. */
function keptAtRandom(random: Random, keeping: KeepPolicy, before: ReadonlyMap<string, Seq[]>, from: Seq, to: Seq): Map<string, Seq[]> {
  const kept = new Map<string, Seq[]>();
  let shorter: Seq[] = [];
  const names = [...keeping.schedules.keys()].sort((a, b) => keeping.schedules.get(a)!.windowMs - keeping.schedules.get(b)!.windowMs);
  for (const [i, name] of names.entries()) {
    const fresh = Array.from({ length: to - from }, (_, at) => from + 1 + at).filter((seq) => seq === to || random.chance([0.02, 0.1, 0.3][i]!));
    const old = (before.get(name) ?? []).filter((seq) => seq === from || random.chance(0.7));
    shorter = [...new Set([...shorter, ...old, ...fresh])].sort((a, b) => a - b);
    kept.set(name, shorter);
  }
  return kept;
}

async function merge(history: History, keeping: KeepPolicy, kept: ReadonlyMap<string, Seq[]>, random: Random): Promise<void> {
  const retention = history.retention();
  const parts = [...keeping.schedules.keys()].map((schedule): Part => (
    retention.parts.find((part) => part.schedule === schedule) ?? { schedule, version: keeping.version, before: [], merged: [], due: [], trash: [], work: null }
  ));
  const plan = planOf(retention, parts, kept, 1);
  const inParts = async (): Promise<unknown> => {
    for (const { schedule, stretches } of plan.parts) parts.find((part) => part.schedule === schedule)!.due = stretches;
    await history.forget(history.rocks.batch(), { ...history.retention(), parts });
    return mergeParts(history, keeping, Infinity, UNTHROTTLED, never);
  };
  const everywhere = async (): Promise<unknown> => {
    await history.forget(history.rocks.batch(), { ...history.retention(), due: plan.everywhere });
    return mergeDue(history, Infinity, UNTHROTTLED, never);
  };
  for (const one of random.chance(0.5) ? [inParts, everywhere] : [everywhere, inParts]) await one();
}

async function expectEachPath(t: ExecutionContext, history: History, tree: ModelTree, keeping: KeepPolicy, kept: ReadonlyMap<string, Seq[]>, label: string): Promise<number> {
  const last = new Map([...kept].map(([name, seqs]) => [name, Math.max(...seqs)]));
  let gone = 0;
  for (let seq = 1; seq <= tree.seq; seq++) {
    if (history.hidden(seq, true) !== null) continue;
    const [are, were] = [await filesAt(history, seq), await filesAt(tree.history, seq)];
    t.deepEqual([...are.keys()], [...were.keys()], `${label}: names at #${seq}`);
    for (const [path, was] of were) {
      const schedule = keeping.nameOf(keeping.rule(Buffer.from(path, 'latin1'), false));
      const isKept = seq > last.get(schedule)! || kept.get(schedule)!.includes(seq);
      if (are.get(path) === null && !isKept) gone++;
      else if (are.get(path) !== was) return t.fail(`${label}: ${path} at #${seq} is ${are.get(path)}, was ${was}; kept by "${schedule}": ${kept.get(schedule)!.join(' ')}`) as unknown as number;
    }
  }
  return gone;
}

test.serial('whatever paths are kept how long, each reads as before at every instant that is kept of it, and elsewhere as before or not at all', async (t) => {
  const base = freshSeed();
  t.log(`REWIND_SEED=${base}`);
  const { keeping: rules } = parsePolicy('[[rule]]\nmatch = ["a", "c"]\nkeep = "1h"\n[[rule]]\nmatch = "b"\nkeep = "forever"\n', 'p');
  const keeping = new KeepPolicy({ windowMs: 24 * HOUR_MS, bucketMs: { hour: 0, day: 0, week: 0, month: 0, year: 0 } }, rules);
  let gone = 0;
  for (let run = 0; run < RUNS; run++) {
    await scoped(async (scope) => {
      const random = new Random(base + run);
      const tree = new ModelTree();
      for (const path of ['a', 'b', 'e f']) tree.do({ op: 'mkdir', path: bytes(path), mode: 0o755 });
      const folded = await FoldedHistory.open(scope.temporary('memory'), tree);
      scope.defer(() => folded.history.close());
      let kept = new Map<string, Seq[]>();
      for (let round = 0, from = 0; round < ROUNDS; round++, from = tree.seq) {
        for (let i = random.between(30, 100); i > 0; i--) tree.do(random.chance(0.7) ? fileChange(random) : randomChange(random));
        await folded.catchUp();
        kept = keptAtRandom(random, keeping, kept, from, tree.seq);
        await merge(folded.history, keeping, kept, random);
        gone += await expectEachPath(t, folded.history, tree, keeping, kept, `seed ${base + run}, round ${round}`);
      }
      t.deepEqual(await findingsOf(folded.history), [], `seed ${base + run}`);
    });
  }
  t.true(gone > 20, `${gone} contents were given up`);
  t.log(`${gone} contents of files at instants were given up`);
});

const RULES = '[retention]\nkeep = "1d"\nhour = "never"\nday = "never"\nweek = "never"\nmonth = "never"\nyear = "never"\n[[rule]]\nmatch = "build/"\nkeep = "1h"\n[[group]]\nname = "papers"\ninclude = "docs/"\nkeep = "forever"\n';

interface Work { tree: ModelTree; history: History; folded: FoldedHistory; nowMs: number; writes: { path: string; seq: Seq; timeMs: number; text: string }[] }

/** Two days of work: every hour something is built, programmed and written, and what was built the hour before is removed. */
async function work(scope: Scope): Promise<Work> {
  const tree = new ModelTree();
  const writes: Work['writes'] = [];
  for (const path of ['build', 'docs', 'src']) tree.do({ op: 'mkdir', path: bytes(path), mode: 0o755 });
  const write = (path: string, text: string): void => {
    tree.do({ op: 'create', path: bytes(path), mode: 0o644 });
    tree.do({ op: 'write', path: bytes(path), offset: 0, data: Buffer.alloc(3000, text) });
    writes.push({ path, seq: tree.seq, timeMs: Number(tree.history.times.at(-1)! / 1_000_000n), text });
  };
  for (let hour = 0; hour < 48; hour++) {
    tree.sleep(HOUR_NS);
    for (const path of ['build/x', 'docs/x', 'src/x', `build/of-${hour}`]) write(path, `${path} in hour ${hour};`);
    tree.do({ op: 'unlink', path: bytes(`build/of-${hour - 1}`) });
  }
  const folded = await FoldedHistory.open(scope.temporary('memory'), tree);
  scope.defer(() => folded.history.close());
  return { tree, history: folded.history, folded, nowMs: Number(tree.history.times.at(-1)! / 1_000_000n), writes };
}

function keeper(history: History, rules: string, needed: Seq[] = []): Keeper {
  const { retention, keeping } = parsePolicy(rules, 'p');
  const policy = new KeepPolicy(retention, keeping);
  return new Keeper({ history, rules: () => retention, keeping: () => policy, limit: () => history.watermark(), needed: async () => needed, settle: async () => undefined });
}

/** What a path held at an instant; null when it is kept no longer. */
async function textAt(history: History, path: string, seq: Seq): Promise<string | null> {
  const node = (await history.resolve(path.split('/'), seq))!;
  return history.read(node, 0, 3000, seq).then((read) => read.toString(), (error: RewindError) => {
    if (error.code !== 'ERR_TIME_THINNED') throw error;
    return null;
  });
}

test.serial('a build directory is kept for an hour, documents for ever, the rest as the table says; what goes is listed before, by rule', (t) => scoped(async (scope) => {
  const { history, nowMs, writes } = await work(scope);
  const kept = keeper(history, RULES);
  const listed = new Map<string, string | null>();
  for await (const { path, seq, by } of kept.versions(await kept.plan(nowMs))) listed.set(`${path!.join('/')} #${seq}`, by);
  const trashed = await kept.prune(nowMs);
  t.deepEqual(trashed.map(({ reason }) => reason), ['rule', 'rule']);
  for (const { path, seq } of writes) t.not(await textAt(history, path, seq), null, 'in the trash it is there');
  const { contents } = await kept.tidy({ hurry: true, all: true, nowMs });
  for (const { path, seq, text, timeMs } of writes) {
    const hours = (nowMs - timeMs) / HOUR_MS;
    const read = await textAt(history, path, seq);
    t.is(read === null, listed.has(`${path} #${seq}`), `${path} #${seq}`);
    if (read !== null) t.is(read, Buffer.alloc(3000, text).toString());
    if (path === 'docs/x' || hours < 1) t.not(read, null, path);
    if (path === 'src/x') t.is(read === null, hours > 25, `${hours}`);
    if (path.startsWith('build/')) t.is(read === null, hours > 2, `${path} ${hours}`);
  }
  t.is(contents, listed.size, 'the room comes back, also of what was removed');
  t.deepEqual([...new Set(listed.values())].sort(), [null, 'p:10']);
  t.deepEqual(await kept.plan(nowMs), { everywhere: [], parts: [] });
  t.deepEqual(await findingsOf(history), []);
  t.is(await completeUpTo(history.rocks, history.retention(), history.watermark()), history.watermark(), 'a repair takes it for no loss');
}));

test.serial('whole states are asked for as the table keeps them; what a rule gave up of one is left as it is, and names its neighbours', (t) => scoped(async (scope) => {
  const { tree, history, nowMs, writes } = await work(scope);
  const kept = keeper(history, RULES);
  await kept.prune(nowMs);
  await kept.tidy({ hurry: true, all: true, nowMs });
  const [old, late] = [writes.find(({ path }) => path === 'docs/x')!.seq, writes.filter(({ path, timeMs }) => path === 'build/x' && nowMs - timeMs > 4 * HOUR_MS).at(-1)!.seq];
  await t.throwsAsync(expectKept(history, old), { code: 'ERR_TIME_THINNED' });
  await expectKept(history, old, true);
  await expectKept(history, late);
  const plan = await planRollback(history, { paths: [], to: late, now: tree.seq });
  const told = new Map(plan.entries.map(({ path, action, reason }) => [path.join('/'), reason ?? action]));
  t.is(told.get('src/x'), 'update');
  t.is(told.get('docs/x'), 'update');
  const around = /its content is kept no longer: the oldest instant that is kept of it is #(\d+)$/.exec(told.get('build/x')!);
  t.truthy(around, told.get('build/x'));
  t.is(await textAt(history, 'build/x', Number(around![1])), Buffer.alloc(3000, writes.filter(({ path, seq }) => path === 'build/x' && seq <= Number(around![1])).at(-1)!.text).toString());
  let [found, searched] = [0, null as { uncaptured: number } | null];
  for await (const row of grep(history, { pattern: 'in hour', allVersions: true })) if ('searched' in row) searched = row.searched; else found++;
  t.is(found + searched!.uncaptured, writes.length);
  t.true(searched!.uncaptured > 90);
}));

test.serial('the longest rule counts for a file with several names, and its path then for one that was renamed', (t) => scoped(async (scope) => {
  const { tree, folded, history } = await work(scope);
  tree.do({ op: 'link', path: bytes('docs/linked'), from: bytes('build/x') });
  const write = (path: string, text: string): Seq => {
    tree.sleep(HOUR_NS);
    tree.do({ op: 'write', path: bytes(path), offset: 0, data: Buffer.alloc(3000, text) });
    return tree.seq;
  };
  const linked = [write('build/x', 'one'), write('build/x', 'two')];
  const moved = [write('src/x', 'before'), write('src/x', 'then')];
  tree.do({ op: 'rename', from: bytes('src/x'), path: bytes('build/moved') });
  const there = [write('build/moved', 'after'), write('build/moved', 'later')];
  tree.sleep(12n * HOUR_NS);
  write('docs/x', 'end');
  await folded.catchUp();
  const kept = keeper(history, RULES);
  const nowMs = Number(tree.history.times.at(-1)! / 1_000_000n);
  await kept.prune(nowMs);
  await kept.tidy({ hurry: true, all: true, nowMs });
  for (const seq of linked) t.not(await textAt(history, 'build/x', seq), null);
  for (const seq of moved) t.not(await textAt(history, 'src/x', seq), null);
  for (const seq of there) t.not(await textAt(history, 'build/moved', seq), null, 'the table is longer, and it was under it within the day');
}));

test.serial('what is in the trash comes back, also by other rules, and a pinned instant is kept of every path', (t) => scoped(async (scope) => {
  const { history, nowMs, writes } = await work(scope);
  const all = async (path: string): Promise<number> => (await Promise.all(writes.filter((one) => one.path === path).map(({ seq }) => textAt(history, path, seq)))).filter((text) => text !== null).length;
  await keeper(history, RULES).prune(nowMs);
  t.is((await takeBack(history)).length, 2);
  t.deepEqual(history.retention().parts.map(({ trash, due }) => [trash, due]).flat(2), []);
  await keeper(history, RULES).prune(nowMs);
  await keeper(history, `${RULES}[[rule]]\nmatch = "x"\nkeep = "forever"\n`).tidy({ hurry: true, all: true, nowMs });
  t.is(await all('build/x'), 48, 'given up by rules that are others now');
  const pinned = writes[40]!;
  t.is(pinned.path, 'build/x');
  await keeper(history, RULES).prune(nowMs);
  const kept = keeper(history, RULES, [pinned.seq]);
  await kept.tidy({ hurry: true, all: true, nowMs });
  t.is(await all('build/x'), 48, 'it holds an instant that is pinned by now');
  await kept.prune(nowMs);
  await kept.tidy({ hurry: true, all: true, nowMs });
  t.is(await textAt(history, 'build/x', pinned.seq), Buffer.alloc(3000, pinned.text).toString());
  t.is(await all('build/x'), 3, 'the pinned one, the last of the hour, and the present');
}));

test.serial('of a purged file it is said that it was purged, whatever a rule gave up of it', (t) => scoped(async (scope) => {
  const { history, nowMs, writes } = await work(scope);
  const kept = keeper(history, RULES);
  await kept.prune(nowMs);
  await kept.tidy({ hurry: true, all: true, nowMs });
  const editor = new Editor(history, history.retention(), UNTHROTTLED, never);
  await purgeObjects(history, await purgePlan(history, ['build', 'x'], false), editor, { by: 'uid 0', timeNs: 1n, note: '' });
  const { seq } = writes[0]!;
  await t.throwsAsync(history.read((await history.resolve(['build', 'x'], seq))!, 0, 10, seq), { code: 'ERR_PURGED' });
  t.is(await completeUpTo(history.rocks, history.retention(), history.watermark()), history.watermark());
}));

test.serial('content that is given up while it is read is not answered', (t) => scoped(async (scope) => {
  const { history, nowMs, writes } = await work(scope);
  const kept = keeper(history, RULES);
  await kept.prune(nowMs);
  const { missing } = history;
  const of = missing.of.bind(missing);
  let isBetween = true;
  missing.of = async (node, seq) => {
    const before = await of(node, seq);
    if (isBetween) {
      isBetween = false;
      await kept.tidy({ hurry: true, all: true, nowMs });
    }
    return before;
  };
  const { seq } = writes[0]!;
  const node = (await history.resolve(['build', 'x'], seq))!;
  await t.throwsAsync(history.read(node, 0, 3000, seq, 3000), { code: 'ERR_TIME_THINNED' });
}));

test.serial('an undo leaves as it is, and names, what a rule gave up; what others wrote over since is kept', (t) => scoped(async (scope) => {
  const { tree, history, nowMs, writes } = await work(scope);
  const kept = keeper(history, RULES);
  await kept.prune(nowMs);
  await kept.tidy({ hurry: true, all: true, nowMs });
  const mine = new Set(['build/x', 'docs/x'].map((path) => writes.filter((one) => one.path === path && nowMs - one.timeMs > 4 * HOUR_MS).at(-1)!.seq));
  const { plan, conflicts } = await planUndo(history, { writers: [], after: Math.min(...mine) - 1, has: ({ seq }) => mine.has(seq) }, { now: tree.seq });
  t.deepEqual(plan.entries, []);
  t.deepEqual(conflicts.map(({ path, reason }) => [path.join('/'), reason.split(':')[0]]), [['build/x', 'its content is kept no longer']]);
}));
