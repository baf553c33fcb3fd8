/**
 * Finds content that resembles other content, by the anchors that they share. Guarantees: bounded in memory, whatever is
 * added: of two that need the same place the newer one stays; an answer is a guess, which the bytes confirm or not.
 */

/** Places; two numbers each. */
const PLACES = 1 << 20;

export class Similar {
  private readonly anchors = new Uint32Array(PLACES);
  /** 0 = nothing here. */
  private readonly ids = new Float64Array(PLACES);

  /** What is added later is found first. */
  add(id: number, anchors: readonly number[]): void {
    for (const anchor of anchors) {
      const place = anchor % PLACES;
      this.anchors[place] = anchor;
      this.ids[place] = id;
    }
  }

  /** Those that share the most anchors, at most so many; of equal ones the newest first. */
  to(anchors: readonly number[], most: number): number[] {
    const shared = new Map<number, number>();
    for (const anchor of anchors) {
      const place = anchor % PLACES;
      const id = this.ids[place]!;
      if (id !== 0 && this.anchors[place] === anchor) shared.set(id, (shared.get(id) ?? 0) + 1);
    }
    return [...shared].sort(([a, n], [b, m]) => m - n || b - a).slice(0, most).map(([id]) => id);
  }
}
