/**
 * The chain after a repair: links that do not fit what is there any more are replaced by ones that say so, and when. Guarantees:
 * a link that fits stays, with its head, so that anchors of before still name it; where nothing is known any more a link says
 * that; the chain goes on from the last one.
 */
import { decodeLink, encodeLink, GENESIS, lastOf, type Link } from '../history/chain.js';
import type { History } from '../history/history.js';
import { getU64, u64Key } from '../history/keys.js';
import type { Batch } from '../history/rocks.js';
import type { Seq } from '../history/types.js';
import type { Finding, FindingKind } from '../verify/findings.js';

const KINDS: ReadonlySet<FindingKind> = new Set<FindingKind>(['chain-broken', 'chain-gap', 'attributes-altered', 'content-altered', 'entry-unrecorded']);

/** Is it about the chain, or what the chain tells? */
export const isOfTheChain = ({ kind }: Finding): boolean => KINDS.has(kind);

/** Records about which nothing is known. */
export const mendedLink = (from: Seq, to: Seq, head: Buffer, timeNs: bigint): Link =>
  ({ from, count: to - from + 1, mount: from, found: 0, attributes: Buffer.alloc(0), seals: [], head, mendedNs: timeNs, thinned: null });

/** Answers how many links were replaced. */
export async function mendChain(history: History, findings: readonly Finding[], timeNs: bigint): Promise<number> {
  const doubtful = findings.map(seqOf).sort((a, b) => a - b);
  const batch = history.rocks.batch();
  const { watermark } = history.meta();
  let mended = 0;
  let [head, next]: [Buffer, Seq | null] = [GENESIS, null];
  const put = (from: Seq, to: Seq, kept: Buffer): void => {
    putMended(batch, from, to, kept, timeNs);
    mended++;
  };
  for await (const { key, value } of history.rocks.scan('chain', {})) {
    const link = decoded(key, value);
    if (link === null || link.from > watermark || lastOf(link) > watermark || (next !== null && link.from < next)) {
      batch.delete('chain', key);
      continue;
    }
    if (next !== null && link.from > next) put(next, link.from - 1, head);
    const last = lastOf(link);
    if (link.mendedNs === null && doubtful.some((seq) => seq >= link.from && seq <= last)) put(link.from, last, link.head);
    head = link.head;
    next = last + 1;
  }
  const hasChain = next !== null || history.meta().chain !== undefined;
  if (hasChain && (next ?? 1) <= watermark) put(next ?? 1, watermark, head);
  try {
    await history.commit(batch, hasChain ? { ...history.meta(), chain: head.toString('hex') } : history.meta());
  } finally {
    batch.end();
  }
  return mended;
}

export function putMended(batch: Batch, from: Seq, to: Seq, head: Buffer, timeNs: bigint): void {
  batch.put('chain', u64Key(from), encodeLink(mendedLink(from, to, head, timeNs)));
}

/** A record of the link that a finding is about. */
const seqOf = ({ key, seq }: Finding): Seq => seq ?? getU64(key, 0);

function decoded(key: Buffer, value: Buffer): Link | null {
  try {
    return decodeLink(getU64(key, 0), value);
  } catch {
    return null;
  }
}
