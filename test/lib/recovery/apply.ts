import test from 'ava';
import type { RewindError } from '../../../lib/errors.js';
import type { TreeOp, TreeWriter } from '../../../lib/native.js';
import { applyPlan } from '../../../lib/recovery/apply.js';
import { planRollback } from '../../../lib/recovery/plan.js';
import type { ApplyFailure, ApplyProgress } from '../../../lib/recovery/types.js';
import { dump } from '../../helpers/dump.js';
import { ModelTree } from '../../helpers/model-tree.js';

const [EACCES, EIO, ENOSPC] = [13, 5, 28];
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** A writer in which some operations fail, and that tells what it was asked to do. */
function failing(tree: ModelTree, fails: (op: TreeOp) => number): { writer: TreeWriter; batches: TreeOp[][] } {
  const batches: TreeOp[][] = [];
  const writer: TreeWriter = {
    async apply(ops) {
      batches.push(ops);
      return ops.map((op) => fails(op) || tree.do(op));
    },
    close() {},
  };
  return { writer, batches };
}

function manyFiles(count: number): { tree: ModelTree; to: number } {
  const tree = new ModelTree();
  for (let i = 0; i < count; i++) {
    tree.do({ op: 'create', path: bytes(`f${i}`), mode: 0o644 });
    tree.do({ op: 'write', path: bytes(`f${i}`), offset: 0, data: bytes(`content ${i}`) });
  }
  const to = tree.seq;
  for (let i = 0; i < count; i++) tree.do({ op: 'unlink', path: bytes(`f${i}`) });
  return { tree, to };
}

test.serial('steps that fail are all named in the end, the others are done', async (t) => {
  const { tree, to } = manyFiles(20);
  const expected = await dump(tree.history, to, { atime: false });
  const plan = await planRollback(tree.history, { paths: [], to, now: tree.seq });
  const { writer } = failing(tree, (op) => (op.op === 'chown' && op.path.toString() === 'f7' ? EACCES : op.op === 'create' && op.path.toString() === 'f9' ? EACCES : 0));
  const error = await t.throwsAsync<RewindError>(applyPlan(plan, tree.history, writer));
  t.is(error?.code, 'ERR_PARTLY_DONE');
  t.regex(error?.message ?? '', /f7 \(chown: EACCES\)/);
  t.regex(error?.message ?? '', /f9 \(create: EACCES\)/);
  t.deepEqual((error?.cause as ApplyFailure[]).filter((failure) => failure.errno === EACCES).map((failure) => failure.path), ['f7', 'f9']);
  const after = (await dump(tree.history, tree.seq, { atime: false })).map((line) => line.split(' | ')[0]);
  t.deepEqual(after, expected.map((line) => line.split(' | ')[0]).filter((path) => path !== 'f9'));
});

test.serial('when the disk is full nothing more is tried, and running it again completes it', async (t) => {
  const { tree, to } = manyFiles(2000);
  const expected = await dump(tree.history, to);
  let written = 0;
  const { writer } = failing(tree, (op) => (op.op === 'write' && ++written > 500 ? ENOSPC : 0));
  const plan = await planRollback(tree.history, { paths: [], to, now: tree.seq });
  const error = await t.throwsAsync<RewindError>(applyPlan(plan, tree.history, writer));
  t.is(error?.code, 'ERR_PARTLY_DONE');
  t.regex(error?.message ?? '', /^stopped after \d+ of \d+ steps: .*ENOSPC/);
  t.regex(error?.hint ?? '', /make room/);
  await applyPlan(await planRollback(tree.history, { paths: [], to, now: tree.seq }), tree.history, tree);
  t.deepEqual(await dump(tree.history, tree.seq), expected);
});

test.serial('a file whose replacement could not be written completely stays', async (t) => {
  const tree = new ModelTree();
  tree.do({ op: 'create', path: bytes('f'), mode: 0o644 });
  tree.do({ op: 'write', path: bytes('f'), offset: 0, data: bytes('then') });
  const to = tree.seq;
  tree.do({ op: 'unlink', path: bytes('f') });
  tree.do({ op: 'symlink', path: bytes('f'), target: bytes('now') });
  const plan = await planRollback(tree.history, { paths: [], to, now: tree.seq });
  for (const errno of [EIO, EACCES]) {
    const { writer } = failing(tree, (op) => (op.op === 'write' ? errno : 0));
    await t.throwsAsync(applyPlan(plan, tree.history, writer));
    const node = await tree.history.resolve(['f'], tree.seq);
    t.is((await tree.history.readlink(node ?? 0, tree.seq)).toString(), 'now');
    tree.do({ op: 'unlink', path: bytes(`.rewind-${to}-1`) });
  }
});

test.serial('memory is bounded: content goes out in pieces, and progress reaches the whole', async (t) => {
  const tree = new ModelTree();
  const megabytes = 24;
  tree.do({ op: 'create', path: bytes('big'), mode: 0o644 });
  for (let i = 0; i < megabytes; i += 8) tree.do({ op: 'write', path: bytes('big'), offset: i << 20, data: Buffer.alloc(8 << 20, i + 1) });
  const to = tree.seq;
  tree.do({ op: 'unlink', path: bytes('big') });
  const plan = await planRollback(tree.history, { paths: [], to, now: tree.seq });
  const { writer, batches } = failing(new ModelTree(), () => 0);
  const seen: ApplyProgress[] = [];
  const done = await applyPlan(plan, tree.history, writer, { onProgress: (progress) => seen.push(progress) });
  const largest = Math.max(...batches.map((ops) => ops.reduce((sum, op) => sum + (op.op === 'write' ? op.data.length : 0), 0)));
  t.true(largest <= 5 << 20, `${largest} bytes in one batch`);
  t.deepEqual(done, { doneOps: plan.ops.length, totalOps: plan.ops.length, doneBytes: megabytes << 20, totalBytes: megabytes << 20 });
  t.true(seen.length > 3 && seen.every((progress, i) => i === 0 || progress.doneBytes >= (seen[i - 1] as ApplyProgress).doneBytes));
});

test.serial('zeroes of a new file become a hole, those of an old one are written', async (t) => {
  const tree = new ModelTree();
  tree.do({ op: 'create', path: bytes('f'), mode: 0o644 });
  tree.do({ op: 'write', path: bytes('f'), offset: 0, data: Buffer.alloc(300_000) });
  const to = tree.seq;
  tree.do({ op: 'write', path: bytes('f'), offset: 100_000, data: bytes('x') });
  const kept = await planRollback(tree.history, { paths: [], to, now: tree.seq });
  const first = failing(tree, () => 0);
  await applyPlan(kept, tree.history, first.writer);
  t.true(first.batches.flat().some((op) => op.op === 'write' && op.offset <= 100_000));
  tree.do({ op: 'unlink', path: bytes('f') });
  const fresh = await planRollback(tree.history, { paths: [], to, now: tree.seq });
  const second = failing(tree, () => 0);
  await applyPlan(fresh, tree.history, second.writer);
  t.deepEqual(second.batches.flat().map((op) => op.op).filter((op) => op === 'write' || op === 'truncate'), ['truncate']);
});
