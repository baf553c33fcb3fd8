/** The chain where changes were given up: what it still proves, and that damage, tampering and a repair are told from it. */
import test from 'ava';
import { encodeFull } from '../../../lib/history/blocks.js';
import { decodeChanges, packChange } from '../../../lib/history/changes.js';
import type { History } from '../../../lib/history/history.js';
import { blockKey } from '../../../lib/history/keys.js';
import { Packer } from '../../../lib/history/packing.js';
import { decodeRetention, META_RETENTION, NOTHING_MERGED } from '../../../lib/history/retained.js';
import type { Change, NodeId } from '../../../lib/history/types.js';
import { mendChain } from '../../../lib/repair/chain.js';
import { completeUpTo } from '../../../lib/repair/complete.js';
import { Losses } from '../../../lib/repair/losses.js';
import { mendMeta } from '../../../lib/repair/meta.js';
import { UNTHROTTLED } from '../../../lib/retention/editor.js';
import { thinTimeline } from '../../../lib/retention/timeline.js';
import type { FindingKind } from '../../../lib/verify/findings.js';
import { scoped } from '../../helpers/scope.js';
import { all, anchorOf, everything, looked, merge, never, saved, thinned, type Saved } from '../retention/support/thinning.js';
import { change, kindsOf, put } from './support/broken.js';

type Damage = (history: History, made: Saved) => Promise<void>;
const DAMAGES: [what: string, kinds: FindingKind[], Damage][] = [
  ['a digest that a link keeps is another', ['chain-broken'], (history) => change(history, 'chain', 1, (value) => { value[60]! ^= 1; return value; })],
  ['what is left of the records has another digest', ['chain-broken'], (history) => change(history, 'chain', 1, (value) => { value[value.length - 33]! ^= 1; return value; })],
  ['a change that is left is another', ['chain-broken'], (history, { node }) => retold(history, node, (changes) => changes.map((one) => ({ ...one, writer: 9 })))],
  ['a change stands for more than were given up', ['chain-broken'], (history, { node }) => retold(history, node, (changes) => changes.map((one) => (one.givenUp ? { ...one, givenUp: { ...one.givenUp, count: 99 } } : one)))],
  ['content of the last save is another', ['content-altered'], (history) => change(history, 'blocks', 0, (value) => { value.write('SAVE', value.length - 6); return value; })],
  ['content is put where none was written', ['entry-unrecorded'], (history, { node }) => put(history, 'blocks', blockKey(node, 7, 30), encodeFull({ seq: 30, offset: 0, length: 6, zero: false, content: 0, bytes: Buffer.from('forged'), at: 0 }))],
  ['changes are given up of what was not merged', ['chain-broken', 'retention-crossed'], (history) => history.forget(history.rocks.batch(), { ...history.retention(), merged: [] })],
];

/** The newest run of an object, written anew with other changes. */
async function retold(history: History, node: NodeId, edit: (changes: Change[]) => Change[]): Promise<void> {
  const last = (await all(history.nodeChanges(node, 0, history.watermark()))).at(-1)!;
  for await (const { key, value } of history.rocks.scan('changes', {})) {
    const changes = decodeChanges(key, value);
    if (changes.at(-1)!.seq !== last.seq) continue;
    const packer = new Packer();
    edit(changes).forEach((one, i, run) => packChange(packer, one, run[i - 1] ?? null));
    await put(history, 'changes', key, Buffer.from(packer.packed()));
  }
}

for (const [what, kinds, damage] of DAMAGES) {
  test.serial(`of a history that was thinned is found: ${what}`, (t) => scoped(async (scope) => {
    const made = await thinned(scope, 20);
    t.deepEqual((await looked(made.history)).findings, []);
    await damage(made.history, made);
    t.deepEqual(kindsOf((await looked(made.history)).findings), kinds);
  }));
}

for (const moment of ['changes', 'nodechanges'] as const) test.serial(`what is verified while changes are given up fits, also when they go as ${moment} are read`, (t) => scoped(async (scope) => {
  const { tree, folded, history } = await saved(scope, 0);
  for (let i = 0; i < 20; i++) {
    tree.do({ op: 'write', path: Buffer.from('file'), offset: 0, data: Buffer.from(`save ${i}`) });
    await folded.catchUp();
  }
  const anchor = anchorOf(history);
  await merge(history, [everything(tree)]);
  const { rocks } = history;
  const scan = rocks.scan.bind(rocks);
  let isBetween = true;
  rocks.scan = async function* (family, range, options) {
    if (family === moment && isBetween) {
      isBetween = false;
      t.true(await thinTimeline(history, Infinity, UNTHROTTLED, never) > 0);
    }
    yield* scan(family, range, options);
  };
  t.like(await looked(history, anchor), { findings: [], report: { anchored: true } });
  t.false(isBetween);
}));

test.serial('what was altered after it was thinned is not signed when more of it is', (t) => scoped(async (scope) => {
  const made = await thinned(scope, 20);
  const { history, folded, tree, node } = made;
  await retold(history, node, (changes) => changes.map((one) => ({ ...one, writer: 9 })));
  for (let i = 0; i < 10; i++) {
    tree.do({ op: 'write', path: Buffer.from('file'), offset: 0, data: Buffer.from(`more ${i}`) });
    await folded.catchUp();
  }
  await merge(history, [everything(tree)]);
  await thinTimeline(history, Infinity, UNTHROTTLED, never);
  t.true(kindsOf((await looked(history)).findings).includes('chain-broken'));
}));

test.serial('a link that was thinned and does not fit is mended with its head, so that the chain goes through it', (t) => scoped(async (scope) => {
  const { history, folded, tree } = await thinned(scope, 20);
  await change(history, 'chain', 1, (value) => { value[60]! ^= 1; return value; });
  t.is(await mendChain(history, (await looked(history)).findings, 1n), 1);
  tree.do({ op: 'create', path: Buffer.from('later'), mode: 0o644 });
  await folded.catchUp();
  const { findings, report } = await looked(history);
  t.deepEqual([findings, report.mended.length], [[], 1]);
}));

test.serial('a repair that does not know any more what was merged does not take what was thinned for whole', (t) => scoped(async (scope) => {
  const { history, tree, folded } = await saved(scope, 0);
  const begun = tree.seq;
  for (const text of ['one', 'two', 'now']) {
    tree.do({ op: 'write', path: Buffer.from('file'), offset: 0, data: Buffer.from(text) });
    await folded.catchUp();
  }
  await merge(history, [{ from: begun, to: tree.seq }]);
  t.is(await thinTimeline(history, Infinity, UNTHROTTLED, never), 2);
  t.is(await completeUpTo(history.rocks, NOTHING_MERGED, tree.seq), tree.seq, 'all that is told has its effect');
  await put(history, 'meta', META_RETENTION, Buffer.from('?'));
  t.regex((await mendMeta(history.rocks, Buffer.alloc(16), new Losses(), null)).join(), /not known any more/);
  t.deepEqual(decodeRetention((await history.rocks.get('meta', META_RETENTION))!).merged, [{ from: 0, to: tree.seq }]);
}));
