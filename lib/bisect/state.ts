/** A bisect by hand, kept in the store between its commands: one small file, written whole or not at all. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RewindError } from '../errors.js';
import { replaceFile } from '../replace.js';
import { asStoreError, type Store } from '../store/store.js';
import type { Verdict } from './search.js';

/** The fork in which a bisect by hand shows instants. The name is kept for it. */
export const BISECT_FORK = 'bisect';

/** What bisect.json says. */
export interface BisectState {
  good: number;
  bad: number;
  paths: string[];
  readOnly: boolean;
  /** By seq. */
  verdicts: [seq: number, verdict: Verdict][];
  /** The instant that waits for an answer; null when the search has come to its end. */
  current: number | null;
}

const fileOf = (store: Store): string => join(store.layout.root, 'bisect.json');

/** @throws ERR_BISECT_STATE when none was begun */
export async function readBisect(store: Store): Promise<BisectState> {
  const text = await readFile(fileOf(store), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw asStoreError(error, fileOf(store));
    throw new RewindError('ERR_BISECT_STATE', 'No bisect was begun', 'rewind bisect start --good TIME');
  });
  try {
    return JSON.parse(text) as BisectState;
  } catch (cause) {
    throw new RewindError('ERR_STORE_CORRUPT', `${fileOf(store)} cannot be understood`, 'rewind bisect reset', { cause });
  }
}

export async function writeBisect(store: Store, state: BisectState): Promise<void> {
  try {
    await replaceFile(fileOf(store), JSON.stringify(state) + '\n');
  } catch (error) {
    throw asStoreError(error, fileOf(store));
  }
}

export async function removeBisect(store: Store): Promise<void> {
  await rm(fileOf(store), { force: true });
}
