import test from 'ava';
import { MemoryHistory } from '../../helpers/memory-history.js';
import { ViewKernel } from '../../helpers/view-kernel.js';

/** Names under `~/path`, versions by their seq alone. */
async function listed(kernel: ViewKernel, path: string): Promise<string[]> {
  const { nodeid } = await kernel.must(path);
  return (await kernel.list(nodeid)).slice(2).map(({ name }) => name.replace(/^.*Z#/, '#'));
}

test.serial('a path lists its versions, one a save, over all its lives', async (t) => {
  const history = new MemoryHistory();
  history.file('foo', 'one'); // 2, its own save
  history.write('foo', 'one more', 2); // 3, the same save
  history.write('foo', 'two', 90); // 4
  history.write('foo', 'two, longer', 90); // 5, the same save
  history.setattr('foo', { mode: 0o100600 }); // 6, no content
  history.remove('foo'); // 7
  history.file('foo', 'new'); // 8
  const kernel = new ViewKernel(history);
  t.deepEqual(await listed(kernel, '~/foo'), ['#3', '#5', '#8']);
  const { nodeid } = await kernel.must('~/foo');
  const names = (await kernel.list(nodeid)).slice(2).map(({ name }) => name);
  const contents = await Promise.all(names.map((name) => kernel.content(`~/foo/${name}`)));
  t.deepEqual(contents, ['one more', 'two, longer', 'new']);
  t.is(await kernel.walk(`~/foo/${(names[0] as string).replace('#3', '#4')}`), null);
});

test.serial('a directory lists every name that it ever held, and only those of its own time at that place', async (t) => {
  const history = new MemoryHistory();
  history.mkdir('d');
  history.file('d/kept', '');
  history.file('d/gone', '');
  history.remove('d/gone');
  history.rename('d', 'e');
  history.file('e/later', '');
  history.mkdir('d');
  history.file('d/second', '');
  const kernel = new ViewKernel(history);
  t.deepEqual(await listed(kernel, '~'), ['d', 'e']);
  t.deepEqual(await listed(kernel, '~/d'), ['gone', 'kept', 'second']);
  t.deepEqual(await listed(kernel, '~/e'), ['kept', 'later']);
  t.is(await kernel.walk('~/e/gone'), null);
  t.is(await kernel.walk('~/d/later'), null);
});

test.serial('a save by rename is a version of the path that it replaced', async (t) => {
  const history = new MemoryHistory();
  history.file('doc', 'old');
  history.file('doc.tmp', 'new');
  history.rename('doc.tmp', 'doc'); // 4
  const kernel = new ViewKernel(history);
  t.deepEqual(await listed(kernel, '~/doc'), ['#2', '#4']);
  t.deepEqual(await listed(kernel, '~/doc.tmp'), ['#3']);
});

test.serial('only the owner of the view may enter what paths ever were', async (t) => {
  const kernel = new ViewKernel(new MemoryHistory());
  t.is((await kernel.must('~')).mode, 0o040500);
});
