/** Copies of trees, and the comparison that the guarantees are stated in: rsync finds nothing to do. */
import { must, run } from './run.js';

/** Everything of `from` in `to`, exact: links, ACLs, attributes, owners, times to the nanosecond (which rsync keeps for files only). */
export async function copyTree(from: string, to: string): Promise<void> {
  await must('cp', ['-a', `${from}/.`, `${to}/`], { timeoutMs: 300_000 });
}

/**
 * What rsync would change to make `actual` equal to `expected`, content compared by checksum, times to the nanosecond;
 * empty when they are identical.
 */
export async function rsyncDifferences(expected: string, actual: string): Promise<string> {
  const args = ['-aHAXn', '--numeric-ids', '--checksum', '--delete', '--modify-window=-1', '-i', `${expected}/`, `${actual}/`];
  const result = await run('rsync', args, { timeoutMs: 300_000 });
  if (result.code !== 0) throw new Error(`rsync ${args.join(' ')}: exit ${result.code}\n${result.stderr}`);
  return result.stdout;
}
