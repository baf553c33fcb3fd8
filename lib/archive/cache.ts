/** Blocks of an archive that were read last. Guarantee: they come to so many bytes at most, or there is but one. */
export class BlockCache {
  private readonly blocks = new Map<number, { bytes: Promise<Buffer>; size: number }>();
  private held = 0;

  constructor(private readonly mostBytes: number) {}

  /** The block of this number, read now when it is not here; one that cannot be read is not kept. */
  get(number: number, read: () => Promise<Buffer>): Promise<Buffer> {
    const known = this.blocks.get(number);
    if (known) {
      this.blocks.delete(number);
      this.blocks.set(number, known);
      return known.bytes;
    }
    const block = { bytes: read(), size: 0 };
    this.blocks.set(number, block);
    block.bytes.then(({ length }) => {
      block.size = length;
      this.held += length;
      this.forget();
    }, () => this.blocks.delete(number));
    return block.bytes;
  }

  private forget(): void {
    for (const [number, { size }] of this.blocks) {
      if (this.held <= this.mostBytes || this.blocks.size === 1) return;
      if (size === 0) continue;
      this.blocks.delete(number);
      this.held -= size;
    }
  }
}
