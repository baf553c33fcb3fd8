/** A small history with something of every family, what verify finds in it, and edits that break one entry of it. */
import { Kind } from '../../../../lib/extractor/record.js';
import type { Family } from '../../../../lib/history/families.js';
import { History } from '../../../../lib/history/history.js';
import type { Finding, FindingKind } from '../../../../lib/verify/findings.js';
import type { ReadableJournal } from '../../../../lib/verify/journal.js';
import { verify } from '../../../../lib/verify/verify.js';
import { directoryAttr, extractRaw, fileAttr, numbered } from '../../../helpers/extract.js';
import { Random } from '../../../helpers/random.js';
import type { Scope } from '../../../helpers/scope.js';

const ROOT_INO = 100;
const never = new AbortController().signal;

function bytes(seed: number, length: number): Buffer {
  const random = new Random(seed);
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}

const inRoot = { parent: ROOT_INO, parentAttr: directoryAttr };
const create = (ino: number, name: string) => ({ kind: Kind.Create, ino, name, attr: fileAttr(0, ino), ...inRoot });
const write = (ino: number, payload: Buffer, size = payload.length) => ({ kind: Kind.Write, ino, offset: 0, length: payload.length, payload, attr: fileAttr(size, ino) });

/** Object 2 is `a`, then `c`; object 3 is `b`. */
export const SMALL = numbered([
  { kind: Kind.Mount, ino: ROOT_INO, attr: directoryAttr, payload: { root_ino: ROOT_INO } },
  { kind: Kind.Writer, payload: { pid: 12, start: 34 } },
  create(101, 'a'),
  write(101, bytes(1, 5000)),
  create(102, 'b'),
  write(102, bytes(2, 9000)),
  write(102, Buffer.from('here'), 9000),
  { kind: Kind.Setxattr, ino: 101, name: 'user.x', payload: Buffer.from('y'), attr: fileAttr(5000, 101) },
  { kind: Kind.Rename, ino: 101, name: 'a', name2: 'c', attr: fileAttr(5000, 101), ...inRoot, parent2: { ino: ROOT_INO, attr: directoryAttr } },
  { kind: Kind.Truncate, ino: 102, length: 8000, attr: fileAttr(8000, 102) },
  { kind: Kind.Mark, payload: { kind: 'mark', name: 'here', note: '' } },
  { kind: Kind.Gap, payload: { reason: 'lost' } },
]);

export async function smallHistory(scope: Scope, directory = `${scope.temporary('memory')}/history`): Promise<History> {
  const history = await History.open(directory);
  scope.defer(() => history.close().catch(() => undefined));
  // Few at a time: runs that come one after the other.
  await extractRaw(history, SMALL, 4);
  return history;
}

export async function findingsOf(history: History, journal: ReadableJournal | null = null, deep = true): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const found of verify(history, { deep, journal, signal: never })) if ('kind' in found) findings.push(found);
  return findings;
}

/** Each kind once, sorted. */
export const kindsOf = (findings: readonly Finding[]): FindingKind[] => [...new Set(findings.map(({ kind }) => kind))].sort();

/** null: the entry goes. */
export async function put(history: History, family: Family, key: Buffer, value: Buffer | null): Promise<void> {
  const batch = history.rocks.batch();
  if (value === null) batch.delete(family, key);
  else batch.put(family, key, value);
  await history.rocks.commit(batch);
}

/** The n-th entry of a family as it is replaced, or taken out. */
export async function change(history: History, family: Family, n: number, to: (value: Buffer) => Buffer | null): Promise<void> {
  const entries = [];
  for await (const entry of history.rocks.scan(family, {})) entries.push(entry);
  const { key, value } = entries.at(n)!;
  await put(history, family, key, to(Buffer.from(value)));
}
