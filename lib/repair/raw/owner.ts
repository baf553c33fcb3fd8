/** Whose is a batch? RocksDB's logs do not say, but the extractor's batches do. */
import { decodeMeta, META_FOLD } from '../../history/meta.js';
import type { LoggedBatch } from './batch.js';

/** The other store that a batch is of; batches of the extractor say whose they are. */
export function strangerIn({ operations }: LoggedBatch, storeId: Buffer): string | null {
  for (const { entry } of operations) {
    const store = entry.key.equals(META_FOLD) ? storeIn(entry.value) : undefined;
    if (store !== undefined && store !== storeId.toString('hex')) return store;
  }
  return null;
}

function storeIn(fold: Buffer): string | undefined {
  try {
    return decodeMeta(fold).store;
  } catch {
    return undefined;
  }
}
