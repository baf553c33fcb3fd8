/**
 * What an archive says of itself: of which store, which instant, and what it goes on from. JSON, so that it can be read in
 * any dump of the file. Guarantee: a head that lacks anything, or says what cannot be, is refused.
 */
import type { Seq } from '../history/types.js';
import { Broken } from './format.js';

/** An instant of a store's history. */
export interface ArchiveInstant {
  seq: Seq;
  /** Of its record, in nanoseconds since the epoch. */
  timeNs: bigint;
}

/** A group of the policy file, as it was defined then. */
export interface ArchiveGroup {
  name: string;
  include: string[];
  exclude: string[];
}

/** The head of an archive. */
export interface Head {
  /** Id of the store, and the tree that it is of. */
  store: string;
  tree: string;
  /** The instant that the archive holds. */
  at: ArchiveInstant;
  /** Names of the points at that instant. */
  names: string[];
  /** The one that it goes on from: it holds what differs. null: it holds all. */
  base: ArchiveInstant | null;
  /** Only members of this group. null: the whole tree. */
  group: ArchiveGroup | null;
  /** When it was made (RFC 3339). */
  made: string;
}

interface RawInstant { seq: number; time_ns: string }

const rawInstant = ({ seq, timeNs }: ArchiveInstant): RawInstant => ({ seq, time_ns: String(timeNs) });

export function encodeHead(head: Head): Buffer {
  return Buffer.from(`${JSON.stringify({ ...head, at: rawInstant(head.at), base: head.base && rawInstant(head.base) }, null, 1)}\n`);
}

/** @throws Broken */
export function decodeHead(bytes: Buffer): Head {
  let raw: Record<string, unknown>;
  try {
    raw = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
  } catch {
    throw new Broken('its head is no JSON');
  }
  const { store, tree, at, names, base, group, made } = raw ?? {};
  for (const value of [store, tree, made]) if (typeof value !== 'string') throw new Broken('its head is not whole');
  if (!isTexts(names)) throw new Broken('its head names no points');
  const head: Head = { store, tree, names, made, at: instantOf(at), base: base === null ? null : instantOf(base), group: group === null ? null : groupOf(group) } as Head;
  if (head.base && head.base.seq >= head.at.seq) throw new Broken(`it goes on from #${head.base.seq}, which is not before #${head.at.seq}`);
  return head;
}

const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every((one) => typeof one === 'string');

function instantOf(raw: unknown): ArchiveInstant {
  const { seq, time_ns: time } = (raw ?? {}) as Partial<RawInstant>;
  if (!Number.isSafeInteger(seq) || seq! < 1 || typeof time !== 'string' || !/^\d{1,19}$/.test(time)) throw new Broken('its head names no instant');
  return { seq: seq!, timeNs: BigInt(time) };
}

function groupOf(raw: unknown): ArchiveGroup {
  const { name, include, exclude } = (raw ?? {}) as Partial<ArchiveGroup>;
  if (typeof name !== 'string' || !isTexts(include) || !isTexts(exclude)) throw new Broken('its head names no group');
  return { name, include, exclude };
}
