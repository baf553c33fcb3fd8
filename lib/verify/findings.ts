/**
 * What can be wrong with a store, once: every kind of finding with how bad it is and what to do about it. Guarantee: a kind
 * keeps its name for ever; each is a heading of docs/verify.md (a test holds the two together).
 */
import type { Family } from '../history/families.js';
import type { NodeId } from '../history/types.js';

/** `lost`: something cannot be answered; `wrong`: some answers may be incomplete or wrong; `harmless`: none is. */
export type Severity = 'lost' | 'wrong' | 'harmless';

const COPY = 'Restore the store from a copy. Until then what other entries tell can be read.';

export const FINDINGS = {
  'unreadable': { severity: 'lost', remedy: 'Look at the disk of the store (`dmesg`), copy the store away, and restore it from an older copy.' },
  'entry-malformed': { severity: 'lost', remedy: COPY },
  'beyond-watermark': { severity: 'wrong', remedy: 'A part of the database is older than the rest, or the entry is damaged: restore the store from a copy.' },
  'content-missing': { severity: 'lost', remedy: 'Restore the store from a copy; other instants of the file read as ever.' },
  'content-chain': { severity: 'lost', remedy: 'Restore the store from a copy; files that do not hold this piece of content read as ever.' },
  'content-damaged': { severity: 'lost', remedy: 'Restore the store from a copy; `block-damaged` says which files it concerns.' },
  'block-damaged': { severity: 'lost', remedy: 'Restore the store from a copy; other instants of the file read as ever.' },
  'hash-astray': { severity: 'harmless', remedy: 'Nothing has to be done: equal content may be stored twice.' },
  'states-out-of-order': { severity: 'wrong', remedy: COPY },
  'name-without-link': { severity: 'wrong', remedy: COPY },
  'link-without-name': { severity: 'wrong', remedy: COPY },
  'name-without-node': { severity: 'lost', remedy: COPY },
  'reference-without-change': { severity: 'wrong', remedy: COPY },
  'change-without-reference': { severity: 'wrong', remedy: COPY },
  'times-gap': { severity: 'wrong', remedy: COPY },
  'time-decreases': { severity: 'wrong', remedy: 'Ask by change number (`#N`) where a time is not certain; restore the store from a copy.' },
  'clock-astray': { severity: 'wrong', remedy: 'Ask by change number (`#N`) where a time is not certain; restore the store from a copy.' },
  'point-out-of-range': { severity: 'wrong', remedy: 'Do not use that point as a time; restore the store from a copy.' },
  'retention-crossed': { severity: 'wrong', remedy: COPY },
  'journal-hole': { severity: 'lost', remedy: 'Put back the history directory that belongs to this journal.' },
  'journal-worn': { severity: 'harmless', remedy: 'Nothing has to be done: history holds these records. Look at the disk of the store.' },
  'journal-damaged': { severity: 'lost', remedy: 'Copy the store away; docs/errors.md says how to go on without the rest of the journal.' },
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
}
