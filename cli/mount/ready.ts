/** What a mount says: how far its start is, and what it is once it is ready. */
import type { StartProgress } from '../../lib/daemon/launch.js';
import type { OperationRow } from '../../lib/daemon/protocol.js';
import { safeForTerminal } from '../../lib/paths.js';
import { nameUsers, type User } from '../../lib/store/users.js';
import type { Output } from '../output.js';
import { describeInterrupted, HOW_TO_GO_ON } from '../work.js';

/** Of a mount that is ready. */
export interface MountRow { tree: string; mountpoint: string; store: string; pid: number; seq: number; interrupted: OperationRow | null; past_the_mount: User[] }

export function showProgress({ done, total }: StartProgress, out: Output): void {
  out.progress(`Bringing history up to date after a crash: ${done} of ${total} changes`);
}

export async function tell(row: MountRow, out: Output): Promise<void> {
  if (out.json) await out.object(row);
  else await out.line(`${safeForTerminal(row.mountpoint)} is protected: every change to it is kept in ${safeForTerminal(row.store)}`);
  const others = row.past_the_mount.filter(({ pid, writing }) => writing || pid !== process.ppid);
  if (others.length > 0) out.remark(`What these do in the directory goes past the mount and is not recorded, until they are started anew or step into it again: ${nameUsers(others)}`);
  if (row.interrupted) out.remark(`${describeInterrupted(row.interrupted)}:\n  ${HOW_TO_GO_ON}.`);
}
