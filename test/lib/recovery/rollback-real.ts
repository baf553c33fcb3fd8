/** The same property on a real directory, through the native tree writer; and that a restored copy is what history says. */
import test from 'ava';
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { native } from '../../../lib/native.js';
import { ROOT, type NodeId, type Seq } from '../../../lib/history/types.js';
import { applyPlan } from '../../../lib/recovery/apply.js';
import { planRollback } from '../../../lib/recovery/plan.js';
import { restoreInto } from '../../../lib/recovery/restore.js';
import { Driver } from '../../helpers/driver.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { randomChange } from '../../helpers/random-changes.js';
import { freshSeed, Random } from '../../helpers/random.js';
import { scoped } from '../../helpers/scope.js';
import { contentFields, differences, snapshot, type Field } from '../../helpers/snapshot.js';

const EXACT: readonly Field[] = [...contentFields, 'mtime'];
const RUNS = 25;

/** Compares a directory with history, object by object, with nothing but lstat, read and readlink. */
async function compare(tree: ModelTree, node: NodeId, seq: Seq, at: Buffer): Promise<string[]> {
  const { history } = tree;
  const attr = (await history.attr(node, seq))!;
  const stat = lstatSync(at, { bigint: true });
  const out: string[] = [];
  const check = (what: string, is: unknown, was: unknown): void => {
    if (is !== was) out.push(`${at.toString('latin1')}: ${what} is ${String(is)}, expected ${String(was)}`);
  };
  const type = attr.mode & 0o170000;
  check('mode', Number(stat.mode).toString(8), attr.mode.toString(8));
  check('uid', Number(stat.uid), attr.uid);
  check('gid', Number(stat.gid), attr.gid);
  check('mtime', stat.mtimeNs, attr.mtime);
  if (type !== 0o040000) check('nlink', Number(stat.nlink), attr.nlink);
  if (type === 0o100000) check('content', readFileSync(at).equals(await history.read(node, 0, attr.size, seq)), true);
  if (type === 0o120000) check('target', readlinkSync(at, 'buffer').equals(await history.readlink(node, seq)), true);
  if (type !== 0o040000) return out;
  const entries = await history.list(node, seq);
  check('names', readdirSync(at, 'latin1').sort().join('/'), entries.map((entry) => entry.name).sort().join('/'));
  for (const entry of entries) {
    if (out.length > 0) break;
    out.push(...await compare(tree, entry.node, seq, Buffer.concat([at, Buffer.from('/'), Buffer.from(entry.name, 'latin1')])));
  }
  return out;
}

test.serial('a copy is what history says, and a directory rolled back is the copy of then', async (t) => {
  const base = freshSeed();
  t.log(`REWIND_SEED=${base}`);
  await scoped(async (scope) => {
    const driver = new Driver();
    scope.defer(() => driver.close());
    for (let run = 0; run < RUNS; run++) {
      const random = new Random(base + run);
      const name = `seed ${base + run}`;
      const tree = new ModelTree();
      for (let i = random.between(50, 500); i > 0; i--) tree.do(randomChange(random));
      const now = tree.seq;
      const to = random.between(1, now);
      const directory = scope.temporary('memory');
      const [live, then] = [path.join(directory, 'live'), path.join(directory, 'then')];
      const common = { path: [], openTree: native.openTree };
      await restoreInto(tree.history, { ...common, at: now, dest: live });
      await restoreInto(tree.history, { ...common, at: to, dest: then });
      t.deepEqual(await compare(tree, ROOT, to, Buffer.from(then)), [], `${name}: copy of #${to}`);
      const writer = await native.openTree(live);
      const plan = await planRollback(tree.history, { paths: [], to, now, maker: { uid: process.geteuid!(), gid: process.getegid!() } });
      await t.notThrowsAsync(applyPlan(plan, tree.history, writer), `${name}: #${now} to #${to}`);
      writer.close();
      t.deepEqual(differences(await snapshot(driver, then), await snapshot(driver, live), EXACT), [], `${name}: #${now} to #${to}`);
    }
  });
});
