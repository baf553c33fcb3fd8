/** Seeded randomness: the same seed gives the same test, on every machine. */
export class Random {
  private state: number;

  constructor(readonly seed: number) {
    this.state = (seed ^ 0x9e3779b9) >>> 0;
    for (let i = 0; i < 8; i++) this.next();
  }

  /** 32 random bits (mulberry32). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    return Math.floor((this.next() / 2 ** 32) * bound);
  }

  /** An integer in [low, high]. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(probability: number): boolean {
    return this.next() / 2 ** 32 < probability;
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error('Random.pick of an empty list');
    return items[this.below(items.length)]!;
  }
}

/** The seed named by the environment (REWIND_SEED), else a fresh one: whoever uses it must print it. */
export function freshSeed(): number {
  const named = process.env['REWIND_SEED'];
  return named ? Number(named) : (Date.now() ^ (process.pid << 12)) >>> 0;
}
