/**
 * Many processes change the same few objects at once. Nobody can say what must come out, but history must say the same
 * as the tree: records stand in the order in which they took effect (invariant I2).
 */
import path from 'node:path';
import test from 'ava';
import type { Driver } from '../helpers/driver.js';
import { mountSettled } from '../helpers/mount.js';
import { freshSeed, Random } from '../helpers/random.js';
import { scoped } from '../helpers/scope.js';
import { differences, snapshot, type Field } from '../helpers/snapshot.js';
import { transportOf } from '../helpers/transport.js';
import { Generator } from './support/generator.js';

const everything: readonly Field[] = ['mode', 'uid', 'gid', 'nlink', 'size', 'rdev', 'body', 'xattrs', 'mtime', 'ctime'];

(['disk', 'memory'] as const).forEach((where, round) => {
  const transport = transportOf(round);
  test.serial(`what six processes do at once to the same objects is in history as it happened, tree on ${where}, over ${transport}`, async (t) => {
    t.timeout(600_000);
    const seed = (freshSeed() + round) >>> 0;
    t.log(`seed ${seed}`);
    await scoped(async (scope) => {
      const mounted = await mountSettled(scope, { where, transport });
      const observer = await mounted.driver();
      const drivers: Driver[] = [];
      for (let i = 0; i < 6; i++) drivers.push(await mounted.driver());
      const generators = drivers.map((_, i) => new Generator(new Random(seed * 6 + i), { objects: 12 }));
      const seqs: { seq: number; state: Awaited<ReturnType<typeof snapshot>> }[] = [];
      for (let batch = 0; batch < 25; batch++) {
        const tree = await snapshot(observer, mounted.tree);
        await Promise.all(drivers.map(async (driver, i) => {
          const pending: Promise<unknown>[] = [];
          for (let step = 0; step < 40; step++) {
            const calls = generators[i]!.step(tree);
            // A mapping of a file that another process cuts off ends in SIGBUS, as everywhere.
            if (calls.some((call) => call.op === 'map')) continue;
            for (const call of calls) pending.push(driver.call(call.op, ...call.args));
          }
          await Promise.all(pending);
        }));
        const state = await snapshot(observer, mounted.tree);
        seqs.push({ seq: (await mounted.control('status'))['seq'] as number, state });
        t.deepEqual(differences(state, await snapshot(observer, path.join(mounted.tree, '.snapshots/@now')), everything), [], `batch ${batch}`);
      }
      // And it stays so: history is not a moving picture of the live tree.
      for (const { seq, state } of seqs) {
        t.deepEqual(differences(state, await snapshot(observer, path.join(mounted.tree, '.snapshots', `@#${seq}`)), everything), [], `#${seq} later`);
      }
      await Promise.all([observer, ...drivers].map((driver) => driver.close()));
    });
  });
});
