/** A store that cannot be written, like a backup on a read-only file system, can still be looked at. */
import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { unmount } from '../helpers/disk.js';
import { mountTree, rewind, rewindMust } from '../helpers/mount.js';
import { must } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { native } from '../../lib/native.js';

/** The same directory once more, where nothing can be written. */
async function readOnly(scope: Scope, directory: string): Promise<string> {
  const place = path.join(scope.temporary(), 'read-only');
  fs.mkdirSync(place);
  await must('mount', ['--bind', directory, place]);
  scope.defer(() => unmount(place));
  await must('mount', ['-o', 'remount,bind,ro', place]);
  return place;
}

test.serial('commands and views show what history has, say what only the journal has, and change nothing', (t) => scoped(async (scope) => {
  const tree = await mountTree(scope);
  const file = path.join(tree.tree, 'file');
  fs.writeFileSync(file, 'one\n');
  await tree.rewind('mark', 'first');
  fs.writeFileSync(file, 'two\n');
  await tree.unmount();
  const names = () => fs.readdirSync(tree.store, { recursive: true }).map(String).sort();
  const before = names();
  const store = await readOnly(scope, tree.store);

  t.is(await rewindMust(['cat', 'file', '--at', 'first', '--store', store]), 'one\n');
  t.is(await rewindMust(['cat', 'file', '--store', store]), 'two\n');
  t.regex(await rewindMust(['log', 'file', '--store', store]), /file/);
  t.regex(await rewindMust(['ls', '--store', store]), /file/);
  t.regex(await rewindMust(['diff', '--from', 'first', '--store', store]), /file/);
  const into = path.join(scope.temporary(), 'copy');
  await rewindMust(['restore', 'file', '--at', 'first', '--into', into, '--store', store]);
  t.is(fs.readFileSync(path.join(into, 'file'), 'utf8'), 'one\n');

  const past = scope.temporary();
  const view = JSON.parse(await rewindMust(['view', store, past, '--json'])) as { store: string; unread: unknown };
  scope.defer(async () => void (await rewind(['unmount', past])));
  t.like(view, { store, unread: null });
  t.is(fs.readFileSync(path.join(past, '@first', 'file'), 'utf8'), 'one\n');
  t.is(await rewindMust(['cat', 'file', '--at', 'first', '--store', store]), 'one\n', 'others read beside it');
  await rewindMust(['unmount', past]);
  t.deepEqual(names(), before);

  // A change that a killed daemon left in the journal.
  const { id } = JSON.parse(fs.readFileSync(path.join(tree.store, 'store.json'), 'utf8')) as { id: string };
  const journal = new native.Journal({ directory: path.join(tree.store, 'journal'), storeId: Buffer.from(id, 'hex'), nextSeq: 1 });
  const { lastSeq: shown } = await journal.open();
  await journal.append(5, Buffer.from('{"kind":"mark","name":"late"}'));
  await journal.close();
  const told = await rewind(['cat', 'file', '--store', store]);
  t.is(told.stdout, 'two\n');
  t.true(told.stderr.includes(`up to #${shown}, later changes (to #${shown + 1})`), told.stderr);
  t.like(JSON.parse(await rewindMust(['status', '--store', store, '--json'])), { seq: shown + 1, extracted_seq: shown });
  t.deepEqual((JSON.parse(await rewindMust(['view', store, past, '--json'])) as { unread: unknown }).unread, { shown, last: shown + 1 });
}));
