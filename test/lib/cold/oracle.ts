/** Random histories, of which what is old goes cold: every instant reads as before, and the younger ones need nothing that is cold. */
import fs from 'node:fs';
import test from 'ava';
import { History } from '../../../lib/history/history.js';
import type { Stretch } from '../../../lib/history/retained.js';
import type { Seq } from '../../../lib/history/types.js';
import { QUICK } from '../../../lib/pack/encode.js';
import { HistoryPacker } from '../../../lib/pack/packer.js';
import { UNTHROTTLED } from '../../../lib/retention/editor.js';
import { mergeDue } from '../../../lib/retention/stretch.js';
import { sweepContents } from '../../../lib/retention/sweep.js';
import { verify } from '../../../lib/verify/verify.js';
import { away, coldIds, cool } from '../../helpers/cold.js';
import { dump } from '../../helpers/dump.js';
import { FoldedHistory } from '../../helpers/folded-history.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { randomChange } from '../../helpers/random-changes.js';
import { freshSeed, Random } from '../../helpers/random.js';
import { scoped } from '../../helpers/scope.js';

const RUNS = 2;
const never = new AbortController().signal;

/** Random changes, and long ones of few files, over each other. */
function change(tree: ModelTree, random: Random): void {
  if (random.chance(0.6)) {
    tree.do(randomChange(random));
    return;
  }
  const path = Buffer.from(random.pick(['x', 'y']));
  switch (random.below(8)) {
    case 0: tree.do({ op: 'create', path, mode: 0o644 }); break;
    case 1: tree.do({ op: 'unlink', path }); break;
    case 2: tree.do({ op: 'truncate', path, size: random.pick([0, 70_000, 200_000]) }); break;
    default: tree.do({ op: 'write', path, offset: random.pick([0, 0, 3000, 65_536]), data: Buffer.alloc(random.pick([700, 5000, 66_000]), random.below(256)) });
  }
}

async function findings(history: History): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const one of verify(history, { deep: true, journal: null, signal: never })) if ('kind' in one) found.push(one);
  return found;
}

test.serial('what is cold reads as before, packed or not, merged afterwards, opened anew; and no instant of the period needs it', async (t) => {
  const base = freshSeed();
  t.log(`REWIND_SEED=${base}`);
  for (let run = 0; run < RUNS; run++) {
    await scoped(async (scope) => {
      const random = new Random(base + run);
      const tree = new ModelTree();
      for (const path of ['x', 'y']) tree.do({ op: 'create', path: Buffer.from(path), mode: 0o644 });
      const changes = (count: number): void => { for (let i = 0; i < count; i++) change(tree, random); };
      changes(random.between(150, 300));
      const since = tree.seq;
      tree.sleep(1_000_000_000n);
      changes(random.between(20, 80));
      const directory = scope.temporary('memory');
      const folded = await FoldedHistory.open(`${scope.temporary('memory')}/history`, tree);
      let { history } = folded;
      scope.defer(() => history.close());
      const label = `seed ${base + run}`;
      if (random.chance(0.7)) {
        const packer = new HistoryPacker(history);
        while (await packer.step(QUICK)) { /* All of it. */ }
      }
      const expectAll = async (from: Seq, kept: (seq: Seq) => boolean = () => true): Promise<void> => {
        for (let seq = from; seq <= tree.seq; seq += random.between(1, 5)) if (kept(seq)) t.deepEqual(await dump(history, seq), await dump(tree.history, seq), `${label}: #${seq}`);
      };
      await cool(history, directory, since, 100_000);
      const cold = await coldIds(history);
      t.true(cold.length > 0, `${label}: ${cold.length} are cold`);
      await expectAll(1);
      t.deepEqual(await findings(history), []);
      // What follows is folded without a look at what is cold.
      await away(directory, async () => {
        history.contents.forget();
        changes(60);
        await folded.catchUp();
        await expectAll(since);
      });
      await expectAll(1);
      const kept = Array.from({ length: tree.seq }, (_, i) => i + 1).filter((seq) => seq === tree.seq || random.chance(0.1));
      const due = kept.map((to, i): Stretch => ({ from: kept[i - 1] ?? 0, to })).filter(({ from, to }) => to - from > 1);
      await history.forget(history.rocks.batch(), { ...history.retention(), due, unswept: true });
      await mergeDue(history, Infinity, UNTHROTTLED, never);
      await sweepContents(history, async () => undefined, UNTHROTTLED, never);
      // What merging made goes cold, too, and what it left over goes.
      await cool(history, directory, since, 100_000);
      await expectAll(1, (seq) => kept.includes(seq));
      await history.close();
      history = await History.open(history.directory);
      await expectAll(1, (seq) => kept.includes(seq));
      t.deepEqual(await findings(history), []);
      const { files } = await history.rocks.cold.book();
      t.is(fs.readdirSync(await history.rocks.cold.directoryIn(directory)).length, files.size, 'what is not needed any more is gone');
      await t.notThrowsAsync(away(directory, () => expectAll(since, (seq) => kept.includes(seq))), `${label}: the period needs nothing that is cold`);
    });
  }
});
