/**
 * Memory for the values of one batch, used again for the next: large values would otherwise be allocated and collected one
 * by one. Guarantee: what `take` answers stays untouched until `reset`, which is called only after the batch is committed.
 */
const SLAB_BYTES = 1 << 20;

export class Arena {
  private readonly slabs: Buffer[] = [];
  private slab = 0;
  private used = 0;

  /** Uninitialized bytes. */
  take(length: number): Buffer {
    if (length > SLAB_BYTES) return Buffer.allocUnsafeSlow(length);
    if (this.used + length > SLAB_BYTES) {
      this.slab++;
      this.used = 0;
    }
    const slab = (this.slabs[this.slab] ??= Buffer.allocUnsafeSlow(SLAB_BYTES));
    this.used += length;
    return slab.subarray(this.used - length, this.used);
  }

  reset(): void {
    this.slab = 0;
    this.used = 0;
  }
}
