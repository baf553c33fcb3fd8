/** A damaged store whose old content is cold: what is away is no loss, and where it lies is found again. */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { openOffline } from '../../../lib/daemon/offline.js';
import { META_COLD } from '../../../lib/history/cold/book.js';
import { Rocks } from '../../../lib/history/rocks.js';
import { openStore } from '../../../lib/store/store.js';
import { away, coldIds, cool, filesOf } from '../../helpers/cold.js';
import { scoped, type Scope } from '../../helpers/scope.js';
import { makeStore } from '../verify/support/flips.js';
import { answersOf, repaired } from './support/stores.js';

/** A store whose content is cold as far as its present does not need it, and what it answers. */
async function cooled(scope: Scope): Promise<{ root: string; cold: string; expected: Awaited<ReturnType<typeof answersOf>> }> {
  const root = path.join(scope.temporary('memory'), 'store');
  const cold = scope.temporary('memory');
  await makeStore(root);
  const session = await openOffline(await openStore(root));
  const { history } = session.packing;
  await cool(history, cold, history.watermark());
  const ids = await coldIds(history);
  await session.close();
  for (const name of fs.readdirSync(path.join(root, 'journal'))) fs.rmSync(path.join(root, 'journal', name));
  if (ids.length === 0) throw new Error('nothing went cold');
  return { root, cold, expected: await answersOf(root) };
}

async function change(root: string, act: (rocks: Rocks, batch: ReturnType<Rocks['batch']>) => Promise<void>): Promise<void> {
  const rocks = await Rocks.open(path.join(root, 'history'), { readOnly: false });
  const batch = rocks.batch();
  await act(rocks, batch);
  await rocks.commit(batch);
  await rocks.close();
}

test.serial('with the directory away the rest is repaired, and nothing that lies there is given up', (t) => scoped(async (scope) => {
  const { root, cold, expected } = await cooled(scope);
  await change(root, async (rocks, batch) => {
    for (const family of ['links', 'hashes'] as const) for await (const { key } of rocks.scan(family, {})) batch.delete(family, key);
  });
  const { end, steps } = await away(cold, () => repaired(root));
  t.true(end.changed);
  t.deepEqual([...new Set(end.left.map(({ kind }) => kind))], ['cold-away']);
  t.false(steps.some(({ type }) => type === 'lost'));
  t.deepEqual(await answersOf(root), expected);
}));

test.serial('where it is not known any more where the files lie, those in the directory of the policy are taken', (t) => scoped(async (scope) => {
  const { root, cold, expected } = await cooled(scope);
  await change(root, async (_, batch) => batch.delete('meta', META_COLD));
  const { end, steps } = await repaired(root);
  t.false(end.changed);
  t.deepEqual(steps.flatMap((step) => (step.type === 'finding' ? [step.finding.kind] : [])), ['cold-away']);
  fs.writeFileSync(path.join(root, 'policy.toml'), `[cold]\ndirectory = "${cold}"\nafter = "90d"\n`);
  t.deepEqual(await answersOf(root), expected);
  t.deepEqual((await repaired(root)).steps.filter(({ type }) => type === 'finding'), []);
}));

test.serial('a database that has to be read file by file keeps what it knows of cold content', (t) => scoped(async (scope) => {
  const { root, cold, expected } = await cooled(scope);
  fs.rmSync(path.join(root, 'history', 'CURRENT'));
  const { end } = await repaired(root);
  t.true(end.changed);
  t.deepEqual(end.left, []);
  t.deepEqual(await answersOf(root), expected);
  t.true(filesOf(cold).length > 0);
}));
