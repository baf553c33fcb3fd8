/**
 * Verifies a store: every entry of every family, what entries say of each other, and the journal. Guarantees: nothing is
 * written; memory is bounded, a bit for each content and object aside; history may grow, be packed and forget meanwhile
 * (what is suspected is looked at again while nobody rewrites); what cannot be read is a finding, and the rest is looked at.
 */
import { FAMILIES, type Family } from '../history/families.js';
import type { Anchor } from '../history/anchor.js';
import type { History } from '../history/history.js';
import { IdSet } from '../history/idset.js';
import { getU64, u64Key } from '../history/keys.js';
import type { Entry } from '../history/rocks.js';
import { checkChain, ChainReport } from './chain.js';
import { coldFindings } from './cold.js';
import type { Check, Suspicion } from './check.js';
import { clockCheck, pointCheck, timesCheck } from './clock.js';
import { blockCheck, contentCheck, hashCheck, KnownContents } from './contents.js';
import { examine, nodeOfKey } from './examine.js';
import type { Finding } from './findings.js';
import { checkJournal, type ReadableJournal } from './journal.js';
import { linkCheck, nameCheck, stateCheck } from './names.js';
import { originChecks } from './origins.js';
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
  /** A head of the chain that was kept elsewhere. */
  anchor?: Anchor | null;
  /** Told what the chain speaks for. */
  chain?: ChainReport;
  /** Goes on where another pass was. */
  after?: Place | null;
  signal: AbortSignal;
}

/** How far a pass is: in which part of it, and the last key there that was looked at, in hexadecimal. Part 0 is the chain. */
export interface Place { part: number; key: string }

/** How far it is: entries of a family, or records of the journal, that were looked at. */
export interface VerifyProgress { family: Family | 'journal'; done: number; ended: boolean; /** Of what was looked at since the last one. */ bytes: number; place: Place }

/** Families in the order in which one needs what another found. */
const ORDER: readonly Family[] = ['meta', 'content', 'hashes', 'blocks', 'nodes', 'names', 'links', 'changes', 'nodechanges', 'times', 'clock', 'points'];
/** All of them; the part of the first is 1. */
const PARTS: readonly Family[] = [...ORDER, ...FAMILIES.filter((one) => !ORDER.includes(one))];

/** @throws the signal's reason */
export async function* verify(history: History, options: VerifyOptions): AsyncGenerator<Finding | VerifyProgress> {
  const { deep, journal, signal } = options;
  const chain = options.chain ?? new ChainReport();
  const upTo = history.watermark();
  const contents = new KnownContents();
  const nodes = new IdSet();
  const [changes, references] = [new References(upTo), new References(upTo)];
  const checks: readonly Check[] = [
    contentCheck(history, contents, deep), hashCheck(history), blockCheck(history, contents), stateCheck(history, nodes), nameCheck(history, nodes), linkCheck(history),
    changeCheck(changes), referenceCheck(history, references), timesCheck(history), clockCheck(history), pointCheck(history),
    ...deep ? originChecks(history, chain) : [],
  ];
  yield* retentionFindings(history);
  yield* coldFindings(history);
  yield* alongTheChain(history, chain, options);
  const after = options.after ?? null;
  if (after !== null) await recall(history, after, contents, nodes);
  const read = new Set<Family>();
  for (const [i, family] of PARTS.entries()) {
    if (i + 1 < (after?.part ?? 0)) continue;
    const from = after?.part === i + 1 ? Buffer.from(after.key, 'hex') : null;
    const whole = yield* pass(history, { family, part: i + 1, from }, checks.filter((check) => check.family === family), signal);
    if (whole && from === null) read.add(family);
  }
  if (read.has('changes') && read.has('nodechanges') && !changes.equals(references)) yield* secondPass(history, unreferencedCheck(history), signal);
  if (journal === null) return;
  let done = 0;
  const place: Place = { part: PARTS.length + 1, key: '' };
  for await (const found of checkJournal(journal, upTo)) {
    signal.throwIfAborted();
    if (typeof found !== 'number') yield found;
    else yield { family: 'journal', done: done = found, ended: false, bytes: 0, place };
  }
  yield { family: 'journal', done, ended: true, bytes: 0, place };
}

/** What an earlier pass knew when it was at a place: which contents and which objects there are. */
async function recall(history: History, { part, key }: Place, { present }: KnownContents, nodes: IdSet): Promise<void> {
  for (const [family, known] of [['content', present], ['nodes', nodes]] as const) {
    const own = PARTS.indexOf(family) + 1;
    if (part < own) continue;
    for await (const entry of history.rocks.scan(family, part === own ? { lte: Buffer.from(key, 'hex') } : {}, { values: false, capacity: PAGE_ENTRIES })) known.add(getU64(entry.key, 0));
  }
}

/** First of all: it says for which instants entries must come from a change. */
async function* alongTheChain(history: History, report: ChainReport, { deep, anchor = null, after = null, signal }: VerifyOptions): AsyncGenerator<Finding | VerifyProgress> {
  const known = after === null ? null : after.part > 0 ? Infinity : getU64(Buffer.from(after.key, 'hex'), 0);
  for await (const found of checkChain(history, report, { deep, anchor, after: known, signal })) {
    if (typeof found !== 'number') yield found;
    else if (after === null || after.part === 0) yield { family: 'chain', done: found, ended: false, bytes: 0, place: { part: 0, key: u64Key(found).toString('hex') } };
  }
}

/** Looks at all entries of a family, each by itself and as the checks do. Answers whether all of it could be read. */
async function* pass(history: History, { family, part, from }: { family: Family; part: number; from: Buffer | null }, checks: readonly Check[], signal: AbortSignal): AsyncGenerator<Finding | VerifyProgress, boolean> {
  let done = 0;
  let before: Entry | null = from === null ? null : await history.rocks.peek(family, { lte: from }, true);
  let place: Place = { part, key: from?.toString('hex') ?? '' };
  for await (const { entries, unreadable } of pages(history, family, from)) {
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
    place = { part, key: entries.at(-1)!.key.toString('hex') };
    yield { family, done, ended: false, bytes: entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0), place };
  }
  yield { family, done, ended: true, bytes: 0, place };
  return true;
}

/** Looks once more at a family whose entries were looked at already. */
async function* secondPass(history: History, check: Check, signal: AbortSignal): AsyncGenerator<Finding> {
  for await (const { entries } of pages(history, check.family, null)) {
    signal.throwIfAborted();
    const { whole } = await sound(history, check.family, entries);
    yield* await suspected(history, check, whole, null);
  }
}

/** Pages of a family as they lie there; what RocksDB cannot read ends it. */
async function* pages(history: History, family: Family, from: Buffer | null): AsyncGenerator<{ entries: Entry[]; unreadable: string | null }> {
  let entries: Entry[] = [];
  let bytes = 0;
  try {
    for await (const entry of history.rocks.scan(family, from === null ? {} : { gt: from }, { stored: true, capacity: family === 'content' ? 64 : PAGE_ENTRIES })) {
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
      if (sure !== null) findings.push({ kind: sure.kind, family: check.family, key: sure.entry.key, what: sure.what, node: sure.node ?? nodeOfKey(check.family, sure.entry.key), ...sure.seq !== undefined && { seq: sure.seq } });
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

