/** `rewind verify` as a user does it: on a mounted tree, on its store, on a copy, and on one that is damaged. */
import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { History } from '../../lib/history/history.js';
import { mountTree, rewind, rewindMust } from '../helpers/mount.js';
import { scoped } from '../helpers/scope.js';

const rowsOf = (stdout: string): Record<string, unknown>[] => stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);

test('a tree is verified while it is mounted, its store later, and damage is named with its file and exit code 14', (t) => scoped(async (scope) => {
  const tree = await mountTree(scope, { where: 'memory' });
  for (let i = 0; i < 20; i++) fs.writeFileSync(path.join(tree.tree, `file-${i}`), `${i} `.repeat(3000));
  fs.renameSync(path.join(tree.tree, 'file-3'), path.join(tree.tree, 'renamed'));
  const live = rowsOf(await rewindMust(['verify', '--deep', '--json', '--tree', tree.tree]));
  t.deepEqual(live.filter(({ type }) => type === 'finding'), []);
  t.like(live.at(-1)!, { type: 'verified', deep: true, findings: 0 });
  t.true(Number(live.at(-1)!['entries']) > 100 && Number(live.at(-1)!['journal_records']) > 20);
  await tree.unmount();
  t.regex(await rewindMust(['verify', '--store', tree.store]), /^Whole: \d+ entries of history to #\d+, \d+ records of the journal\n$/);

  const history = await History.open(path.join(tree.store, 'history'));
  const node = (await history.resolve(['renamed'], history.watermark()))!;
  const batch = history.rocks.batch();
  for await (const { key, value } of history.rocks.scan('content', {})) {
    if (!value.includes('3 3 3 3')) continue;
    value[60]! ^= 1;
    batch.put('content', key, value);
  }
  await history.rocks.commit(batch);
  await history.close();
  t.is((await rewind(['verify', '--store', tree.store])).code, 0, 'content is not decoded without --deep');
  const damaged = await rewind(['verify', '--deep', '--json', '--store', tree.store]);
  t.is(damaged.code, 14, damaged.stderr);
  t.like(rowsOf(damaged.stdout).find(({ kind }) => kind === 'block-damaged')!, { type: 'finding', severity: 'lost', family: 'blocks', node, path: 'renamed' });
  t.regex((await rewind(['verify', '--deep', '--store', tree.store])).stdout, /^lost +block-damaged +renamed: block 0 .*\n +`rewind repair`/m);
}));
