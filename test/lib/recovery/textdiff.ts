import test from 'ava';
import { execFileSync } from 'node:child_process';
import { writeFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { diffTrees } from '../../../lib/recovery/diff.js';
import { unifiedDiff, type ContentDiff, type TextDiffOptions } from '../../../lib/recovery/textdiff.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { freshSeed, Random } from '../../helpers/random.js';
import { scoped } from '../../helpers/scope.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

async function diffOf(from: Buffer | null, to: Buffer | null, options?: TextDiffOptions, name = 'f'): Promise<ContentDiff | null> {
  const tree = new ModelTree();
  const put = (data: Buffer): void => {
    tree.do({ op: 'create', path: bytes(name), mode: 0o644 });
    tree.do({ op: 'truncate', path: bytes(name), size: 0 });
    if (data.length > 0) tree.do({ op: 'write', path: bytes(name), offset: 0, data });
  };
  if (from) put(from);
  const then = tree.seq;
  if (to) put(to);
  else tree.do({ op: 'unlink', path: bytes(name) });
  for await (const entry of diffTrees(tree.history, then, tree.seq)) {
    if (entry.path.length > 0) return unifiedDiff(tree.history, entry, then, tree.seq, options);
  }
  return null;
}

const text = (diff: ContentDiff | null): string => (diff?.kind === 'text' ? diff.patch.toString('latin1') : `not text: ${diff?.kind}`);

test.serial('changed lines are shown with their context and counted', async (t) => {
  const diff = await diffOf(bytes('1\n2\n3\n4\n5\n6\n7\n8\n'), bytes('1\n2\n3\n4\nfive\n6\n7\n8\n'));
  t.is(text(diff), '--- a/f\n+++ b/f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n');
  t.like(diff, { added: 1, removed: 1 });
});

test.serial('a created and a deleted file have /dev/null on the other side', async (t) => {
  t.is(text(await diffOf(null, bytes('a\nb'))), '--- /dev/null\n+++ b/f\n@@ -0,0 +1,2 @@\n+a\n+b\n\\ No newline at end of file\n');
  t.is(text(await diffOf(bytes('a\n'), null)), '--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n');
});

test.serial('a binary file and one above the limit are noted with their sizes', async (t) => {
  t.deepEqual(await diffOf(bytes('a\0b'), bytes('a\0cd')), { kind: 'binary', fromBytes: 3, toBytes: 4 });
  t.deepEqual(await diffOf(bytes('a\n'), bytes('a\nb\n'), { maxBytes: 3 }), { kind: 'large', fromBytes: 2, toBytes: 4 });
});

test.serial('for a terminal nothing in content or name can steer it', async (t) => {
  const diff = await diffOf(bytes('x\n'), bytes('\x1b[31mred\tx\n'), { terminal: true }, 'a\x1bb');
  t.false(text(diff).includes('\x1b'));
  t.true(text(diff).includes('+\\x1b[31mred\tx'));
});

test.serial('patch(1) makes the new file of the old one, byte for byte, whatever is in them', async (t) => {
  const base = freshSeed();
  t.log(`REWIND_SEED=${base}`);
  await scoped(async (scope) => {
    const directory = scope.temporary('memory');
    for (let run = 0; run < 40; run++) {
      const random = new Random(base + run);
      const lines = (count: number): string[] => Array.from({ length: count }, () => random.pick(['a', 'b', 'caf\xe9', '\xff\xfe', '', 'x y', '-- z', '\\']));
      const old = lines(random.below(60));
      const now = old.flatMap((line) => (random.chance(0.1) ? [] : random.chance(0.1) ? [line, ...lines(2)] : [line]));
      const ending = (): string => random.pick(['\n', '']);
      const [a, b] = [bytes(old.join('\n') + ending()), bytes(now.join('\n') + ending())];
      const diff = await diffOf(a, b);
      if (!diff) continue;
      t.is(diff.kind, 'text');
      writeFileSync(path.join(directory, 'f'), a);
      const patch = diff.kind === 'text' ? diff.patch : Buffer.alloc(0);
      execFileSync('patch', ['--binary', '-p1', '-s', '-d', directory], { input: patch });
      const made = b.length === 0 ? Buffer.alloc(0) : readFileSync(path.join(directory, 'f'));
      t.deepEqual(made, b, `seed ${base + run}`);
    }
  });
});

test.serial('files that differ too much are shown as replaced whole', async (t) => {
  const side = (letter: string): Buffer => bytes(Array.from({ length: 6000 }, (_, i) => `${letter}${i}\n`).join(''));
  const diff = await diffOf(side('a'), side('b'));
  t.like(diff, { kind: 'text', added: 6000, removed: 6000 });
  t.true(text(diff).startsWith('--- a/f\n+++ b/f\n@@ -1,6000 +1,6000 @@\n-a0\n'));
});
