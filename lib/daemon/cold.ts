/** What `status` and `pack` say of cold content: where it lies, and whether that is there. Asks for directories only, never for content. */
import { isThere } from '../cold/tier.js';
import type { History } from '../history/history.js';
import { safeForTerminal } from '../paths.js';
import type { ColdRules } from '../policy/cold.js';
import type { ColdRow } from './space-rows.js';

/** Directories that hold some, and that of the policy. */
export async function coldRows(history: History, rules: ColdRules | null): Promise<ColdRow[]> {
  const { cold } = history.rocks;
  const sums = new Map<string, Pick<ColdRow, 'files' | 'bytes' | 'live_bytes'>>();
  if (rules !== null) sums.set(rules.directory, { files: 0, bytes: 0, live_bytes: 0 });
  for (const { directory, bytes, live, gone } of (await cold.book()).files.values()) {
    if (gone === true) continue;
    const sum = sums.get(directory) ?? { files: 0, bytes: 0, live_bytes: 0 };
    sums.set(directory, { files: sum.files + 1, bytes: sum.bytes + bytes, live_bytes: sum.live_bytes + live });
  }
  return Promise.all([...sums].map(async ([directory, sum]): Promise<ColdRow> => {
    const needed = sum.files > 0 ? await cold.directoryIn(directory) : directory;
    return { directory: safeForTerminal(directory), ...sum, there: await isThere(needed) };
  }));
}
