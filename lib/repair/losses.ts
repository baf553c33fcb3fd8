/**
 * What of history could not be read: ranges of keys, by family. Guarantee: a range that is told is never smaller than what
 * was lost; where it is not known, it is the whole family, or all of them.
 */
import { FAMILIES, type Family } from '../history/families.js';
import type { Seq } from '../history/types.js';

/** Keys from `from` to `to`, both included; null: without end. `since`: entries of up to this instant are there again. */
export interface Loss { family: Family; from: Buffer | null; to: Buffer | null; since: Seq; why: string }

export class Losses {
  all: readonly Loss[] = [];

  /** `family` null: it is not known of which. */
  add(family: Family | null, from: Buffer | null, to: Buffer | null, why: string): void {
    this.all = [...this.all, ...(family === null ? FAMILIES : [family]).map((one) => ({ family: one, from, to, since: 0, why }))];
  }

  in(...families: readonly Family[]): Loss[] {
    return this.all.filter(({ family }) => families.includes(family));
  }

  /** What was had from elsewhere. */
  forget(isThere: (loss: Loss) => boolean): void {
    this.all = this.all.filter((loss) => !isThere(loss));
  }
}
