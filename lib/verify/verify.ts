/**
 * Verifies a store: every entry of every family, what entries say of each other, and the journal. Guarantees: nothing is
 * written; memory is bounded, a bit for each content and object aside; history may grow, be packed and forget meanwhile
 * (what is suspected is looked at again while nobody rewrites); what cannot be read is a finding, and the rest is looked at.
 */
import { FAMILIES, type Family } from '../history/families.js';
import type { History } from '../history/history.js';
import { IdSet } from '../history/idset.js';
import type { Entry } from '../history/rocks.js';
import type { Check, Suspicion } from './check.js';
import { clockCheck, pointCheck, timesCheck } from './clock.js';
import { blockCheck, contentCheck, hashCheck, KnownContents } from './contents.js';
import { examine, nodeOfKey } from './examine.js';
import type { Finding } from './findings.js';
import { checkJournal, type ReadableJournal } from './journal.js';
import { linkCheck, nameCheck, stateCheck } from './names.js';
import { retentionFindings } from './retention.js';
import { changeCheck, referenceCheck, References, unreferencedCheck } from './timeline.js';

const PAGE_ENTRIES = 512;
const PAGE_BYTES = 4 << 20;
/** A suspicion that the extractor may have overtaken is looked at so often. */
const LOOKS = 3;

export interface VerifyOptions {
  /** Also decodes every content. */
  deep: boolean;
  /** null: not looked at. */
  journal: ReadableJournal | null;
  signal: AbortSignal;
}

/** How far it is: entries of a family, or records of the journal, that were looked at. */
export interface VerifyProgress { family: Family | 'journal'; done: number; ended: boolean }

/** Families in the order in which one needs what another found. */
const ORDER: readonly Family[] = ['meta', 'content', 'hashes', 'blocks', 'nodes', 'names', 'links', 'changes', 'nodechanges', 'times', 'clock', 'points'];

/** @throws the signal's reason */
export async function* verify(history: History, { deep, journal, signal }: VerifyOptions): AsyncGenerator<Finding | VerifyProgress> {
  const upTo = history.watermark();
  const contents = new KnownContents();
  const nodes = new IdSet();
  const [changes, references] = [new References(upTo), new References(upTo)];
  const checks: readonly Check[] = [
    contentCheck(history, contents, deep), hashCheck(history), blockCheck(history, contents), stateCheck(history, nodes), nameCheck(history, nodes), linkCheck(history),
    changeCheck(changes), referenceCheck(history, references), timesCheck(history), clockCheck(history), pointCheck(history),
  ];
  yield* retentionFindings(history);
  const read = new Set<Family>();
  for (const family of [...ORDER, ...FAMILIES.filter((one) => !ORDER.includes(one))]) {
    const whole = yield* pass(history, family, checks.filter((check) => check.family === family), signal);
    if (whole) read.add(family);
  }
  if (read.has('changes') && read.has('nodechanges') && !changes.equals(references)) yield* secondPass(history, unreferencedCheck(history), signal);
  if (journal === null) return;
  let done = 0;
  for await (const found of checkJournal(journal, upTo)) {
    signal.throwIfAborted();
    if (typeof found !== 'number') yield found;
    else yield { family: 'journal', done: done = found, ended: false };
  }
  yield { family: 'journal', done, ended: true };
}

/** Looks at all entries of a family, each by itself and as the checks do. Answers whether all of it could be read. */
async function* pass(history: History, family: Family, checks: readonly Check[], signal: AbortSignal): AsyncGenerator<Finding | VerifyProgress, boolean> {
  let done = 0;
  let before: Entry | null = null;
  for await (const { entries, unreadable } of pages(history, family)) {
    signal.throwIfAborted();
    if (unreadable !== null) {
      yield { kind: 'unreadable', family, key: before?.key ?? Buffer.alloc(0), what: `entries of ${family} ${before === null ? '' : 'behind this one '}cannot be read: ${unreadable}` };
      return false;
    }
    const { whole, findings } = await sound(history, family, entries);
    yield* findings;
    for (const check of checks) yield* await suspected(history, check, whole, before);
    before = whole.at(-1) ?? before;
    done += entries.length;
    yield { family, done, ended: false };
  }
  yield { family, done, ended: true };
  return true;
}

/** Looks once more at a family whose entries were looked at already. */
async function* secondPass(history: History, check: Check, signal: AbortSignal): AsyncGenerator<Finding> {
  for await (const { entries } of pages(history, check.family)) {
    signal.throwIfAborted();
    const { whole } = await sound(history, check.family, entries);
    yield* await suspected(history, check, whole, null);
  }
}

/** Pages of a family as they lie there; what RocksDB cannot read ends it. */
async function* pages(history: History, family: Family): AsyncGenerator<{ entries: Entry[]; unreadable: string | null }> {
  let entries: Entry[] = [];
  let bytes = 0;
  try {
    for await (const entry of history.rocks.scan(family, {}, { stored: true, capacity: family === 'content' ? 64 : PAGE_ENTRIES })) {
      entries.push(entry);
      bytes += entry.value.length;
      if (entries.length < PAGE_ENTRIES && bytes < PAGE_BYTES) continue;
      yield { entries, unreadable: null };
      entries = [];
      bytes = 0;
    }
  } catch (error) {
    if (entries.length > 0) yield { entries, unreadable: null };
    yield { entries: [], unreadable: (error as Error).message };
    return;
  }
  if (entries.length > 0) yield { entries, unreadable: null };
}

/** Entries that decode, with their values as they are read; and findings about the others. */
async function sound(history: History, family: Family, stored: readonly Entry[]): Promise<{ whole: Entry[]; findings: Finding[] }> {
  const whole: Entry[] = [];
  const findings: Finding[] = [];
  for (const { key, value } of stored) {
    const found = problemOf(history, family, key, value) === null ? null : await still(history, family, key);
    if (found !== null) findings.push({ ...found, family, key, node: nodeOfKey(family, key) });
    else if (problemOf(history, family, key, value)?.kind !== 'entry-malformed') whole.push({ key, value: history.rocks.zip.unzip(family, value) });
  }
  return { whole, findings };
}

type Problem = Pick<Finding, 'kind' | 'what'>;

function problemOf(history: History, family: Family, key: Buffer, stored: Buffer): Problem | null {
  let value: Buffer;
  try {
    value = history.rocks.zip.unzip(family, stored);
  } catch (error) {
    return { kind: 'entry-malformed', what: (error as Error).message };
  }
  const examined = examine(family, key, value);
  if (examined.problem !== null) return { kind: 'entry-malformed', what: examined.problem };
  const { newest } = examined;
  return newest !== null && newest > history.watermark() ? { kind: 'beyond-watermark', what: `an entry of #${newest}, and history ends at #${history.watermark()}` } : null;
}

/** What is wrong with an entry that is not being written any more; null when nothing is. */
async function still(history: History, family: Family, key: Buffer): Promise<Problem | null> {
  return await history.upkeep.take(async () => {
    for await (const { value } of history.rocks.scan(family, { gte: key, lte: key }, { stored: true })) return problemOf(history, family, key, value);
    return null;
  });
}

/** What a check finds, and finds again. */
async function suspected(history: History, check: Check, entries: readonly Entry[], before: Entry | null): Promise<Finding[]> {
  if (entries.length === 0) return [];
  try {
    const findings: Finding[] = [];
    for (const suspicion of await check.page(entries, before)) {
      const sure = await history.upkeep.take(() => confirmed(history, check, suspicion));
      if (sure !== null) findings.push({ kind: sure.kind, family: check.family, key: sure.entry.key, what: sure.what, node: sure.node ?? nodeOfKey(check.family, sure.entry.key) });
    }
    return findings;
  } catch (error) {
    return [{ kind: 'unreadable', family: check.family, key: entries[0]!.key, what: `what ${entries.length} entries of ${check.family} from this one on name cannot be looked up: ${(error as Error).message}` }];
  }
}

/** A suspicion that holds when its entry and all that it depends on are read anew. */
async function confirmed(history: History, check: Check, { kind, entry: { key }, what }: Suspicion): Promise<Suspicion | null> {
  let found: Suspicion | undefined;
  for (let look = 0; look < LOOKS; look++) {
    const value = await history.rocks.get(check.family, key);
    const before = await history.rocks.peek(check.family, { lt: key }, true);
    if (value === null) return null;
    const again = await check.page([{ key, value }], before);
    found = again.find((one) => one.kind === kind && one.what === what) ?? again.find((one) => one.kind === kind);
    if (found === undefined) return null;
  }
  return found ?? null;
}

