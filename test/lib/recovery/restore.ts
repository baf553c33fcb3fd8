import test, { type ExecutionContext } from 'ava';
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { RewindError } from '../../../lib/errors.js';
import { native } from '../../../lib/native.js';
import { restoreInto, type RestoreOptions } from '../../../lib/recovery/restore.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { scoped } from '../../helpers/scope.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

function project(): { tree: ModelTree; at: number } {
  const tree = new ModelTree();
  tree.do({ op: 'mkdir', path: bytes('src'), mode: 0o750 });
  tree.do({ op: 'create', path: bytes('src/a'), mode: 0o640 });
  tree.do({ op: 'write', path: bytes('src/a'), offset: 0, data: bytes('then') });
  tree.do({ op: 'link', from: bytes('src/a'), path: bytes('src/b\xff') });
  tree.do({ op: 'symlink', path: bytes('src/l'), target: bytes('a') });
  const at = tree.seq;
  tree.do({ op: 'unlink', path: bytes('src/a') });
  return { tree, at };
}

async function restore(tree: ModelTree, options: Omit<RestoreOptions, 'openTree'>): Promise<void> {
  await restoreInto(tree.history, { ...options, openTree: native.openTree });
}

const code = async (t: ExecutionContext, work: Promise<unknown>): Promise<string | undefined> => (await t.throwsAsync<RewindError>(work))?.code;

test.serial('a file is copied under its name, a directory with all that it held, the whole tree as the content of the destination', async (t) => {
  const { tree, at } = project();
  await scoped(async (scope) => {
    const dest = path.join(scope.temporary(), 'new/dest');
    await restore(tree, { path: ['src', 'a'], at, dest });
    t.is(readFileSync(path.join(dest, 'a'), 'utf8'), 'then');
    await restore(tree, { path: ['src'], at, dest });
    t.deepEqual(readdirSync(path.join(dest, 'src'), 'latin1').sort(), ['a', 'b\xff', 'l']);
    t.is(statSync(path.join(dest, 'src')).mode & 0o7777, 0o750);
    t.is(statSync(path.join(dest, 'src/a')).nlink, 2, 'hard links inside the copy are one file');
    const whole = path.join(scope.temporary(), 'whole');
    await restore(tree, { path: [], at, dest: whole });
    t.deepEqual(readdirSync(whole), ['src']);
  });
});

test.serial('an existing name is refused before anything is written, and replaced only when forced', async (t) => {
  const { tree, at } = project();
  await scoped(async (scope) => {
    const dest = scope.temporary();
    mkdirSync(path.join(dest, 'src'));
    writeFileSync(path.join(dest, 'src/l'), 'mine');
    writeFileSync(path.join(dest, 'src/other'), 'mine');
    t.is(await code(t, restore(tree, { path: ['src'], at, dest })), 'ERR_EXISTS');
    t.is(await code(t, restore(tree, { path: [], at, dest })), 'ERR_EXISTS');
    t.deepEqual(readdirSync(path.join(dest, 'src')).sort(), ['l', 'other']);
    await restore(tree, { path: ['src'], at, dest, force: true });
    t.is(readFileSync(path.join(dest, 'src/other'), 'utf8'), 'mine', 'what is not in the way stays');
    t.true(lstatSync(path.join(dest, 'src/l')).isSymbolicLink());
  });
});

test.serial('a directory in the way of a file is never removed', async (t) => {
  const { tree, at } = project();
  await scoped(async (scope) => {
    const dest = scope.temporary();
    mkdirSync(path.join(dest, 'a'));
    t.is(await code(t, restore(tree, { path: ['src', 'a'], at, dest, force: true })), 'ERR_EXISTS');
  });
});

test.serial('a symlink in the way is replaced, never followed', async (t) => {
  const { tree, at } = project();
  await scoped(async (scope) => {
    const dest = scope.temporary();
    writeFileSync(path.join(dest, 'victim'), 'safe');
    symlinkSync('victim', path.join(dest, 'a'));
    await restore(tree, { path: ['src', 'a'], at, dest, force: true });
    t.is(readFileSync(path.join(dest, 'victim'), 'utf8'), 'safe');
    t.is(readFileSync(path.join(dest, 'a'), 'utf8'), 'then');
  });
});

test.serial('a path that did not exist then, or never, is told apart and nothing is made', async (t) => {
  const { tree, at } = project();
  await scoped(async (scope) => {
    const dest = path.join(scope.temporary(), 'dest');
    t.is(await code(t, restore(tree, { path: ['src', 'a'], at: tree.seq, dest })), 'ERR_NOT_THEN');
    t.is(await code(t, restore(tree, { path: ['src', 'nothing'], at, dest })), 'ERR_NEVER_EXISTED');
    t.false(existsSync(dest));
  });
});
