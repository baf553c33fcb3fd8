/** How the tree, its daemon and its history are. Never waits for the extractor: a tree in trouble must answer, too. */
import { formatTimeUtc } from '../time/format.js';
import type { Methods, StatusRow } from './protocol.js';
import { gapRow, recoveryRow } from './rows.js';
import type { Session } from './session.js';

export async function* status(session: Session, _args: Methods['status']['args']): AsyncGenerator<StatusRow> {
  const { history, live, store } = session;
  const range = await history.range();
  const gaps = await history.gaps();
  const lastGap = gaps.at(-1);
  const journal = live?.journal.stats();
  const engine = live?.engine.stats();
  yield {
    mounted: live !== null,
    pid: live ? process.pid : null,
    tree: store.description.tree,
    mountpoint: live?.mountpoint ?? null,
    store: store.layout.root,
    snapshots: store.description.snapshots,
    version: live?.version ?? null,
    mounted_since: live?.mountedSince.toISOString() ?? null,
    seq: journal?.lastSeq ?? history.watermark(),
    extracted_seq: history.watermark(),
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
    last_gap: lastGap ? gapRow(lastGap) : null,
    failed: live?.failed()?.message ?? null,
    recovery: { running: session.jobs.running().length, failed: session.jobs.failed().map(recoveryRow) },
    policy: {
      refused: session.policy.refused?.message ?? null,
      excluded: session.policy.policy.rules.filter(({ capture }) => capture !== 'each-write').map(({ pattern, capture, by }) => ({ pattern, capture, by })),
      passthrough: engine?.passthrough ?? null,
    },
  };
}
