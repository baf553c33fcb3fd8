import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { openTree, parsePath, RewindError, type LogRow, type WorkRow } from '../../lib/index.js';
import { mountSettled } from '../helpers/mount.js';
import { scoped } from '../helpers/scope.js';

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

test.serial('a program opens a tree, looks at its past, plans and rolls back, and watches, mounted or not', (t) => scoped(async (scope) => {
  const mounted = await mountSettled(scope, { where: 'memory' });
  const file = path.join(mounted.tree, 'dir', 'f');
  fs.mkdirSync(path.dirname(file));
  const tree = await openTree({ path: file });
  t.is(await tree.place(file), 'dir/f');
  const stop = new AbortController();
  const watched: LogRow[] = [];
  const watching = (async () => { for await (const row of tree.watch(stop.signal)) if ('path' in row) watched.push(row); })();
  fs.writeFileSync(file, 'one');
  const point = await tree.mark('first', 'for the test');
  fs.writeFileSync(file, 'two');
  t.is((await tree.resolve('first')).seq, point.seq);
  t.is((await tree.readFile('dir/f', 'first')).toString(), 'one');
  t.is((await tree.readFile('dir/f')).toString(), 'two');
  t.deepEqual((await collect(tree.list('dir', 'first'))).map((row) => [row.path, row.size]), [['dir/f', 3]]);
  t.deepEqual((await collect(tree.log('dir/f'))).map(({ marker, ver }) => [marker, ver]), [['modify', 2], ['create', 1]]);
  t.like((await collect(tree.diff('', 'first')))[0], { status: 'modified', path: 'dir/f', what: { content: true } });
  const plan = await collect<WorkRow>(tree.planRollback('first'));
  t.true(plan.some((row) => row.type === 'entry' && row.action === 'update' && row.path === 'dir/f'));
  t.is(fs.readFileSync(file, 'utf8'), 'two');
  t.is((await collect<WorkRow>(tree.rollback('first', ['dir']))).at(-1)?.type, 'done');
  t.is(fs.readFileSync(file, 'utf8'), 'one');
  t.deepEqual((await collect(tree.points())).map(({ kind }) => kind), ['mount', 'mark', 'rollback', 'rollback']);
  t.true((await tree.status()).mounted);
  await t.throwsAsync(tree.resolve('no such thing'), { instanceOf: RewindError });
  stop.abort();
  await watching;
  t.true(watched.some(({ path: name, kind }) => name === 'dir/f' && kind === 'write'));
  await tree.close();
  await mounted.unmount();
  const stored = await openTree({ store: mounted.store });
  t.is((await stored.readFile('dir/f', 'first')).toString(), 'one');
  await t.throwsAsync(stored.mark('later'), { code: 'ERR_NOT_MOUNTED' });
  await stored.close();
  t.deepEqual(parsePath('a/\\xff'), ['a', '\xff']);
}));
