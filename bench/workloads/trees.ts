/** Whole trees: looking through a past one, and mounting a large one. */
import fs from 'node:fs';
import path from 'node:path';
import { MountedTree, baselineDone, rewindMust } from '../../test/helpers/mount.js';
import { shell } from '../../test/helpers/run.js';
import { memoryMiB } from '../observe.js';
import { caughtUp, progress, secondsOf, work, type Run, type Workload } from '../run.js';
import { dropCaches } from '../subjects.js';
import { sourceText } from '../material/sources.js';
import { Random } from '../../test/helpers/random.js';

const seconds = (name: string) => ({ name, unit: 's', digits: 2, lessIsBetter: true });
const grep = (directory: string): Promise<number> => secondsOf(() => shell(`grep -r no_such_word '${directory}' || true`, { timeoutMs: 600_000 }));

function makeTree(directory: string, files: number): void {
  const random = new Random(3);
  for (let i = 0; i < files; i++) {
    const inner = path.join(directory, `part${i % 20}`, `dir${i % 1000}`);
    if (i < 1000) fs.mkdirSync(inner, { recursive: true });
    fs.writeFileSync(path.join(inner, `file${i}.c`), sourceText(random));
  }
}

/** The past of a store by itself: nothing of the live tree is in any cache. */
async function viewOf(run: Run, tree: MountedTree, seq: number): Promise<void> {
  await tree.unmount();
  const mountpoint = run.scope.temporary('disk');
  await dropCaches(3);
  await rewindMust(['view', tree.store, mountpoint]);
  try {
    const past = path.join(mountpoint, `@#${seq}`);
    run.note('grep -r of a past tree, first', await grep(past));
    run.note('grep -r of a past tree, again', await grep(past));
  } finally {
    await rewindMust(['unmount', mountpoint]);
  }
}

export const trees: readonly Workload[] = [
  {
    name: 'past tree',
    rows: ['grep -r of a past tree, first', 'grep -r of a past tree, again'].map(seconds),
    where: ['disk'],
    on: 'raw-and-rewindfs',
    async run(run) {
      const area = await run.fresh();
      makeTree(area, run.scale.viewFiles);
      await run.quiet();
      const { tree } = run.subject;
      if (tree !== undefined) return viewOf(run, tree, (await progress(tree)).seq);
      await dropCaches(3);
      run.note('grep -r of a past tree, first', await grep(area));
      run.note('grep -r of a past tree, again', await grep(area));
    },
  },
  {
    name: 'large tree',
    rows: [seconds('mount of a large tree until usable'), { name: 'memory of the daemon with a large tree, peak', unit: 'MiB', digits: 0, lessIsBetter: true }, seconds('large tree until all is in history')],
    where: ['disk'],
    on: 'rewindfs',
    once: true,
    async run(run) {
      const { tree } = run;
      await tree.unmount();
      await work('prepare', tree.tree, run.scale.mountFiles);
      const usable = await secondsOf(async () => {
        await tree.mount();
        fs.writeFileSync(path.join(tree.tree, 'd0', 'usable'), 'yes');
      });
      run.note('mount of a large tree until usable', usable);
      run.note('large tree until all is in history', usable + (await secondsOf(() => baselineDone(tree, 1_800_000))));
      run.note('memory of the daemon with a large tree, peak', memoryMiB(tree.daemon).peak);
      await caughtUp(tree);
    },
  },
];
