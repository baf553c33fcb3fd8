import test from 'ava';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { registryEntry, storeLayout } from '../../../lib/store/layout.js';
import { checkBelongs, createStore, lockStore, lockToRead, openStore, registerStore, removeStore, setSnapshotsName, storePlaceOf } from '../../../lib/store/store.js';
import { scoped } from '../../helpers/scope.js';

test.serial('a new store is private, empty and says whose it is', (t) => scoped(async (scope) => {
  const root = join(scope.temporary(), 'a', 'store');
  const made = await createStore(root, '/some/tree', '.past');
  const opened = await openStore(root);
  t.deepEqual(opened.description, made.description);
  t.is(opened.description.tree, '/some/tree');
  t.is(opened.description.snapshots, '.past');
  t.is((await stat(root)).mode & 0o777, 0o700);
  t.deepEqual((await readdir(root)).sort(), ['history', 'journal', 'store.json']);
  t.notThrows(() => checkBelongs(opened, '/some/tree'));
  t.is(t.throws(() => checkBelongs(opened, '/other'))?.message.includes('/some/tree'), true);
}));

test.serial('a directory that holds something else never becomes a store', (t) => scoped(async (scope) => {
  const root = scope.temporary();
  await writeFile(join(root, 'thesis.tex'), 'x');
  await t.throwsAsync(createStore(root, '/t', '.snapshots'), { message: /not empty/ });
  t.deepEqual(await readdir(root), ['thesis.tex']);
}));

test.serial('a store that was begun and not finished is gone on with, by whoever begins one there next', (t) => scoped(async (scope) => {
  const root = join(scope.temporary(), 'store');
  const layout = storeLayout(root);
  for (const directory of [root, layout.journal, layout.history]) await mkdir(directory);
  await writeFile(`${layout.description}.new`, '{"form');
  const made = await createStore(root, '/some/tree', '.snapshots');
  t.deepEqual((await openStore(root)).description, made.description);
  const other = join(scope.temporary(), 'store');
  await mkdir(join(other, 'history', 'of-something-else'), { recursive: true });
  await t.throwsAsync(createStore(other, '/t', '.snapshots'), { message: /not empty/ });
}));

test.serial('what is no store, of a newer format or garbled is refused by its own name', (t) => scoped(async (scope) => {
  const root = scope.temporary();
  await t.throwsAsync(openStore(root), { code: 'ERR_NO_STORE' });
  await t.throwsAsync(openStore(join(root, 'missing')), { code: 'ERR_NO_STORE' });
  const { description } = storeLayout(root);
  for (const [text, code] of [
    ['{"format": 2}', 'ERR_STORE_FORMAT'], ['{', 'ERR_STORE_CORRUPT'], ['[]', 'ERR_STORE_CORRUPT'], ['null', 'ERR_STORE_CORRUPT'],
    ['{"format":1,"id":"zz","tree":"/t"}', 'ERR_STORE_CORRUPT'], [`{"format":1,"id":"${'0'.repeat(32)}","tree":"t"}`, 'ERR_STORE_CORRUPT'],
  ] as const) {
    await writeFile(description, text);
    await t.throwsAsync(openStore(root), { code }, text);
    t.is(await readFile(description, 'utf8'), text);
  }
}));

test.serial('a store is locked once, and again after its release', (t) => scoped(async (scope) => {
  const store = await createStore(join(scope.temporary(), 's'), '/t', '.snapshots');
  const lock = await lockStore(store);
  await t.throwsAsync(lockStore(store), { code: 'ERR_STORE_LOCKED' });
  lock.release();
  (await lockStore(store)).release();
}));

test.serial('the name of the views is remembered', (t) => scoped(async (scope) => {
  const store = await createStore(join(scope.temporary(), 's'), '/t', '.snapshots');
  await setSnapshotsName(store, '.past');
  t.is((await openStore(store.layout.root)).description.snapshots, '.past');
}));

test.serial('a store that is taken away takes what was made for it, and leaves what was there', (t) => scoped(async (scope) => {
  const place = scope.temporary();
  const nested = await createStore(join(place, 'a', 'b', 'store'), '/t', '.snapshots');
  await removeStore(nested);
  t.deepEqual(await readdir(place), []);
  const beside = await createStore(join(place, 'a', 'store'), '/t', '.snapshots');
  await writeFile(join(place, 'a', 'thesis.tex'), 'x');
  await removeStore(beside);
  t.deepEqual(await readdir(join(place, 'a')), ['thesis.tex']);
  await mkdir(join(place, 'empty'));
  await removeStore(await createStore(join(place, 'empty'), '/t', '.snapshots'));
  t.deepEqual(await readdir(join(place, 'empty')), []);
}));

test.serial('those who only read a store share it, and keep writers away', (t) => scoped(async (scope) => {
  const store = await createStore(join(scope.temporary(), 's'), '/t', '.snapshots');
  (await lockStore(store)).release();
  const locks = [await lockToRead(store), await lockToRead(store)];
  await t.throwsAsync(lockStore(store), { code: 'ERR_STORE_LOCKED' });
  for (const lock of locks) lock.release();
  const lock = await lockStore(store);
  await t.throwsAsync(lockToRead(store), { code: 'ERR_STORE_LOCKED' });
  lock.release();
}));

test.serial('a store that lies elsewhere is found for its tree, and forgotten with it', (t) => scoped(async (scope) => {
  const before = process.env['XDG_STATE_HOME'];
  process.env['XDG_STATE_HOME'] = scope.temporary();
  scope.defer(() => { if (before === undefined) delete process.env['XDG_STATE_HOME']; else process.env['XDG_STATE_HOME'] = before; });
  t.is(await storePlaceOf('/t/project'), registryEntry('/t/project'));
  t.regex(registryEntry('/t/project'), /\/rewindfs\/project-[0-9a-f]{12}$/);
  const store = await createStore(join(scope.temporary(), 's'), '/t/project', '.snapshots');
  await registerStore(store);
  await registerStore(store);
  t.is(await storePlaceOf('/t/project'), store.layout.root);
  const other = await createStore(join(scope.temporary(), 's'), '/t/project', '.snapshots');
  await registerStore(other);
  t.is(await storePlaceOf('/t/project'), other.layout.root);
  await removeStore(other);
  t.is(await storePlaceOf('/t/project'), registryEntry('/t/project'));
}));

test.serial('a default store keeps its place when a mount names another', (t) => scoped(async (scope) => {
  const before = process.env['XDG_STATE_HOME'];
  process.env['XDG_STATE_HOME'] = scope.temporary();
  scope.defer(() => { if (before === undefined) delete process.env['XDG_STATE_HOME']; else process.env['XDG_STATE_HOME'] = before; });
  const kept = await createStore(registryEntry('/t'), '/t', '.snapshots');
  const other = await createStore(join(scope.temporary(), 's'), '/t', '.snapshots');
  await registerStore(other);
  t.is(await storePlaceOf('/t'), registryEntry('/t'));
  t.deepEqual((await openStore(registryEntry('/t'))).description, kept.description);
}));
