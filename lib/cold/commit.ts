/** The book of cold files (lib/history/cold/book.ts) as it is now goes to the database. */
import { META_COLD } from '../history/cold/book.js';
import type { History } from '../history/history.js';

/** Not on stable storage yet when it ends. */
export async function commitBook({ rocks }: History): Promise<void> {
  const batch = rocks.batch(1);
  try {
    batch.put('meta', META_COLD, await rocks.cold.encoded());
    await rocks.commit(batch);
  } finally {
    batch.end();
  }
}
