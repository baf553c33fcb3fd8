/** Pruning: what the policy no longer keeps is shown, given up, taken back, or goes for good. */
import { RewindError } from '../errors.js';
import { readForks } from '../fork/forks.js';
import type { History } from '../history/history.js';
import type { Retention, Trashed } from '../history/retained.js';
import type { Seq } from '../history/types.js';
import { safeForTerminal, showPath } from '../paths.js';
import { Keeper } from '../retention/keeper.js';
import { allTrash, takeBack } from '../retention/trash.js';
import { formatTimeUtc } from '../time/format.js';
import type { Methods } from './protocol.js';
import type { GoingRow, PruneRow, RetentionRow, TrashRow } from './prunerows.js';
import type { Session } from './session.js';

/** When history is looked after by itself. */
const FIRST_MS = 600_000;
const EVERY_MS = 3_600_000;

/** Keeps the history of a store within the bounds of its policy. `limit`: see Kept. */
export function keeperOf(session: Pick<Session, 'store' | 'policy' | 'settle'>, history: History, limit: () => Seq): Keeper {
  return new Keeper({
    history, limit,
    rules: () => session.policy.policy.retention,
    keeping: () => session.policy.keeping(),
    needed: async () => [history.meta().mount, ...await forkInstants(session)],
    settle: () => session.settle(),
  });
}

/** By itself: a while after the mount, then every hour. Answers how to end it. */
export function keepInBounds(keeper: Keeper, report: (error: unknown) => void): () => void {
  const run = (): void => void keeper.maintain().catch((error: unknown) => {
    if (!(error instanceof RewindError) || error.code !== 'ERR_BUSY') report(error);
  });
  const first = setTimeout(run, FIRST_MS).unref();
  const timer = setInterval(run, EVERY_MS).unref();
  return () => {
    clearTimeout(first);
    clearInterval(timer);
  };
}

export async function* prune(session: Session, args: Methods['prune']['args']): AsyncGenerator<PruneRow> {
  const { keeper } = session;
  await keeper.settle();
  if (args.undo) {
    for (const trashed of await takeBack(keeper.history)) yield { type: 'taken_back', ...trashRow(trashed) };
    return;
  }
  const plan = await keeper.plan();
  const sum = new Sum();
  const rules = new Map<string | null, Sum>();
  for await (const { node, path, seq, timeNs, size, whole, by } of keeper.versions(plan)) {
    const rule = by === null ? null : safeForTerminal(by);
    const shown = path === null ? null : safeForTerminal(showPath(path));
    const ofRule = rules.get(rule) ?? new Sum();
    rules.set(rule, ofRule);
    for (const one of [sum, ofRule]) one.add(shown ?? `#${node}`, size);
    yield { type: 'version', path: shown, seq, time: formatTimeUtc(timeNs), size, whole, rule };
  }
  const stretches = plan.everywhere.length + plan.parts.reduce((count, part) => count + part.stretches.length, 0);
  yield { type: 'plan', stretches, changes: await keeper.changesGoing(), ...sum.row(), rules: [...rules].map(([rule, one]) => ({ rule, ...one.row() })) };
  if (args.dry_run) return;
  for (const trashed of await keeper.prune()) yield { type: 'trashed', ...trashRow(trashed) };
  if (!args.now) return;
  const { stretches: merged, objects, contents, changes, bytesBefore, bytesAfter } = await keeper.tidy({ hurry: true, all: true });
  yield { type: 'done', stretches: merged, objects, contents, changes, bytes_before: bytesBefore, bytes_after: bytesAfter };
}

/** Versions, the files that they are of, and their bytes. */
class Sum {
  private versions = 0;
  private bytes = 0;
  private readonly files = new Set<string>();

  add(file: string, size: number): void {
    this.versions++;
    this.bytes += size;
    this.files.add(file);
  }

  row(): GoingRow {
    return { versions: this.versions, files: this.files.size, bytes: this.bytes };
  }
}

export const trashRow = ({ id, timeNs, untilNs, reason, stretches }: Trashed): TrashRow =>
  ({ id, time: formatTimeUtc(timeNs), until: formatTimeUtc(untilNs), reason, stretches: stretches.length });

export function retentionRow(retention: Retention): RetentionRow {
  const all = [retention, ...retention.parts];
  const count = (lists: readonly (readonly unknown[])[]): number => lists.reduce((sum, { length }) => sum + length, 0);
  return { trash: allTrash(retention).map(trashRow), merged: count(all.map(({ merged }) => merged)), due: count(all.map(({ due }) => due)), changes_given_up: retention.timeline.done.length };
}

async function forkInstants({ store }: Pick<Session, 'store'>): Promise<Seq[]> {
  return (await readForks(store)).map(({ seq }) => seq);
}
