/** `rewind repair` as a user does it: refused on a mounted tree, shown by a dry run, done, and mounted again. */
import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { baselineDone, mountTree, rewind, rewindMust } from '../helpers/mount.js';
import { scoped } from '../helpers/scope.js';

const rowsOf = (stdout: string): Record<string, unknown>[] => stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);

test.serial('a store whose database lost files is repaired: what is in the tree comes back, the rest is named, and the tree can be mounted', (t) => scoped(async (scope) => {
  const tree = await mountTree(scope, { where: 'memory' });
  const at = (name: string): string => path.join(tree.tree, name);
  fs.writeFileSync(at('kept'), 'kept '.repeat(1000));
  fs.writeFileSync(at('changed'), 'before '.repeat(1000));
  await rewindMust(['mark', 'then', '--tree', tree.tree]);
  fs.writeFileSync(at('changed'), 'after '.repeat(1000));
  t.like(await rewind(['repair', '--tree', tree.tree]), { code: 11 }, 'a mounted tree is in use');
  await tree.unmount();
  t.regex(await rewindMust(['repair', '--store', tree.store]), /^Whole: there is nothing to repair, up to #\d+\n$/);

  const history = path.join(tree.store, 'history');
  for (const name of fs.readdirSync(history).filter((one) => one.endsWith('.blob') || one === 'CURRENT')) fs.rmSync(path.join(history, name));
  const refused = await rewind(['log', '--store', tree.store]);
  t.is(refused.code, 14, refused.stdout);
  t.regex(refused.stderr, /rewind repair/);
  const dry = await rewind(['repair', '--dry-run', '--json', '--store', tree.store]);
  t.is(dry.code, 14, dry.stderr);
  t.like(rowsOf(dry.stdout).at(-1)!, { type: 'repaired', dry_run: true, changed: true, findings: 0, kept: [] });
  const done = await rewind(['repair', '--store', tree.store]);
  t.regex(done.stdout, /^What was there lies in .*history\.damaged-\d{8}T\d{6}; once all is well: rm -r /m, done.stderr);
  t.regex(await rewindMust(['verify', '--deep', '--store', tree.store]), /^Whole: .*all content$/m);
  t.is(await rewindMust(['cat', 'kept', '--at', 'then', '--store', tree.store]), 'kept '.repeat(1000));

  await tree.mount();
  await baselineDone(tree);
  t.is(fs.readFileSync(at('changed'), 'utf8'), 'after '.repeat(1000));
  t.is(await rewindMust(['cat', 'changed', '--tree', tree.tree], { cwd: tree.tree }), 'after '.repeat(1000));
}));
