/** Who asks for a save finds it in history, however much others write meanwhile; what that takes is printed. */
import test from 'ava';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { StatusRow } from '../../lib/index.js';
import { mountSettled } from '../helpers/mount.js';
import { sleep } from '../helpers/run.js';
import { scoped } from '../helpers/scope.js';

const SECONDS = 6;

/** Writers that leave a backlog: many small files, and large ones. */
const LOADS: [what: string, script: string][] = [
  ['small files', 'i=0; while :; do mkdir -p d$((i % 100)); for j in 1 2 3 4 5 6 7 8; do echo "line $i $j" > d$((i % 100))/f$j; done; i=$((i + 1)); done'],
  ['large files', 'while :; do for i in 1 2 3 4; do head -c 64M /dev/urandom > big$i; done; done'],
];

for (const [what, script] of LOADS) {
  test.serial(`under a load of ${what} a file that is saved again and again is found in history by who asks`, async (t) => {
    await scoped(async (scope) => {
      const tree = await mountSettled(scope, { where: 'memory' });
      const hot = path.join(tree.tree, 'hot');
      const load = spawn('bash', ['-c', script], { cwd: tree.tree, stdio: 'ignore', detached: true });
      const waits: number[] = [];
      const backlogs: number[] = [];
      try {
        await sleep(2000);
        for (let i = 0, end = Date.now() + SECONDS * 1000; Date.now() < end; i++) {
          fs.writeFileSync(hot, `save ${i}`);
          backlogs.push((await tree.control('status') as unknown as StatusRow).backlog_bytes);
          const began = performance.now();
          const row = await tree.control('log', { path: 'hot', limit: 1 }) as { size: number };
          waits.push(performance.now() - began);
          t.is(row.size, `save ${i}`.length);
          await sleep(200);
        }
      } finally {
        process.kill(-load.pid!, 'SIGKILL');
      }
      waits.sort((a, b) => a - b);
      const at = (share: number): string => `${waits[Math.floor((waits.length - 1) * share)]!.toFixed(0)} ms`;
      t.log(`${waits.length} saves; until the save is in history and told: median ${at(0.5)}, 95 of 100 ${at(0.95)}, longest ${at(1)}; backlog at most ${(Math.max(...backlogs) / 2 ** 20).toFixed(0)} MiB`);
      t.true(waits.at(-1)! < 60_000);
    });
  });
}
