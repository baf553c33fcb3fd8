/** What is exported is read back exactly, whatever the tree; what is cut short or damaged is refused, or reads the same. */
import { truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { Archive } from '../../../lib/archive/archive.js';
import { Chain } from '../../../lib/archive/chain.js';
import { BLOCK_BYTES } from '../../../lib/archive/format.js';
import { ArchiveReader } from '../../../lib/archive/reader.js';
import { RewindError } from '../../../lib/errors.js';
import type { Seq } from '../../../lib/history/types.js';
import { memberTree } from '../../../lib/recovery/members.js';
import { archiveOf, changed, fileOf, headAt, stateOf } from '../../helpers/archives.js';
import { FoldedHistory } from '../../helpers/folded-history.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { freshSeed, Random } from '../../helpers/random.js';
import { scoped } from '../../helpers/scope.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Paths of what a state shows, as far as they are like this. */
const shownPaths = (state: string[], wanted: RegExp): Buffer[] => state.map((line) => line.split('|')[0]!).filter((shown) => wanted.test(shown)).map((shown) => bytes(shown.slice(1)));

/** All that a chain of archives shows at an instant. */
async function shownBy(files: string[], seq: Seq): Promise<string[]> {
  const chain = await Chain.open(files);
  try {
    return await stateOf(new ArchiveReader(chain), seq);
  } finally {
    await chain.close();
  }
}

test.serial('a random tree is read back exactly; so are the instants of archives that go on from it', async (t) => {
  const seed = freshSeed();
  const random = new Random(seed);
  await scoped(async (scope) => {
    const directory = scope.temporary();
    for (let round = 0; round < 25; round++) {
      const tree = new ModelTree();
      const files: string[] = [];
      let before: Seq | null = null;
      let first: Seq = 0;
      for (let level = 0; level < 4; level++) {
        changed(tree, random, random.pick([1, 20, 300]));
        if (tree.seq === before) tree.record();
        files.push(fileOf(directory, `${round}-${level}`, await archiveOf(tree.history, headAt(tree.seq, before))));
        const wanted = await stateOf(tree.history, tree.seq);
        t.deepEqual(await shownBy(files, tree.seq), wanted, `seed ${seed}, round ${round}, level ${level}`);
        before = tree.seq;
        first ||= tree.seq;
      }
      t.deepEqual(await shownBy(files, first), await shownBy(files.slice(0, 1), first), `seed ${seed}, round ${round}: the first instant stays`);
    }
  });
});

test.serial('so is what the extractor made of the same changes, as history holds it', async (t) => {
  const seed = freshSeed();
  const random = new Random(seed);
  await scoped(async (scope) => {
    const directory = scope.temporary('memory');
    for (let round = 0; round < 4; round++) {
      const tree = changed(new ModelTree(), random, 300);
      const folded = await FoldedHistory.open(path.join(directory, `history-${round}`), tree);
      const { history } = folded;
      const files: string[] = [];
      let before: Seq | null = null;
      for (let level = 0; level < 4; level++) {
        files.push(fileOf(directory, `${round}-${level}`, await archiveOf(history, headAt(tree.seq, before))));
        t.deepEqual(await shownBy(files, tree.seq), await stateOf(history, tree.seq), `seed ${seed}, round ${round}, level ${level}`);
        before = tree.seq;
        changed(tree, random, 150);
        tree.record();
        await folded.catchUp();
      }
      await history.close();
    }
  });
});

test.serial('of a group its members are read back, and what came into it by a rename alone', async (t) => {
  const seed = freshSeed();
  const random = new Random(seed);
  await scoped(async (scope) => {
    const directory = scope.temporary();
    const members = (path: readonly string[]): boolean => path[0] === 'a' || path[0] === 'b';
    const only = (tree: ModelTree, seq: Seq) => memberTree(tree.history, [], seq, members);
    for (let round = 0; round < 15; round++) {
      const tree = changed(new ModelTree(), random, 300);
      const first = tree.seq;
      const full = fileOf(directory, `${round}-full`, await archiveOf(tree.history, headAt(first), { only: await only(tree, first) }));
      changed(tree, random, 60);
      // What stays a member and is another: the random changes seldom meet it.
      for (const path of shownPaths(await stateOf(tree.history, first), /^\/[ab]\//)) tree.do({ op: 'chown', path, uid: 7, gid: round });
      if (tree.seq === first) tree.record();
      const then = { only: await only(tree, tree.seq), onlyBefore: await only(tree, first) };
      const more = fileOf(directory, `${round}-more`, await archiveOf(tree.history, headAt(tree.seq, first), then));
      const alone = fileOf(directory, `${round}-alone`, await archiveOf(tree.history, headAt(tree.seq), { only: then.only }));
      const shown = await shownBy([full, more], tree.seq);
      t.deepEqual(shown, await shownBy([alone], tree.seq), `seed ${seed}, round ${round}`);
      t.true(shown.every((line) => /^(\/[ab](\/[^|]*)?)?\|/.test(line)), `seed ${seed}, round ${round}: nothing else`);
    }
  });
});

test.serial('an increment holds what changed: of a large file only the blocks that did', async (t) => {
  await scoped(async (scope) => {
    const tree = new ModelTree();
    const random = new Random(7);
    const big = Buffer.from(Uint8Array.from({ length: 3_000_000 }, () => random.below(256)));
    tree.do({ op: 'create', path: bytes('big'), mode: 0o644 });
    tree.do({ op: 'write', path: bytes('big'), offset: 0, data: big });
    tree.do({ op: 'mkdir', path: bytes('d'), mode: 0o755 });
    for (let i = 0; i < 200; i++) tree.do({ op: 'create', path: bytes(`d/f${i}`), mode: 0o644 });
    const first = tree.seq;
    const full = await archiveOf(tree.history, headAt(first));
    tree.do({ op: 'write', path: bytes('big'), offset: 1_000_000, data: bytes('changed') });
    tree.do({ op: 'rename', from: bytes('d'), path: bytes('renamed') });
    const more = await archiveOf(tree.history, headAt(tree.seq, first));
    t.true(full.length > 3_000_000);
    t.true(more.length < 12_000, `${more.length} bytes for a page and the name of a directory of 200 files`);
    const directory = scope.temporary();
    const files = [fileOf(directory, 'full', full), fileOf(directory, 'more', more)];
    t.deepEqual(await shownBy(files, tree.seq), await stateOf(tree.history, tree.seq));
  });
});

test.serial('reading one file of a large archive loads its blocks and no other', async (t) => {
  await scoped(async (scope) => {
    const tree = new ModelTree();
    const random = new Random(11);
    for (let i = 0; i < 40; i++) {
      tree.do({ op: 'create', path: bytes(`f${i}`), mode: 0o644 });
      tree.do({ op: 'write', path: bytes(`f${i}`), offset: 0, data: Buffer.from(Uint8Array.from({ length: 2 * BLOCK_BYTES }, () => random.below(256))) });
    }
    const file = fileOf(scope.temporary(), 'a', await archiveOf(tree.history, headAt(tree.seq)));
    const chain = await Chain.open([file]);
    const reader = new ArchiveReader(chain);
    const node = (await reader.resolve(['f20'], tree.seq))!;
    t.is(chain.archives[0]!.loaded, 1, 'the listing of the root');
    await reader.read(node, BLOCK_BYTES + 5, 4096, tree.seq);
    t.is(chain.archives[0]!.loaded, 2);
    t.deepEqual(await reader.read(node, 0, 2 * BLOCK_BYTES, tree.seq), await tree.history.read((await tree.history.resolve(['f20'], tree.seq))!, 0, 2 * BLOCK_BYTES, tree.seq));
    t.is(chain.archives[0]!.loaded, 3);
    await chain.close();
  });
});

const REFUSED = new Set(['ERR_ARCHIVE_FORMAT', 'ERR_ARCHIVE_CUT', 'ERR_ARCHIVE_CORRUPT']);

/** What the file shows; the code of the error when it is refused. */
async function outcome(file: string, seq: Seq): Promise<string[] | string> {
  try {
    return await shownBy([file], seq);
  } catch (error) {
    if (!(error instanceof RewindError) || !REFUSED.has(error.code)) throw error;
    return error.code;
  }
}

function small(): ModelTree {
  const tree = new ModelTree();
  for (const name of ['d', 'd/e']) tree.do({ op: 'mkdir', path: bytes(name), mode: 0o755 });
  for (const name of ['a', 'd/b', 'd/e/c']) {
    tree.do({ op: 'create', path: bytes(name), mode: 0o644 });
    tree.do({ op: 'write', path: bytes(name), offset: 0, data: bytes(`content of ${name}`) });
  }
  tree.do({ op: 'link', from: bytes('a'), path: bytes('d/hard') });
  tree.do({ op: 'symlink', path: bytes('d/link'), target: bytes('../a') });
  tree.do({ op: 'setxattr', path: bytes('a'), name: bytes('user.k'), value: bytes('value') });
  return tree;
}

test.serial('cut short anywhere, an archive is refused, and what of it is whole is named', async (t) => {
  await scoped(async (scope) => {
    const tree = small();
    const whole = await archiveOf(tree.history, headAt(tree.seq));
    const file = fileOf(scope.temporary(), 'a', whole);
    for (let length = whole.length - 1; length >= 0; length--) {
      truncateSync(file, length);
      t.is(await outcome(file, tree.seq), length < 19 ? 'ERR_ARCHIVE_FORMAT' : 'ERR_ARCHIVE_CUT', `${length} bytes`);
    }
    writeFileSync(file, whole.subarray(0, whole.length - 1));
    const { message } = (await t.throwsAsync<RewindError>(Archive.open(file)))!;
    t.regex(message, new RegExp(`is cut short: it ends after ${whole.length - 1} bytes, of which ${whole.length - 56} are whole; they describe 7 objects, the last of them d/e/c$`));
  });
});

test.serial('with a byte changed anywhere, an archive is refused, or shows what it showed', async (t) => {
  const seed = freshSeed();
  const random = new Random(seed);
  await scoped(async (scope) => {
    const tree = small();
    const whole = await archiveOf(tree.history, headAt(tree.seq));
    const wanted = await stateOf(tree.history, tree.seq);
    const directory = scope.temporary();
    let refused = 0;
    for (let at = 0; at < whole.length; at++) {
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 1 << random.below(8);
      const found = await outcome(fileOf(directory, 'a', flipped), tree.seq);
      if (typeof found === 'string') refused++;
      else t.deepEqual(found, wanted, `seed ${seed}, byte ${at}`);
    }
    t.is(refused, whole.length, 'no byte is without a check');
  });
});

test.serial('more than an archive behind its end is refused', async (t) => {
  await scoped(async (scope) => {
    const tree = small();
    const whole = await archiveOf(tree.history, headAt(tree.seq));
    t.is(await outcome(fileOf(scope.temporary(), 'a', Buffer.concat([whole, bytes('more')])), tree.seq), 'ERR_ARCHIVE_CORRUPT');
    t.is(await outcome(fileOf(scope.temporary(), 'b', Buffer.from('rewindfs archive 2\n and so on')), tree.seq), 'ERR_ARCHIVE_FORMAT');
  });
});

test.serial('archives that do not go on from each other are refused, saying what is wrong', async (t) => {
  await scoped(async (scope) => {
    const tree = small();
    const directory = scope.temporary();
    const make = async (name: string, seq: Seq, base: Seq | null = null, more: object = {}): Promise<string> => fileOf(directory, name, await archiveOf(tree.history, { ...headAt(seq, base), ...more }));
    const [full, second, third] = [await make('full', 4), await make('second', 6, 4), await make('third', 8, 6)];
    const refused = async (files: string[], why: RegExp): Promise<void> => {
      const error = await t.throwsAsync<RewindError>(Chain.open(files));
      t.is(error!.code, 'ERR_ARCHIVE_BASE');
      t.regex(`${error!.message} ${error!.hint}`, why);
    };
    await (await Chain.open([full, second, third])).close();
    await refused([second], /second holds what changed since #4 .* the archive of that instant is missing/);
    await refused([full, third], /third goes on from #6 .*full ends at #4 .* An archive between them is missing/);
    await refused([full, second, second], /wrong order, or one is named twice/);
    await refused([full, await make('other', 8)], /is a full archive/);
    await refused([full, await make('store', 6, 4, { store: 'cd'.repeat(16) })], /is of the store cdcdcdcd/);
    await refused([full, await make('group', 6, 4, { group: { name: 'g', include: ['a'], exclude: [] } })], /of another group/);
  });
});
