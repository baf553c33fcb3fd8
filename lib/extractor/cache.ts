/**
 * A bounded map for the fold. Guarantees: what was set or read since the last `age` stays, so that what a batch has
 * prefetched is there while it is folded; `age`, called between batches, drops what was not used for a while once
 * there is more than the limit.
 */
export class AgingMap<K, V> {
  private young = new Map<K, V>();
  private old = new Map<K, V>();

  constructor(private readonly limit: number) {}

  get(key: K): V | undefined {
    const found = this.young.get(key);
    if (found !== undefined) return found;
    const aged = this.old.get(key);
    if (aged !== undefined) this.young.set(key, aged);
    return aged;
  }

  set(key: K, value: V): void {
    this.young.set(key, value);
  }

  age(): void {
    if (this.young.size <= this.limit) return;
    this.old = this.young;
    this.young = new Map();
  }
}
