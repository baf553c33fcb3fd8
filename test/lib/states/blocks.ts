/** Who is blocked stays so across a restart of the daemon, for as long as the process runs. */
import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { Blocks, type Block } from '../../../lib/states/blocks.js';
import { scoped, type Scope } from '../../helpers/scope.js';

const block = (pid: number, start = 5): Block => ({ pid, start, command: 'sh loop', what: 'encryption', count: 50, first: 9, sinceMs: 1 });

/** What the engine was last told, and a way to be a new daemon on the same store. */
function store(scope: Scope, running: Set<number>) {
  const file = path.join(scope.temporary('memory'), 'blocked.json');
  const told: string[][] = [];
  const open = (boot = 'a') => Blocks.load({ file, boot, block: (families) => told.push(families), processes: { runs: async ({ pid, start }) => running.has(pid) && start === 5, parent: async () => null } });
  return { file, told, open };
}

test.serial('a new daemon goes on with who still runs, and says who is gone', async (t) => {
  await scoped(async (scope) => {
    const running = new Set([1, 2]);
    const { told, open } = store(scope, running);
    const { blocks } = await open();
    t.deepEqual(told, []);
    t.true(await blocks.add(block(1)));
    t.true(await blocks.add(block(2)));
    t.false(await blocks.add(block(2)));
    t.deepEqual(told.at(-1), ['1:5', '2:5']);
    running.delete(1);
    const again = await open();
    t.deepEqual(told.at(-1), ['2:5']);
    t.deepEqual(again.gone.map(({ pid }) => pid), [1]);
    t.deepEqual(again.blocks.list().map(({ pid }) => pid), [2]);
    const other = await open('b');
    t.deepEqual([other.blocks.list().length, other.gone.length], [0, 1], 'after a start of the machine no process is the same');
  });
});

test.serial('who was released is not blocked again, and leaves nothing behind', async (t) => {
  await scoped(async (scope) => {
    const { file, told, open } = store(scope, new Set([1]));
    const { blocks } = await open();
    await blocks.add(block(1));
    t.true(fs.existsSync(file));
    await blocks.release(blocks.list()[0]!);
    t.deepEqual(told.at(-1), []);
    t.false(fs.existsSync(file));
    t.false(await blocks.add(block(1)));
    t.true(await blocks.add(block(1, 6)), 'another process of the same number');
  });
});

test.serial('a file that cannot be read blocks nobody', async (t) => {
  await scoped(async (scope) => {
    const { file, told, open } = store(scope, new Set([1]));
    for (const text of ['', '{', '{}', '{"boot":"a","blocks":[{"pid":"1"}]}', 'null']) {
      fs.writeFileSync(file, text);
      t.deepEqual((await open()).blocks.list(), [], text);
    }
    t.deepEqual(told, []);
  });
});
