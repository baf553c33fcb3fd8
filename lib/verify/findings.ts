/**
 * What can be wrong with a store, once: every kind of finding with how bad it is and what to do about it. Guarantee: a kind
 * keeps its name for ever; each is a heading of docs/verify.md (a test holds the two together).
 */
import type { Family } from '../history/families.js';
import type { NodeId, Seq } from '../history/types.js';

/** `lost`: something cannot be answered; `wrong`: some answers may be incomplete or wrong; `harmless`: none is. */
export type Severity = 'lost' | 'wrong' | 'harmless';

const ANEW = '`rewind repair` makes it anew from the rest of the store.';
const LOST = '`rewind repair` takes it from the live tree, or with --from from a copy of the store; else it names what is lost. All else reads as ever.';

export const FINDINGS = {
  'unreadable': { severity: 'lost', remedy: 'Look at the disk of the store (`dmesg`); `rewind repair` reads all that can be read into a new database.' },
  'entry-malformed': { severity: 'lost', remedy: '`rewind repair` takes it out, and makes it anew where the rest of the store or a copy (--from) says what it was.' },
  'beyond-watermark': { severity: 'wrong', remedy: 'A part of the database is older than the rest, or the entry is damaged: `rewind repair` takes it out.' },
  'content-missing': { severity: 'lost', remedy: LOST },
  'content-chain': { severity: 'lost', remedy: LOST },
  'content-damaged': { severity: 'lost', remedy: LOST },
  'block-damaged': { severity: 'lost', remedy: LOST },
  'hash-astray': { severity: 'harmless', remedy: 'Nothing has to be done: equal content may be stored twice. `rewind repair` makes it anew.' },
  'states-out-of-order': { severity: 'wrong', remedy: '`rewind repair` puts the states in order; the content of that file counts as not captured.' },
  'name-without-link': { severity: 'wrong', remedy: ANEW },
  'link-without-name': { severity: 'wrong', remedy: ANEW },
  'name-without-node': { severity: 'lost', remedy: '`rewind repair` takes its attributes from a copy of the store (--from); else it stands there for root only, without content.' },
  'reference-without-change': { severity: 'wrong', remedy: ANEW },
  'change-without-reference': { severity: 'wrong', remedy: ANEW },
  'times-gap': { severity: 'wrong', remedy: '`rewind repair` gives these records the times of their changes, or of the records before them.' },
  'time-decreases': { severity: 'wrong', remedy: 'Ask by change number (`#N`) where a time is not certain; `rewind repair` puts the times in order.' },
  'clock-astray': { severity: 'wrong', remedy: ANEW },
  'point-out-of-range': { severity: 'wrong', remedy: 'Do not use that point as a time; `rewind repair` takes it out.' },
  'retention-crossed': { severity: 'wrong', remedy: '`rewind repair` hides all that either of the stretches hides.' },
  'chain-broken': { severity: 'wrong', remedy: 'Somebody altered history, or its disk did: compare with a copy of the store. `rewind repair` goes on with the chain, and notes that it does not speak for these records.' },
  'chain-gap': { severity: 'wrong', remedy: 'Records or links were taken out: compare with a copy of the store. `rewind repair` goes on with the chain, and notes that it does not speak for these records.' },
  'attributes-altered': { severity: 'wrong', remedy: 'Do not trust owner, mode, size and times of these instants: compare with a copy of the store. `rewind repair` notes that the chain does not speak for them.' },
  'content-altered': { severity: 'wrong', remedy: 'Do not trust the content of this file from then on: compare with a copy of the store. `rewind repair` notes that the chain does not speak for it.' },
  'entry-unrecorded': { severity: 'wrong', remedy: 'Do not trust this file at that instant and after it: compare with a copy of the store. `rewind repair` notes that the chain does not speak for it.' },
  'anchor-mismatch': { severity: 'wrong', remedy: 'This is not the history that the anchor was taken of: use a copy of the store that fits it, and find out who could write to this one.' },
  'chain-mended': { severity: 'wrong', remedy: 'If nobody of yours repaired this store then, it was tampered with: use a copy from before.' },
  'cold-away': { severity: 'lost', remedy: 'Attach the disk that holds it, or name in [cold] of the policy where it is now: what lies there can be read again. All else reads as ever.' },
  'cold-damaged': { severity: 'harmless', remedy: 'Look at the disk that holds it. What it holds can be read as far as that is whole (`rewind verify --deep`).' },
  'journal-hole': { severity: 'lost', remedy: 'Put back the history directory that belongs to this journal; without one `rewind repair` goes on behind what is lost.' },
  'journal-worn': { severity: 'harmless', remedy: 'Nothing has to be done: history holds these records. Look at the disk of the store.' },
  'journal-damaged': { severity: 'lost', remedy: '`rewind repair` brings what lies before it into history, and goes on without the rest.' },
} as const satisfies Record<string, { severity: Severity; remedy: string }>;

export type FindingKind = keyof typeof FINDINGS;

/** Something that is wrong, at one place. */
export interface Finding {
  kind: FindingKind;
  /** Where it was found. */
  family: Family | 'journal';
  /** Of the entry; empty when it is about no single one. */
  key: Buffer;
  /** In words: what was expected, and what is there. */
  what: string;
  /** The object that it concerns, where that is known. */
  node?: NodeId;
  /** The instant that it concerns, where the key does not say it. */
  seq?: Seq;
}
