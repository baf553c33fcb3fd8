/** Operations that are begun and cut off. */
import { baselineDone, rewind, type MountedTree } from '../../helpers/mount.js';
import { sleep } from '../../helpers/run.js';

/** On a busy machine an operation may end before its daemon is killed. */
const TRIES = 10;

/** Begins an operation; resolves when its first point stands, which is before its first change. */
export async function begun(tree: MountedTree, args: string[]): Promise<{ ended: Promise<unknown> }> {
  const newest = async (): Promise<unknown> => (await tree.control('operations').catch(() => null))?.['id'];
  const before = await newest();
  let over = '';
  const ended = rewind([...args, '--yes', '--tree', tree.tree], { timeoutMs: 120_000 }).catch(() => null);
  void ended.then((result) => { over = `${args.join(' ')} ended without having begun: ${result?.stderr ?? 'no answer'}`; });
  while (await newest() === before) {
    if (over !== '' && await newest() === before) throw new Error(over);
    await sleep(1);
  }
  return { ended };
}

/** Kills the daemon in the middle of an operation, and mounts the tree again: the operation waits to be gone on with. */
export async function cutOff(tree: MountedTree, args: string[]): Promise<void> {
  for (let i = 0; i < TRIES; i++) {
    const { ended } = await begun(tree, args);
    await tree.kill();
    await ended;
    await tree.mount();
    await baselineDone(tree);
    if (await interrupted(tree)) return;
    await tree.rewind('undo', '--yes');
  }
  throw new Error(`${args.join(' ')} ended before its daemon was killed, ${TRIES} times`);
}

/** The operation that waits to be gone on with. */
export const interrupted = async (tree: MountedTree): Promise<unknown> => (await tree.status())['interrupted'];
