/** An entry as tables and logs hold it. */

/** What an internal key's last byte says. */
export const enum Type { Deletion = 0, Value = 1, BlobIndex = 17 }

/** An entry with RocksDB's own sequence: of equal keys the largest counts. */
export interface RawEntry { key: Buffer; sequence: number; type: Type; value: Buffer }
