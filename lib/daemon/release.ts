/** The method `release`: who was blocked by a trip wire may change the tree again. */
import { RewindError } from '../errors.js';
import { safeForTerminal } from '../paths.js';
import type { Block } from '../states/blocks.js';
import { PROC } from '../states/processes.js';
import { formatTimeUtc } from '../time/format.js';
import { notMounted } from './ask.js';
import type { BlockRow, Methods } from './protocol.js';
import type { Session } from './session.js';

/** @throws ERR_WRITER_UNKNOWN */
export async function* release(session: Session, args: Methods['release']['args']): AsyncGenerator<BlockRow> {
  const { blocks } = session.live ?? notMounted(session, 'Writers are blocked only while it is');
  const wanted = blocks.list().filter(({ pid }) => args.pid === undefined || pid === args.pid);
  if (wanted.length === 0 && args.pid !== undefined) {
    throw new RewindError('ERR_WRITER_UNKNOWN', `No writer ${args.pid} is blocked`, '`rewind status` names those that are.');
  }
  for (const block of wanted) {
    await blocks.release(block);
    yield await blockRow(block);
  }
}

export async function blockRow(block: Block): Promise<BlockRow> {
  const { pid, command, what, count, first, sinceMs } = block;
  return { pid, command: safeForTerminal(command), alarm: what, count, first_seq: first, since: formatTimeUtc(BigInt(sinceMs) * 1_000_000n), running: await PROC.runs(block) };
}
