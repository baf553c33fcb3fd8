/** A history whose old content goes to a directory of its own. */
import fs from 'node:fs';
import path from 'node:path';
import { ColdTier } from '../../lib/cold/tier.js';
import { coldPlaceOf } from '../../lib/history/cold/place.js';
import type { History } from '../../lib/history/history.js';
import { getU64 } from '../../lib/history/keys.js';
import type { Seq } from '../../lib/history/types.js';
import type { ColdRules } from '../../lib/policy/cold.js';

/** Makes all cold that no instant from this one on needs. `fileBytes`: a file is not gone on with that has so many. */
export async function cool(history: History, directory: string, seq: Seq, fileBytes?: number): Promise<void> {
  const timeMs = Number((await history.timeOf(seq))! / 1_000_000n);
  // A change of the next millisecond is younger.
  const rules: ColdRules = { directory, afterMs: Date.now() - timeMs - 1 };
  const tier = new ColdTier(history, () => rules, fileBytes);
  await tier.begin();
  while (await tier.step()) { /* All of it. */ }
}

/** Ids of the contents that are cold. */
export async function coldIds(history: History): Promise<number[]> {
  const ids: number[] = [];
  for await (const { key, value } of history.rocks.scan('content', {})) if (coldPlaceOf(value) !== null) ids.push(getU64(key, 0));
  return ids;
}

/** Every file below a directory. */
export function filesOf(directory: string): string[] {
  return fs.readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name)).sort();
}

/** While it runs, the directory is away. */
export async function away<T>(directory: string, act: () => Promise<T>): Promise<T> {
  fs.renameSync(directory, `${directory}.away`);
  try {
    return await act();
  } finally {
    fs.renameSync(`${directory}.away`, directory);
  }
}
