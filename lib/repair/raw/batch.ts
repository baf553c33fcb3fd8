/** A batch as it lies in a write-ahead log (db/write_batch.cc): its operations, each with its family and sequence. */
import { Damaged, RawReader } from './bytes.js';
import { Type, type RawEntry } from './entry.js';

/** Bytes of sequence and count. */
const HEAD_BYTES = 12;

const enum Op { Delete = 0, Put = 1, Note = 3, FamilyDelete = 4, FamilyPut = 5, Nothing = 13 }

export interface LoggedBatch { sequence: number; count: number; operations: { family: number; entry: RawEntry }[] }

/** @throws Damaged for what history never writes, too */
export function readBatch(record: Buffer): LoggedBatch {
  if (record.length < HEAD_BYTES) throw new Damaged(`a batch of ${record.length} bytes`);
  const from = new RawReader(record);
  const batch: LoggedBatch = { sequence: from.u64(), count: from.u32(), operations: [] };
  while (from.more) {
    const op = from.u8();
    if (op === Op.Nothing) continue;
    if (op === Op.Note) {
      from.slice();
      continue;
    }
    if (op !== Op.Delete && op !== Op.Put && op !== Op.FamilyDelete && op !== Op.FamilyPut) throw new Damaged(`a batch with an operation ${op}`);
    const family = op === Op.FamilyDelete || op === Op.FamilyPut ? from.varint() : 0;
    const key = from.slice();
    const isPut = op === Op.Put || op === Op.FamilyPut;
    batch.operations.push({ family, entry: { key, sequence: batch.sequence + batch.operations.length, type: isPut ? Type.Value : Type.Deletion, value: isPut ? from.slice() : Buffer.alloc(0) } });
  }
  if (batch.operations.length !== batch.count) throw new Damaged(`a batch of ${batch.operations.length} operations, ${batch.count} expected`);
  return batch;
}
