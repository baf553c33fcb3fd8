/**
 * Content that was lately stored or found again: what comes twice mostly comes soon, and is then found without asking the
 * database. Guarantees: what was set since the last but one `age` is known, so that a batch under way sees that of the
 * batch before; memory is bounded by about twice KEPT_BYTES, the journal reads that bytes lie in counted whole.
 */
const KEPT_BYTES = 16 << 20;

/** Stored content. */
export interface Content { id: number; bytes: Buffer }

export class RecentContents {
  private young = new Map<bigint, Content>();
  private old = new Map<bigint, Content>();
  private heldBytes = 0;

  /** By XXH64; the bytes decide. */
  get(hash: bigint): Content | undefined {
    const found = this.young.get(hash);
    if (found !== undefined) return found;
    const aged = this.old.get(hash);
    if (aged !== undefined) this.set(hash, aged, aged.bytes.length);
    return aged;
  }

  /** `ownBytes`: memory that nothing else counts; 0 when its bytes lie in this batch's read. */
  set(hash: bigint, content: Content, ownBytes: number): void {
    this.young.set(hash, content);
    this.heldBytes += ownBytes;
  }

  /** Between batches. `heldBytes`: the read that the next batch's content lies in. */
  age(heldBytes: number): void {
    if (this.heldBytes > KEPT_BYTES) {
      this.old = this.young;
      this.young = new Map();
      this.heldBytes = 0;
    }
    this.heldBytes += heldBytes;
  }
}
