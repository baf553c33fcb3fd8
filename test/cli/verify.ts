/** `rewind verify` as a user does it: on a mounted tree, on its store, on a copy, and on one that is damaged. */
import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { History } from '../../lib/history/history.js';
import { mountTree, rewind, rewindMust } from '../helpers/mount.js';
import { scoped } from '../helpers/scope.js';

const rowsOf = (stdout: string): Record<string, unknown>[] => stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);

test.serial('a tree is verified while it is mounted, its store later, and damage is named with its file and exit code 14', (t) => scoped(async (scope) => {
  const tree = await mountTree(scope, { where: 'memory' });
  for (let i = 0; i < 20; i++) fs.writeFileSync(path.join(tree.tree, `file-${i}`), `${i} `.repeat(3000));
  fs.renameSync(path.join(tree.tree, 'file-3'), path.join(tree.tree, 'renamed'));
  await tree.settled();
  const live = rowsOf(await rewindMust(['verify', '--deep', '--json', '--tree', tree.tree]));
  t.deepEqual(live.filter(({ type }) => type === 'finding'), []);
  t.like(live.at(-1)!, { type: 'verified', deep: true, findings: 0 });
  t.true(Number(live.at(-1)!['entries']) > 100 && Number(live.at(-1)!['journal_records']) > 20);
  await tree.unmount();
  t.regex(await rewindMust(['verify', '--store', tree.store]), /^Whole: \d+ entries of history to #\d+, \d+ records of the journal\nChain: #1 to #\d+ in \d+ links?\n$/);

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

test.serial('an anchor that was printed shows later whether the past was changed', (t) => scoped(async (scope) => {
  const tree = await mountTree(scope, { where: 'memory' });
  fs.writeFileSync(path.join(tree.tree, 'contract'), 'ten thousand\n');
  const anchor = (await rewindMust(['anchor', '--tree', tree.tree])).trim();
  t.regex(anchor, /^rewindfs-anchor:[0-9a-f]{32}:\d+:[0-9a-f]{64}$/);
  fs.writeFileSync(path.join(tree.tree, 'later'), 'x');
  const verify = ['verify', '--deep', '--store', tree.store, '--since-anchor'];
  await tree.unmount();
  t.regex(await rewindMust([...verify, anchor]), /^Whole: .*\nChain: #1 to #\d+ .*\nThe anchor fits: /);
  t.is((await rewind([...verify, 'rewindfs-anchor:1'])).code, 2);

  const history = await History.open(path.join(tree.store, 'history'));
  const batch = history.rocks.batch();
  for await (const { key, value } of history.rocks.scan('blocks', {})) if (value.includes('ten thousand')) batch.put('blocks', key, Buffer.from(value.toString('latin1').replace('ten', 'two'), 'latin1'));
  await history.rocks.commit(batch);
  await history.close();
  const altered = await rewind([...verify, anchor]);
  t.is(altered.code, 14);
  t.regex(altered.stdout, /^wrong +content-altered +contract: what object \d+ got by records #\d+ to #\d+ is not what history answers$/m);
  t.is((await rewind([...verify, anchor.replace(/.$/, (last) => (last === '0' ? '1' : '0'))])).code, 14);
}));

test.serial('the store of a mounted tree is read in the background, and what is wrong with it is in its status and its log', (t) => scoped(async (scope) => {
  const tree = await mountTree(scope, { where: 'memory' });
  fs.writeFileSync(path.join(tree.tree, 'file'), 'some content '.repeat(500));
  await tree.unmount();
  const history = await History.open(path.join(tree.store, 'history'));
  const batch = history.rocks.batch();
  for await (const { key, value } of history.rocks.scan('content', {})) {
    value[60]! ^= 1;
    batch.put('content', key, value);
  }
  await history.rocks.commit(batch);
  await history.close();
  fs.writeFileSync(path.join(tree.store, 'policy.toml'), '[scrub]\nevery = "1s"\n');
  await tree.mount();
  const scrubbed = async () => (JSON.parse(await rewindMust(['status', tree.tree, '--json'])) as { scrub: { last: object | null; findings: { kind: string; path: string | null }[] } }).scrub;
  let scrub = await scrubbed();
  for (let i = 0; i < 60 && scrub.last === null; i++) {
    await delay(250);
    scrub = await scrubbed();
  }
  t.true(scrub.findings.some(({ kind, path: where }) => kind === 'block-damaged' && where === 'file'), JSON.stringify(scrub));
  t.regex(await rewindMust(['status', tree.tree]), /^STORE +lost: content-damaged: .*\n +`rewind repair`/m);
  t.regex(fs.readFileSync(path.join(tree.store, 'daemon.log'), 'utf8'), /The scrub found damage: lost: block-damaged: file: /);
}));
