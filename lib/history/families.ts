/** The column families of history and how each is tuned. docs/history.md describes their keys and values. */

/** Names of the families, in the order in which RocksDB knows them. */
export const FAMILIES = [
  'meta', 'nodes', 'names', 'links', 'xattrs', 'inodes', 'blocks', 'cuts', 'content', 'hashes',
  'changes', 'nodechanges', 'clock', 'times', 'writers', 'points', 'gaps', 'removed', 'chain',
] as const;

export type Family = (typeof FAMILIES)[number];

const MiB = 1 << 20;

/**
 * Write buffers are small because there are many of them and the daemon's memory is bounded (two can be held for each
 * family). Only `content` has blob files: a value lies in one place from its first flush on and compaction moves keys only.
 */
export function familyOptions(family: Family): Record<string, unknown> {
  const common = { maxWriteBufferNumber: 2, optimizeFiltersForMemory: true };
  switch (family) {
    case 'content':
      return { ...common, writeBufferSize: 16 * MiB, enableBlobFiles: true, minBlobSize: 1024, blobFileSize: 256 * MiB };
    case 'nodes': case 'names': case 'links': case 'blocks': case 'changes': case 'nodechanges': case 'hashes':
      return { ...common, writeBufferSize: 4 * MiB };
    default:
      return { ...common, writeBufferSize: 2 * MiB };
  }
}
