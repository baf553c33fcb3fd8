/**
 * How checks look at history: entries of a family in the order of their keys, a page at a time, each check with what it
 * needs to look up. Guarantee: a check answers from the entries it is given, the one in front of them and history alone, so
 * that whatever it suspects is asked again of single entries: history may grow and be packed meanwhile.
 */
import type { Family } from '../history/families.js';
import type { History } from '../history/history.js';
import { union, within } from '../history/retained.js';
import type { Entry } from '../history/rocks.js';
import type { NodeId, Seq } from '../history/types.js';
import type { FindingKind } from './findings.js';

/** What a check suspects of an entry. */
export interface Suspicion { kind: FindingKind; entry: Entry; what: string; node?: NodeId; seq?: Seq }

export interface Check {
  readonly family: Family;
  /** `before`: the entry in front of the first, if there is one. Only entries that decode are given. */
  page(entries: readonly Entry[], before: Entry | null): Promise<Suspicion[]>;
}

/** The instant whose state an entry of `seq` stands for: within a stretch that is merged, or is about to be, its end. */
export function standsFor(history: History, seq: Seq): Seq {
  const { merged, due } = history.retention();
  return within(union(merged, due), seq)?.to ?? seq;
}

/** Do two keys differ in nothing but the seq they end with? */
export const samePlace = (a: Buffer, b: Buffer): boolean => a.length === b.length && a.compare(b, 0, b.length - 8, 0, b.length - 8) === 0;
