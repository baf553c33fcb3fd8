/** The part of rocksdb-native 3.18 that rocks.ts uses; the package ships no types. */
declare module 'rocksdb-native' {
  class ColumnFamily {
    constructor(name: string, options: Record<string, unknown>);
    readonly name: string;
  }

  interface Range { gt?: Buffer; gte?: Buffer; lt?: Buffer; lte?: Buffer }
  interface IteratorOptions { reverse?: boolean; limit?: number; capacity?: number; values?: boolean }

  class Batch {
    /** The session whose column family the next operation goes to. Not documented, see Batch in rocks.ts. */
    _db: RocksDB;
    get(key: Buffer): Promise<Buffer | null>;
    tryPut(key: Buffer, value: Buffer): void;
    tryDelete(key: Buffer): void;
    flush(): Promise<void>;
    tryFlush(): void;
    destroy(): void;
  }

  class RocksDB {
    static readonly ColumnFamily: typeof ColumnFamily;
    constructor(path: string, options: Record<string, unknown>);
    ready(): Promise<void>;
    close(options?: { force?: boolean }): Promise<void>;
    session(options: { columnFamily: ColumnFamily }): RocksDB;
    read(options?: { capacity?: number }): Batch;
    write(options?: { capacity?: number }): Batch;
    iterator(range: Range, options?: IteratorOptions): AsyncIterable<{ key: Buffer; value: Buffer }>;
    flush(): Promise<void>;
    compactRange(start: Buffer | null, end: Buffer | null, options: { blobGarbageCollectionPolicy: number; blobGarbageCollectionAgeCutoff: number; bottommostLevelCompaction: number }): Promise<void>;
    getProperty(name: string): Promise<string | number | null>;
  }

  export default RocksDB;
}
