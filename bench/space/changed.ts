/** How many bytes of all writes were other than what lay there just before: counted from history, write by write. */
import { Kind } from '../../lib/extractor/record.js';
import type { History } from '../../lib/history/history.js';
import { ROOT } from '../../lib/history/types.js';

/** Writes that are looked at together. */
const TOGETHER = 256;

interface Written { node: number; seq: number; offset: number; length: number }

/** `database`: the file in the root whose bytes are counted by themselves too. */
export async function changedBytes(history: History, database?: string): Promise<{ writtenBytes: number; changedBytes: number; ofDatabase?: number }> {
  const counted = database === undefined ? null : (await history.lookup(ROOT, database, history.watermark()))!.node;
  let [written, changed, ofDatabase] = [0, 0, 0];
  const look = async (writes: Written[]): Promise<void> => {
    const differ = await Promise.all(writes.map((write) => differing(history, write)));
    writes.forEach(({ node, length }, i) => {
      written += length;
      changed += differ[i]!;
      if (node === counted) ofDatabase += differ[i]!;
    });
  };
  let writes: Written[] = [];
  for await (const { kind, node, seq, offset, length } of history.changes(0, history.watermark())) {
    if (kind !== Kind.Write) continue;
    writes.push({ node, seq, offset, length });
    if (writes.length < TOGETHER) continue;
    await look(writes);
    writes = [];
  }
  await look(writes);
  return { writtenBytes: written, changedBytes: changed, ...counted !== null && { ofDatabase } };
}

async function differing(history: History, { node, seq, offset, length }: Written): Promise<number> {
  const [before, after] = await Promise.all([history.read(node, offset, length, seq - 1), history.read(node, offset, length, seq)]);
  let count = Math.max(0, length - before.length);
  for (let i = 0; i < Math.min(before.length, after.length); i++) if (before[i] !== after[i]) count++;
  return count;
}
