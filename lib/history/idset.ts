/** A set of content ids, a bit each: those of the extractor and those of merges are dense, each from its first on. */
import { MERGED_CONTENT } from './retained.js';

export class IdSet {
  private own = new Uint8Array(1 << 12);
  private merged = new Uint8Array(1 << 12);

  has(id: number): boolean {
    const at = id % MERGED_CONTENT;
    return (((id >= MERGED_CONTENT ? this.merged : this.own)[Math.floor(at / 8)] ?? 0) & (1 << (at & 7))) !== 0;
  }

  add(id: number): void {
    const at = id % MERGED_CONTENT;
    const kind = id >= MERGED_CONTENT ? 'merged' : 'own';
    const byte = Math.floor(at / 8);
    if (byte >= this[kind].length) {
      const larger = new Uint8Array(Math.max(this[kind].length * 2, byte + 1));
      larger.set(this[kind]);
      this[kind] = larger;
    }
    this[kind][byte]! |= 1 << (at & 7);
  }
}
