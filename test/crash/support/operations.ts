/** Operations that are begun and cut off. */
import { rewind, type MountedTree } from '../../helpers/mount.js';
import { sleep } from '../../helpers/run.js';

/** Begins an operation; resolves when its first point stands, which is before its first change. */
export async function begun(tree: MountedTree, args: string[]): Promise<{ ended: Promise<unknown> }> {
  const newest = async (): Promise<unknown> => (await tree.control('operations').catch(() => null))?.['id'];
  const before = await newest();
  const ended = rewind([...args, '--yes', '--tree', tree.tree], { timeoutMs: 120_000 }).catch(() => null);
  while (await newest() === before) await sleep(1);
  return { ended };
}

/** The operation that waits to be gone on with. */
export const interrupted = async (tree: MountedTree): Promise<unknown> => (await tree.status())['interrupted'];
