/**
 * Whose write-ahead logs are they? RocksDB takes any log that lies in its directory: its batches would be in tables before
 * anybody could ask. Guarantee: nothing is written; of each log only the first batch is read.
 */
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RewindError } from '../errors.js';
import { readBatch } from './raw/batch.js';
import { reason } from './raw/bytes.js';
import { readLog } from './raw/logfile.js';
import { strangerIn } from './raw/owner.js';

/** A batch of the extractor is not longer. */
const FIRST_BYTES = 32 << 20;

/** @throws ERR_STORE_CORRUPT when a log begins with a batch of another store */
export async function expectOwnLogs(directory: string, storeId: Buffer): Promise<void> {
  for (const name of (await readdir(directory).catch((): string[] => [])).filter((one) => one.endsWith('.log'))) {
    const stranger = await strangerAt(join(directory, name), storeId);
    if (stranger !== null) throw new RewindError('ERR_STORE_CORRUPT', `${join(directory, name)} is a log of store ${stranger}, not of ${storeId.toString('hex')}`, 'Put back what belongs to this store; `rewind repair` goes on without that log, if all else is of this store.');
  }
}

async function strangerAt(path: string, storeId: Buffer): Promise<string | null> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.min(size, FIRST_BYTES));
    await file.read(bytes, 0, bytes.length, 0);
    const [first] = readLog(bytes, 1).records;
    return first === undefined ? null : strangerIn(readBatch(first), storeId);
  } catch (error) {
    // What cannot be read RocksDB does not read either.
    reason(error);
    return null;
  } finally {
    await file.close();
  }
}
