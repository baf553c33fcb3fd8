import test, { type ExecutionContext } from 'ava';
import { applyPlan } from '../../../lib/recovery/apply.js';
import { describePlan, planRollback } from '../../../lib/recovery/plan.js';
import type { HistoryReader } from '../../../lib/history/reader.js';
import type { TreeOp } from '../../../lib/native.js';
import type { Plan } from '../../../lib/recovery/types.js';
import { dump } from '../../helpers/dump.js';
import { ModelTree } from '../../helpers/model-tree.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const mkdir = (path: string, mode = 0o755): TreeOp => ({ op: 'mkdir', path: bytes(path), mode });
const create = (path: string): TreeOp => ({ op: 'create', path: bytes(path), mode: 0o644 });
const write = (path: string, data: string | Buffer, offset = 0): TreeOp => ({ op: 'write', path: bytes(path), offset, data: typeof data === 'string' ? bytes(data) : data });
const move = (from: string, path: string): TreeOp => ({ op: 'rename', from: bytes(from), path: bytes(path) });
const unlink = (path: string): TreeOp => ({ op: 'unlink', path: bytes(path) });
const link = (from: string, path: string): TreeOp => ({ op: 'link', from: bytes(from), path: bytes(path) });

function treeOf(ops: TreeOp[]): ModelTree {
  const tree = new ModelTree();
  for (const op of ops) {
    const errno = tree.do(op);
    if (errno !== 0) throw new Error(`${op.op} ${op.path.toString('latin1')}: errno ${errno}`);
  }
  return tree;
}

/** Plans back over `ops`, applies, checks the state; answers the plan. */
async function back(t: ExecutionContext, start: TreeOp[], ops: TreeOp[]): Promise<Plan> {
  const tree = treeOf(start);
  const to = tree.seq;
  for (const op of ops) t.is(tree.do(op), 0, op.op);
  const expected = await dump(tree.history, to);
  const plan = await planRollback(tree.history, { paths: [], to, now: tree.seq });
  await applyPlan(plan, tree.history, tree);
  t.deepEqual(await dump(tree.history, tree.seq), expected);
  return plan;
}

const brief = (plan: Plan): string[] => plan.ops.map((op) => {
  const from = op.op === 'rename' || op.op === 'link' ? `${op.from} -> ` : '';
  const ranges = op.op === 'content' ? ` ${op.ranges.map((range) => `${range.offset}+${range.length}`).join(' ')}` : op.op === 'punch' ? ` ${op.offset}+${op.length}` : '';
  return `${op.op} ${from}${op.path}${ranges}`;
}).filter((line) => !line.startsWith('times') && !line.startsWith('chown'));

test.serial('the plan of equal states is empty', async (t) => {
  const plan = await back(t, [mkdir('d'), create('d/f')], []);
  t.deepEqual(plan.ops, []);
  t.is(describePlan(plan).summary, '0 restored, 0 unchanged, 0 updated, 0 deleted, 0 skipped');
});

test.serial('a rename is taken back as a rename, a directory with all that it holds in one step', async (t) => {
  t.deepEqual(brief(await back(t, [mkdir('d'), create('d/f')], [move('d', 'e')])), ['rename e -> d']);
});

test.serial('cycles of renames go through a temporary name', async (t) => {
  const two = await back(t, [create('a'), create('b')], [move('a', 't'), move('b', 'a'), move('t', 'b')]);
  t.is(two.ops.filter((op) => op.op === 'rename').length, 3);
  const three = await back(t, [create('a'), create('b'), mkdir('c')], [move('a', 't'), move('b', 'a'), move('c', 'b'), move('t', 'c')]);
  t.is(three.ops.filter((op) => op.op === 'rename').length, 4);
  t.true(three.ops.every((op) => op.op === 'rename' || op.op === 'times'), 'nothing is copied');
});

test.serial('directories that were moved into each other come apart', async (t) => {
  const plan = await back(t, [mkdir('a'), mkdir('a/b'), mkdir('a/b/c'), create('a/b/c/f')], [
    move('a/b/c', 'c'), move('a/b', 'c/b'), move('a', 'c/b/a'),
  ]);
  t.true(plan.ops.every((op) => op.op === 'rename' || op.op === 'times'));
});

test.serial('a long chain of renames (rotated logs) is taken back without copies', async (t) => {
  const count = 450;
  const rotate: TreeOp[] = [];
  for (let i = count; i > 0; i--) rotate.push(move(`log.${i - 1}`, `log.${i}`));
  const plan = await back(t, Array.from({ length: count }, (_, i) => create(`log.${i}`)), [...rotate, create('log.0')]);
  t.true(plan.ops.every((op) => op.op === 'rename' || op.op === 'times' || op.op === 'unlink'));
  t.true(plan.ops.filter((op) => op.op === 'rename').length <= count + 10);
});

test.serial('deep new directories are made from the top and removed from the bottom', async (t) => {
  const depth = 300;
  const path = (length: number): string => Array.from({ length }, () => 'd').join('/');
  const make = Array.from({ length: depth }, (_, i) => mkdir(path(i + 1)));
  const remove = Array.from({ length: depth }, (_, i): TreeOp => ({ op: 'rmdir', path: bytes(path(depth - i)) }));
  t.is((await back(t, make, remove)).counts.restored, depth);
  t.is((await back(t, [], make)).counts.deleted, depth);
});

test.serial('content is written where it differs, and holes become holes again', async (t) => {
  const block = 64 << 10;
  const start = [create('f'), write('f', Buffer.alloc(block, 1), 4 * block), write('f', Buffer.alloc(block, 2), 9 * block)];
  const plan = await back(t, start, [write('f', 'x', 4 * block + 7), write('f', 'y', 6 * block), { op: 'truncate', path: bytes('f'), size: 8 * block }]);
  t.deepEqual(brief(plan), [
    'truncate f', `punch f ${6 * block}+4096`, `content f ${4 * block}+4096 ${9 * block}+${block}`,
  ]);
  t.is(plan.bytes, 4096 + block);
});

test.serial('a deleted sparse file comes back sparse', async (t) => {
  const block = 64 << 10;
  const plan = await back(t, [create('f'), write('f', 'x', 3 * block), { op: 'truncate', path: bytes('f'), size: 100 * block }], [unlink('f')]);
  t.deepEqual(brief(plan), ['create f', `content f ${3 * block}+4096`, 'truncate f']);
});

test.serial('hard links are linked again, not copied, and one more is only removed', async (t) => {
  const start = [create('a'), write('a', 'x'), link('a', 'b'), link('a', 'c')];
  t.deepEqual(brief(await back(t, start, [unlink('a'), unlink('b')])), ['link c -> a', 'link c -> b']);
  t.deepEqual(brief(await back(t, start, [unlink('a'), unlink('b'), unlink('c')])), ['create a', 'content a 0+1', 'link a -> b', 'link a -> c']);
  t.deepEqual(brief(await back(t, start, [link('a', 'd')])), ['unlink d']);
  t.deepEqual(brief(await back(t, start, [move('a', 'd')])), ['rename d -> a']);
});

test.serial('what is made comes before what is removed, and a file takes a name from another in one step', async (t) => {
  const plan = await back(t, [create('a'), write('a', 'old'), create('keep')], [unlink('a'), link('keep', 'a'), create('new'), mkdir('dir')]);
  const steps = brief(plan);
  t.true(steps.indexOf('create .rewind-4-1') >= 0 && steps.indexOf('rename .rewind-4-1 -> a') > steps.indexOf('content .rewind-4-1 0+3'), steps.join('; '));
  t.true(steps.indexOf('unlink new') > steps.indexOf('rename .rewind-4-1 -> a'));
});

test.serial('a type that changed is put back, also a directory that must be emptied first', async (t) => {
  await back(t, [create('a'), write('a', 'x')], [unlink('a'), mkdir('a'), mkdir('a/b'), create('a/b/c')]);
  await back(t, [mkdir('a'), mkdir('a/b'), create('a/b/c')], [unlink('a/b/c'), { op: 'rmdir', path: bytes('a/b') }, { op: 'rmdir', path: bytes('a') }, { op: 'symlink', path: bytes('a'), target: bytes('x') }]);
  await back(t, [{ op: 'mknod', path: bytes('p'), mode: 0o010600, rdev: 0n }], [unlink('p'), { op: 'mknod', path: bytes('p'), mode: 0o020600, rdev: (1n << 32n) | 3n }]);
});

test.serial('a symlink with another target is replaced', async (t) => {
  const symlink = (target: string): TreeOp => ({ op: 'symlink', path: bytes('l'), target: bytes(target) });
  const plan = await back(t, [symlink('one')], [unlink('l'), symlink('two')]);
  t.is(describePlan(plan).lines[0], 'update l (content)');
});

test.serial('a temporary name that is taken is not used', async (t) => {
  const plan = await back(t, [create('a'), create('b'), create('.rewind-4-1')], [move('a', 't'), move('b', 'a'), move('t', 'b'), create('.rewind-4-2')]);
  t.true(brief(plan).some((line) => line.includes('.rewind-4-3')));
});

test.serial('a name that was removed and made again with the same content is left alone but for its times', async (t) => {
  const plan = await back(t, [mkdir('d'), create('d/f'), write('d/f', 'same')], [
    unlink('d/f'), { op: 'rmdir', path: bytes('d') }, mkdir('d'), create('d/f'), write('d/f', 'same'),
  ]);
  t.true(plan.ops.every((op) => op.op === 'times'));
  t.is(plan.bytes, 0);
});

test.serial('a set-id bit outlives the writes and owners that would take it away', async (t) => {
  const start: TreeOp[] = [create('f'), write('f', 'a'), { op: 'chown', path: bytes('f'), uid: 7, gid: 7 }, { op: 'chmod', path: bytes('f'), mode: 0o4755 }];
  await back(t, start, [{ op: 'chown', path: bytes('f'), uid: 0, gid: 0 }, { op: 'chmod', path: bytes('f'), mode: 0o4755 }]);
  await back(t, start, [unlink('f')]);
});

test.serial('a directory that its owner may not change lends the permission and gets its bits back', async (t) => {
  const plan = await back(t, [mkdir('d'), create('d/f'), { op: 'chmod', path: bytes('d'), mode: 0o555 }], [unlink('d/f')]);
  const modes = plan.ops.filter((op) => op.op === 'chmod' && op.path === 'd').map((op) => (op.op === 'chmod' ? op.mode.toString(8) : ''));
  t.deepEqual(modes, ['755', '555']);
  t.true(plan.ops.findIndex((op) => op.op === 'create') > plan.ops.findIndex((op) => op.op === 'chmod'));
});

test.serial('a plan is told in words with its counts', async (t) => {
  const plan = await back(t, [mkdir('d'), create('d/a'), create('d/b'), create('m'), create('same')], [
    unlink('d/a'), create('new'), write('d/b', 'x'), move('m', 'n\x1b'), write('same', 'x'), { op: 'truncate', path: bytes('same'), size: 0 },
    { op: 'times', path: bytes('same'), atimeNs: 0n, mtimeNs: 0n },
  ]);
  const { lines, summary } = describePlan(plan);
  t.deepEqual(lines, ['restore d/a', 'update d/b (content, time)', 'rename n\\x1b -> m', 'delete new', 'update same (time)']);
  t.is(summary, '1 restored, 2 unchanged, 3 updated, 1 deleted, 0 skipped');
});

/** Counts what is asked of history; a change that is listed counts, too. */
function counting(history: HistoryReader): { history: HistoryReader; calls: () => number } {
  let calls = 0;
  const counted = new Proxy(history, {
    get(target, property) {
      const value = Reflect.get(target, property) as unknown;
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        calls++;
        const answer = (value as (...args: unknown[]) => unknown).apply(target, args);
        if (property !== 'changes') return answer;
        return (async function* () {
          for await (const change of answer as AsyncIterable<unknown>) {
            calls++;
            yield change;
          }
        })();
      };
    },
  });
  return { history: counted, calls: () => calls };
}

test.serial('a plan costs what changed, not the size of the tree', async (t) => {
  const cost = async (files: number): Promise<number> => {
    const tree = new ModelTree();
    const dirs = files / 100;
    for (let i = 0; i < dirs; i++) tree.do(mkdir(`d${i}`));
    for (let i = 0; i < files; i++) tree.do(create(`d${i % dirs}/f${i}`));
    const to = tree.seq;
    for (let i = 0; i < 50; i++) {
      const path = `d${i % 10}/f${(i % 10) + dirs * Math.floor(i / 10)}`;
      t.is(tree.do(i % 3 === 0 ? unlink(path) : i % 3 === 1 ? write(path, 'x') : move(path, `${path}.moved`)), 0, path);
    }
    const { history, calls } = counting(tree.history);
    const plan = await planRollback(history, { paths: [], to, now: tree.seq });
    t.is(plan.entries.length, 50);
    return calls();
  };
  const [small, large] = [await cost(1000), await cost(20_000)];
  t.log(`50 changes: ${small} calls with 1,000 files, ${large} with 20,000`);
  t.true(large <= small * 1.05, `${small} calls with 1,000 files, ${large} with 20,000`);
});
