/** How the tree, its daemon and its history are. Never waits for the extractor, nor for a disk that works: a tree in trouble must answer, too. */
import { getSystemErrorName } from 'node:util';
import { RewindError } from '../errors.js';
import type { JournalState, JournalStats } from '../native.js';
import { formatTimeUtc } from '../time/format.js';
import { nextResume, operationsOf } from '../recovery/operations.js';
import type { CutRow, Methods, OperationRow, PositionRow, StatusRow } from './protocol.js';
import { blockRow } from './release.js';
import { gapRow } from './gaps.js';
import { operationRow, recoveryRow } from './rows.js';
import { retentionRow } from './prune.js';
import type { Session } from './session.js';
import { NO_SPACE, spaceOf } from './space.js';
import { working } from './work.js';

/** The operation that waits to be gone on with, or taken back. */
export async function interruptedOf(session: Session): Promise<OperationRow | null> {
  const operation = nextResume(operationsOf(await session.history.points(), working.get(session)));
  return operation && operationRow(operation);
}

/** Failures of history are the rule: the journal still has everything. */
function hintOf(failed: Error): string {
  return failed instanceof RewindError && failed.hint !== '' ? failed.hint : 'Nothing is lost: what is not in history is in the journal. See daemon.log in the store.';
}

function cutRow({ cutBytes, stranded }: JournalState): CutRow | null {
  return cutBytes === 0 && stranded === null ? null : { bytes: cutBytes, kept: stranded?.kept ?? null };
}

function gapRowOf(gap: JournalStats['gap']): StatusRow['unrecorded'] {
  return gap && { since: formatTimeUtc(gap.sinceNs), error: getSystemErrorName(-gap.errno), records: gap.records };
}

/** A part of the status that costs next to nothing. */
export function positionOf({ history, live, unread }: Session): PositionRow {
  return { seq: live?.journal.stats().lastSeq ?? unread?.last ?? history.watermark(), extracted_seq: history.watermark() };
}

export async function* status(session: Session, _args: Methods['status']['args']): AsyncGenerator<StatusRow> {
  const { history, live, store } = session;
  let unreadable: Error | null = null;
  const known = <T>(answer: Promise<T>, otherwise: T): Promise<T> => answer.catch((error: Error) => {
    if (live === null) throw error;
    unreadable ??= error;
    return otherwise;
  });
  const range = await known(history.range(), null);
  const gaps = await known(history.gaps(), []);
  const lastGap = gaps.at(-1);
  const journal = live?.journal.stats();
  const engine = live?.engine.stats();
  const lastGapRow = lastGap ? await known(gapRow(history, lastGap), null) : null;
  const space = await known(spaceOf(session), NO_SPACE);
  const interrupted = await known(interruptedOf(session), null);
  const failed = live?.failed() ?? unreadable;
  const retention = session.keeper.history.retention();
  yield {
    mounted: live !== null,
    pid: live ? process.pid : null,
    tree: store.description.tree,
    mountpoint: live?.mountpoint ?? null,
    store: store.layout.root,
    snapshots: store.description.snapshots,
    version: live?.version ?? null,
    mounted_since: live?.mountedSince.toISOString() ?? null,
    ...positionOf(session),
    last_change: range && formatTimeUtc(range.last.timeNs),
    first: range && { seq: range.first.seq, time: formatTimeUtc(range.first.timeNs) },
    backlog_bytes: journal?.backlogBytes ?? 0,
    baseline: engine?.baseline ?? null,
    transport: engine?.transport ?? null,
    transport_reason: engine?.transportReason || null,
    inodes: engine?.inodes ?? null,
    handles: engine?.handles ?? null,
    requests: engine?.requests ?? null,
    memory_bytes: live ? process.memoryUsage.rss() : null,
    gaps: gaps.length,
    last_gap: lastGapRow,
    space,
    failed: failed?.message ?? null,
    failed_hint: failed ? hintOf(failed) : null,
    unrecorded: gapRowOf(journal?.gap ?? null),
    cut: live && cutRow(live.opened),
    recovery: { running: session.jobs.running().length, failed: session.jobs.failed().map(recoveryRow) },
    interrupted,
    retention: retentionRow(retention),
    scrub: session.scrub.row(session.policy.policy.scrub.everyMs, range && Number(range.first.timeNs / 1_000_000n)),
    blocked: await Promise.all((live?.blocks.list() ?? []).map(blockRow)),
    policy: {
      refused: session.policy.refused?.message ?? null,
      excluded: session.policy.policy.rules.filter(({ capture }) => capture !== 'each-write').map(({ pattern, capture, by }) => ({ pattern, capture, by })),
      passthrough: engine?.passthrough ?? null,
    },
  };
}
