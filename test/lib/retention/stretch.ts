/** What merging leaves: nothing of what came and went, the markers of what stays, and errors that name the neighbours. */
import test from 'ava';
import { History } from '../../../lib/history/history.js';
import type { Family } from '../../../lib/history/families.js';
import { under } from '../../../lib/history/keys.js';
import { showPath } from '../../../lib/paths.js';
import { grep } from '../../../lib/recovery/grep/grep.js';
import { listSaves } from '../../../lib/recovery/versions.js';
import { UNTHROTTLED } from '../../../lib/retention/editor.js';
import { mergeDue } from '../../../lib/retention/stretch.js';
import type { TreeOp } from '../../../lib/native.js';
import type { NodeId } from '../../../lib/history/types.js';
import { FoldedHistory } from '../../helpers/folded-history.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { scoped, type Scope } from '../../helpers/scope.js';

const bytes = (text: string): Buffer => Buffer.from(text);
const create = (path: string): TreeOp => ({ op: 'create', path: bytes(path), mode: 0o644 });
const write = (path: string, data: Buffer, offset = 0): TreeOp => ({ op: 'write', path: bytes(path), offset, data });
const unlink = (path: string): TreeOp => ({ op: 'unlink', path: bytes(path) });
const mkdir = (path: string): TreeOp => ({ op: 'mkdir', path: bytes(path), mode: 0o755 });
const rmdir = (path: string): TreeOp => ({ op: 'rmdir', path: bytes(path) });
const rename = (from: string, path: string): TreeOp => ({ op: 'rename', from: bytes(from), path: bytes(path) });

async function folded(scope: Scope, ...ops: TreeOp[]): Promise<{ tree: ModelTree; history: History }> {
  const tree = new ModelTree();
  for (const op of ops) if (tree.do(op) !== 0) throw new Error(`refused: ${op.op}`);
  const { history } = await FoldedHistory.open(scope.temporary('memory'), tree);
  scope.defer(() => history.close());
  return { tree, history };
}

async function merge(history: History, from: number, to: number, signal = new AbortController().signal): Promise<void> {
  await history.forget(history.rocks.batch(), { ...history.retention(), due: [{ from, to }] });
  await mergeDue(history, Infinity, UNTHROTTLED, signal);
}

async function entriesOf(history: History, node: NodeId): Promise<number> {
  let count = 0;
  for (const family of ['nodes', 'links', 'blocks', 'cuts', 'xattrs'] satisfies Family[]) for await (const _ of history.rocks.scan(family, under(node))) count++;
  return count;
}

test.serial('what came and went between two kept instants leaves no entry, its name neither', async (t) => {
  await scoped(async (scope) => {
    const { tree, history } = await folded(scope, create('stays'), create('temporary'), write('temporary', Buffer.alloc(70_000, 1)), unlink('temporary'));
    const node = (await history.nameHistory(1, 'temporary'))[0]!.node!;
    t.true(await entriesOf(history, node) > 0);
    await merge(history, 2, tree.seq);
    t.is(await entriesOf(history, node), 0);
    t.deepEqual(await history.namesEver(1), ['stays']);
  });
});

async function logOf(history: History, path: string, options = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const { marker, path: at, from } of listSaves(history, path === '' ? [] : path.split('/'), options)) lines.push(`${marker} ${from ? `${showPath(from)} -> ` : ''}${at && showPath(at)}`);
  return lines;
}

test.serial('the timeline tells of what came and went by its path, in a listing of its directory and when it is asked for itself', async (t) => {
  await scoped(async (scope) => {
    const { tree, history } = await folded(
      scope, mkdir('d'), create('d/stays'), write('d/stays', bytes('1')), create('d/a'), write('d/a', bytes('1')), rename('d/a', 'd/b'), write('d/b', bytes('22')), unlink('d/b'),
      mkdir('d/gone'), create('d/gone/in'), write('d/gone/in', bytes('3')), unlink('d/gone/in'), rmdir('d/gone'),
    );
    const paths = ['', 'd', 'd/a', 'd/b', 'd/gone', 'd/gone/in'];
    const before = await Promise.all(paths.map((path) => logOf(history, path, { raw: true })));
    t.true(before[1]!.includes('modify d/b') && before[1]!.includes('modify d/gone/in'));
    await merge(history, 2, tree.seq);
    t.is(await history.resolve(['d', 'a'], 6), null);
    for (const [i, path] of paths.entries()) t.deepEqual(await logOf(history, path, { raw: true }), before[i], path);
    await t.throwsAsync(logOf(history, 'd/never'), { code: 'ERR_NEVER_EXISTED' });
  });
});

test.serial('a life that a kept instant falls into keeps that state and its end', async (t) => {
  await scoped(async (scope) => {
    const { tree, history } = await folded(scope, create('file'), write('file', bytes('one')), write('file', bytes('two')), unlink('file'));
    await merge(history, 0, 4);
    await merge(history, 4, tree.seq);
    const node = (await history.resolve(['file'], 4))!;
    t.is((await history.read(node, 0, 10, 4)).toString(), 'two');
    t.is(await history.resolve(['file'], tree.seq), null);
  });
});

test.serial('content between kept instants is told from its neighbours, unless it is certain', async (t) => {
  await scoped(async (scope) => {
    const { tree, history } = await folded(scope, create('file'), write('file', bytes('one')), write('file', bytes('two')), create('other'), create('another'));
    const node = (await history.resolve(['file'], tree.seq))!;
    await merge(history, 1, tree.seq);
    const error = await t.throwsAsync(history.read(node, 0, 10, 3), { code: 'ERR_TIME_THINNED' });
    t.regex(String((error as { hint?: string }).hint), /#1 and #6/);
    t.is((await history.read(node, 0, 10, 5)).toString(), 'two', 'it was not changed again before the next that is kept');
    t.deepEqual(history.hidden(3), { from: 1, to: 6, untilNs: null });
    t.is(history.hidden(6), null);
  });
});

test.serial('a search goes on over content that was merged, and counts it', async (t) => {
  await scoped(async (scope) => {
    const { tree, history } = await folded(scope, create('file'), write('file', bytes('zero')), write('file', bytes('one')), write('file', bytes('two')), create('other'));
    await merge(history, 3, tree.seq);
    const rows = [];
    for await (const row of grep(history, { pattern: 'o', allVersions: true })) rows.push('searched' in row ? row.searched.uncaptured : row.text.toString());
    t.deepEqual(rows, ['twoo', 'zero', 1]);
  });
});

test.serial('a search tells once what a file held at its end that came, and was merged, between two kept instants', async (t) => {
  await scoped(async (scope) => {
    const { tree, history } = await folded(scope, create('file'), write('file', bytes('one')), write('file', bytes('two')), create('other'));
    await merge(history, 1, tree.seq);
    const rows = [];
    for await (const row of grep(history, { pattern: 'o', allVersions: true })) rows.push('searched' in row ? row.searched.uncaptured : row.text.toString());
    t.deepEqual(rows, ['two', 0]);
  });
});

test.serial('many small writes become one entry, and a read is as before', async (t) => {
  await scoped(async (scope) => {
    const writes = Array.from({ length: 40 }, (_, i) => write('file', Buffer.alloc(1000, i + 1), i * 1500));
    const { tree, history } = await folded(scope, create('file'), write('file', Buffer.alloc(60_000, 255)), ...writes);
    const node = (await history.resolve(['file'], tree.seq))!;
    const before = await history.read(node, 0, 70_000, tree.seq);
    await merge(history, 0, tree.seq);
    let blocks = 0;
    for await (const _ of history.rocks.scan('blocks', under(node))) blocks++;
    t.is(blocks, 1);
    t.deepEqual(await history.read(node, 0, 70_000, tree.seq), before);
  });
});

test.serial('a merge that is stopped goes on where it stood, also by another process', async (t) => {
  await scoped(async (scope) => {
    const { tree, history } = await folded(scope, create('a'), write('a', bytes('1')), write('a', bytes('2')), create('b'), write('b', bytes('3')), write('b', bytes('4')));
    const stop = new AbortController();
    await history.forget(history.rocks.batch(), { ...history.retention(), due: [{ from: 1, to: tree.seq }], work: { stretch: { from: 1, to: tree.seq }, node: 2 } });
    stop.abort(new Error('stopped'));
    await t.throwsAsync(mergeDue(history, Infinity, UNTHROTTLED, stop.signal), { message: 'stopped' });
    await history.close();
    const again = await History.open(history.directory);
    scope.defer(() => again.close());
    await mergeDue(again, Infinity, UNTHROTTLED, new AbortController().signal);
    const [merged, ...others] = again.retention().merged;
    t.like(merged, { from: 1, to: tree.seq });
    t.regex(merged!.at!, /^20\d\d-.*Z$/, 'when is told');
    t.deepEqual(others, []);
    t.is((await again.read((await again.resolve(['b'], tree.seq))!, 0, 10, tree.seq)).toString(), '4');
  });
});

test.serial('a damaged block stays as it is, whatever lies beside it is merged', async (t) => {
  await scoped(async (scope) => {
    const saved = (path: string): TreeOp[] => [
      create(path), write(path, Buffer.alloc(9000, `${path} `)), { op: 'truncate', path: bytes(path), size: 8000 }, write(path, bytes('one'), 100), write(path, bytes('two'), 8500),
    ];
    const { tree, history } = await folded(scope, ...saved('good'), ...saved('bad'));
    const [good, bad] = await Promise.all(['good', 'bad'].map(async (name) => (await history.resolve([name], tree.seq))!));
    const expected = await history.read(good!, 0, 10_000, tree.seq);
    const batch = history.rocks.batch();
    for await (const { key, value } of history.rocks.scan('content', {})) if (value.includes('bad bad')) batch.put('content', key, Buffer.from(value.map((byte, i) => (i === 60 ? byte ^ 1 : byte))));
    await history.rocks.commit(batch);
    const [goodBefore, badBefore] = await Promise.all([entriesOf(history, good!), entriesOf(history, bad!)]);
    await merge(history, 1, tree.seq);
    t.true(await entriesOf(history, good!) < goodBefore);
    t.deepEqual(await history.read(good!, 0, 10_000, tree.seq), expected);
    const left = async (family: Family): Promise<number> => { let count = 0; for await (const _ of history.rocks.scan(family, under(bad!))) count++; return count; };
    t.deepEqual([await left('cuts'), await left('blocks')], [1, 2], `of ${badBefore} entries: what it rests on`);
    await t.throwsAsync(history.read(bad!, 0, 10_000, tree.seq), { code: 'ERR_HISTORY_CORRUPT' });
  });
});
