/** Histories of which changes are given up, and what is to hold of them. */
import type { ExecutionContext } from 'ava';
import type { Anchor } from '../../../../lib/history/anchor.js';
import type { History } from '../../../../lib/history/history.js';
import type { HistoryReader } from '../../../../lib/history/reader.js';
import type { Stretch } from '../../../../lib/history/retained.js';
import type { Change, NodeId, Seq } from '../../../../lib/history/types.js';
import { UNTHROTTLED } from '../../../../lib/retention/editor.js';
import { mergeDue } from '../../../../lib/retention/stretch.js';
import { thinTimeline } from '../../../../lib/retention/timeline.js';
import { ChainReport } from '../../../../lib/verify/chain.js';
import type { Finding } from '../../../../lib/verify/findings.js';
import { verify } from '../../../../lib/verify/verify.js';
import { FoldedHistory } from '../../../helpers/folded-history.js';
import { ModelTree } from '../../../helpers/model-tree.js';
import type { Scope } from '../../../helpers/scope.js';

export const never = new AbortController().signal;
export async function merge(history: History, stretches: readonly Stretch[]): Promise<void> {
  await history.forget(history.rocks.batch(), { ...history.retention(), due: [...stretches] });
  await mergeDue(history, Infinity, UNTHROTTLED, never);
}

export const anchorOf = (history: History): Anchor => ({ store: '0'.repeat(32), seq: history.watermark(), head: history.meta().chain! });

export async function looked(history: History, anchor: Anchor | null = null): Promise<{ findings: Finding[]; report: ChainReport }> {
  const report = new ChainReport();
  const findings: Finding[] = [];
  for await (const found of verify(history, { deep: true, journal: null, anchor, chain: report, signal: never })) if ('kind' in found) findings.push(found);
  return { findings, report };
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

export const changesOf = (history: HistoryReader): Promise<Change[]> => all(history.changes(0, history.watermark()));
/** What is told of a history that was thinned, beside all that was recorded. */
export async function expectTold(t: ExecutionContext, history: History, recorded: ReadonlyMap<Seq, Change>, label: string): Promise<number> {
  const merged = history.retention().timeline.done;
  const told = await changesOf(history);
  const groupOf = ({ node, writer, kind, seq }: Change): string => `${node} ${writer} ${kind} ${merged.find(({ from, to }) => seq > from && seq <= to)?.to ?? seq}`;
  const stands = new Map<string, number>();
  for (const { givenUp, ...change } of told) {
    t.deepEqual(change, recorded.get(change.seq), `${label}: #${change.seq}`);
    stands.set(groupOf(change), (stands.get(groupOf(change)) ?? 0) + 1 + (givenUp?.count ?? 0));
  }
  const seqs = new Set(told.map(({ seq }) => seq));
  for (const { seq, marker, unmounted } of recorded.values()) if (marker !== 'modify' || unmounted) t.true(seqs.has(seq), `${label}: #${seq}, which is about a name`);
  const were = new Map<string, number>();
  for (const change of recorded.values()) were.set(groupOf(change), (were.get(groupOf(change)) ?? 0) + 1);
  t.deepEqual([...stands].sort(), [...were].sort(), `${label}: who changed what, in which stretch, how often`);
  return recorded.size - told.length;
}

export interface Saved { tree: ModelTree; folded: FoldedHistory; history: History; node: NodeId }

/** A file that two writers save by turns, each save in a link of its own: `saves` times three records. */
export async function saved(scope: Scope, saves: number): Promise<Saved> {
  const tree = new ModelTree();
  const folded = await FoldedHistory.open(scope.temporary('memory'), tree);
  scope.defer(() => folded.history.close().catch(() => undefined));
  const path = Buffer.from('file');
  tree.do({ op: 'create', path, mode: 0o644 });
  await folded.catchUp();
  for (let i = 0; i < saves; i++) {
    tree.writer = 1 + i % 2;
    tree.save = tree.record();
    tree.do({ op: 'truncate', path, size: 0 });
    tree.do({ op: 'write', path, offset: 0, data: Buffer.from(`save ${i}`) });
    tree.do({ op: 'chmod', path, mode: i % 2 === 0 ? 0o600 : 0o644 });
    tree.sleep(60_000_000_000n);
    await folded.catchUp();
  }
  return { tree, folded, history: folded.history, node: (await folded.history.resolve(['file'], tree.seq))! };
}

export const everything = (tree: ModelTree): Stretch => ({ from: 1, to: tree.seq });

export async function thinned(scope: Scope, saves: number): Promise<Saved> {
  const made = await saved(scope, saves);
  await merge(made.history, [everything(made.tree)]);
  await thinTimeline(made.history, Infinity, UNTHROTTLED, never);
  return made;
}
