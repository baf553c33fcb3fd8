/** The methods `verify` and `anchor`: is what the store holds whole, and is it what it was? Findings as they come, each with the path that it concerns. */
import { RewindError } from '../errors.js';
import { formatAnchor, parseAnchor, type Anchor } from '../history/anchor.js';
import type { History } from '../history/history.js';
import { removals } from '../history/removed.js';
import type { NodeId } from '../history/types.js';
import { safeForTerminal, showPath } from '../paths.js';
import { formatTimeUtc } from '../time/format.js';
import { ChainReport } from '../verify/chain.js';
import { FINDINGS, type Finding } from '../verify/findings.js';
import { verify as verifyHistory } from '../verify/verify.js';
import type { Methods } from './protocol.js';
import type { Session } from './session.js';
import type { AnchorRow, ChainRow, FindingRow, VerifyRow } from './verifyrows.js';

/** Entries between two rows of progress, at least. */
const PROGRESS_ENTRIES = 50_000;

/** @throws ERR_USAGE for what is no anchor */
export async function* verify(session: Session, { deep = false, anchor: line }: Methods['verify']['args'], signal: AbortSignal): AsyncGenerator<VerifyRow> {
  const { history } = session.packing;
  const seq = history.watermark();
  const anchor = line === undefined ? null : parseAnchor(line);
  const isOurs = anchor?.store === session.store.description.id;
  const chain = new ChainReport();
  let [entries, records, findings, told] = [0, 0, 0, 0];
  if (anchor !== null && !isOurs) {
    findings++;
    yield await findingRow(history, { kind: 'anchor-mismatch', family: 'chain', key: Buffer.alloc(0), what: `the anchor is of store ${anchor.store}, and this one is ${session.store.description.id}` });
  }
  for await (const found of verifyHistory(history, { deep, journal: session.journal, anchor: isOurs ? anchor : null, chain, signal })) {
    if ('kind' in found) {
      findings++;
      yield await findingRow(history, found);
      continue;
    }
    const { family, done, ended } = found;
    if (ended && family === 'journal') records = done;
    else if (ended) entries += done;
    if (done < told) told = 0;
    if (!ended && done - told < PROGRESS_ENTRIES) continue;
    told = ended ? 0 : done;
    yield { type: 'progress', family, done };
  }
  if (anchor !== null && isOurs) yield* givenUp(history, anchor);
  yield {
    type: 'verified', deep, seq, entries, journal_records: records, findings, chain: chainRow(chain, deep),
    anchor: anchor && { seq: anchor.seq, time: await timeOf(history, anchor.seq), fits: chain.anchored === true },
  };
}

/** The head of the chain as it is now: what was told to be done before is in it. @throws ERR_NO_CHAIN, ERR_HISTORY_BEHIND */
export async function* anchor(session: Session): AsyncGenerator<AnchorRow> {
  const { history } = session.packing;
  await session.settle();
  const { watermark: seq, chain: head, timeNs } = history.meta();
  if (head === undefined) throw new RewindError('ERR_NO_CHAIN', 'History has no chain yet', 'It begins with the next change that is recorded: mount the tree.');
  // What is taken in again after a crash may have other links.
  await history.rocks.sync();
  const { id: store } = session.store.description;
  yield { anchor: formatAnchor({ store, seq, head }), store, seq, time: formatTimeUtc(timeNs), head };
}

/** What history says itself that it holds no more of the instants up to an anchor. */
async function* givenUp(history: History, { seq }: Anchor): AsyncGenerator<VerifyRow> {
  const { merged, due, timeline } = history.retention();
  for (const { from, to, why, at } of [...merged, ...due]) {
    if (from >= seq) continue;
    const changes = timeline.done.filter((one) => one.from >= from && one.to <= to).map((one) => one.at ?? null);
    yield { type: 'thinned', from_seq: from + 1, to_seq: Math.min(to - 1, seq), why: why ?? null, time: at ?? null, changes_time: changes.at(-1) ?? null };
  }
  const files = { count: 0, from: Infinity, to: 0, timeNs: 0n };
  for await (const { node, by, timeNs, note, from, to, thinned } of removals(history.rocks)) {
    if (from > seq) continue;
    if (thinned === undefined) yield { type: 'purged', node, path: await placeOf(history, node), by, time: formatTimeUtc(timeNs), note: safeForTerminal(note) };
    else Object.assign(files, { count: files.count + 1, from: Math.min(from, files.from), to: Math.max(to, files.to), timeNs: timeNs > files.timeNs ? timeNs : files.timeNs });
  }
  if (files.count > 0) yield { type: 'thinned', from_seq: files.from, to_seq: Math.min(files.to, seq), why: `rules, of content of ${files.count} files`, time: formatTimeUtc(files.timeNs), changes_time: null };
}

function chainRow({ from, to, links, mended, objects }: ChainReport, deep: boolean): ChainRow | null {
  return from === null ? null : {
    from_seq: from, to_seq: to, links, objects: deep ? { ...objects } : null,
    mended: mended.map((one) => ({ from_seq: one.from, to_seq: one.to, time: formatTimeUtc(one.timeNs) })),
  };
}

export async function findingRow(history: History, { kind, family, key, what, node }: Finding): Promise<FindingRow> {
  const { severity, remedy } = FINDINGS[kind];
  return { type: 'finding', kind, severity, family, key: key.toString('hex'), what: safeForTerminal(what), node: node ?? null, path: await placeOf(history, node), remedy };
}

async function timeOf(history: History, seq: number): Promise<string | null> {
  const timeNs = await history.timeOf(seq);
  return timeNs === null ? null : formatTimeUtc(timeNs);
}

/** Where an object lies, or lay last; null when that is not known, or cannot be read. */
export async function placeOf(history: History, node: NodeId | undefined): Promise<string | null> {
  if (node === undefined) return null;
  try {
    const now = await history.pathOf(node, history.watermark());
    if (now !== null) return safeForTerminal(showPath(now));
    const last = (await history.everyLink(node)).sort((a, b) => b.until - a.until)[0];
    const above = last && await history.pathOf(last.parent, last.from);
    return last && above ? safeForTerminal(showPath([...above, last.name])) : null;
  } catch {
    return null;
  }
}
