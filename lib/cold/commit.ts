/** The book of cold files (lib/history/cold/book.ts) as it is now goes to the database. */
import { META_COLD } from '../history/cold/book.js';
import type { History } from '../history/history.js';
import { u64Key } from '../history/keys.js';

/** With values of contents that it tells of; not on stable storage yet when it ends. */
export async function commitBook({ rocks }: History, contents: readonly { id: number; value: Buffer }[] = []): Promise<void> {
  const batch = rocks.batch(contents.length + 1);
  try {
    for (const { id, value } of contents) batch.put('content', u64Key(id), value);
    batch.put('meta', META_COLD, await rocks.cold.encoded());
    await rocks.commit(batch);
  } finally {
    batch.end();
  }
}
