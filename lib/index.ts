/** The public API: what it exports keeps its meaning; everything else may change. */
export { openTree, Tree, type LogOptions } from './daemon/tree.js';
export { Daemon, type DaemonOptions } from './daemon/daemon.js';
export { prepareMount, type MountPlan, type MountRequest } from './store/prepare.js';
export type { AlarmRow, BlockRow, DiffRow, GapRow, InstantRow, ListRow, LogRow, PlanRow, PointRow, RecoveryRow, StatusRow, TransactionRow, WorkRow, WriterRow, MethodName, Methods } from './daemon/protocol.js';
export type { FoundTree, TreeQuery } from './store/find.js';
export { RewindError, type ErrorCode } from './errors.js';
export { parsePath, safeForTerminal, showPath } from './paths.js';
