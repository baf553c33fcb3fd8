/** Pruning: what the policy no longer keeps is shown, given up, taken back, or goes for good. */
import { RewindError } from '../errors.js';
import { readForks } from '../fork/forks.js';
import type { History } from '../history/history.js';
import type { Trashed } from '../history/retained.js';
import type { Seq } from '../history/types.js';
import { safeForTerminal, showPath } from '../paths.js';
import { Keeper } from '../retention/keeper.js';
import { takeBack } from '../retention/trash.js';
import { versionsIn } from '../retention/versions.js';
import { formatTimeUtc } from '../time/format.js';
import type { Methods } from './protocol.js';
import type { PruneRow, TrashRow } from './prunerows.js';
import type { Session } from './session.js';

/** When history is looked after by itself. */
const FIRST_MS = 600_000;
const EVERY_MS = 3_600_000;

/** Keeps the history of a store within the bounds of its policy. `limit`: see Kept. */
export function keeperOf(session: Pick<Session, 'store' | 'policy' | 'settle'>, history: History, limit: () => Seq): Keeper {
  return new Keeper({
    history, limit,
    rules: () => session.policy.policy.retention,
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
  await session.settle();
  if (args.undo) {
    for (const trashed of await takeBack(keeper.history)) yield { type: 'taken_back', ...trashRow(trashed) };
    return;
  }
  const stretches = await keeper.plan();
  let [versions, bytes] = [0, 0];
  const files = new Set<string>();
  for await (const { path, seq, timeNs, size, whole } of versionsIn(session.history, stretches)) {
    const shown = path === null ? null : safeForTerminal(showPath(path));
    versions++;
    bytes += size;
    files.add(shown ?? `#${seq}`);
    yield { type: 'version', path: shown, seq, time: formatTimeUtc(timeNs), size, whole };
  }
  yield { type: 'plan', stretches: stretches.length, versions, files: files.size, bytes };
  if (args.dry_run) return;
  const trashed = await keeper.prune();
  if (trashed) yield { type: 'trashed', ...trashRow(trashed) };
  if (!args.now) return;
  const { stretches: merged, objects, contents, bytesBefore, bytesAfter } = await keeper.tidy({ hurry: true, all: true });
  yield { type: 'done', stretches: merged, objects, contents, bytes_before: bytesBefore, bytes_after: bytesAfter };
}

export const trashRow = ({ id, timeNs, untilNs, reason, stretches }: Trashed): TrashRow =>
  ({ id, time: formatTimeUtc(timeNs), until: formatTimeUtc(untilNs), reason, stretches: stretches.length });

async function forkInstants({ store }: Pick<Session, 'store'>): Promise<Seq[]> {
  return (await readForks(store)).map(({ seq }) => seq);
}
