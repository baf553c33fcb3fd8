/** `rewind release`: who was blocked by a trip wire may change the tree again. */
import { RewindError } from '../../lib/errors.js';
import { text, type Arguments } from '../command.js';
import type { Output } from '../output.js';
import { withTree } from '../ask.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  const who = text(args, 'PID');
  if (who !== undefined && who !== 'all' && !/^[1-9]\d{0,8}$/.test(who)) throw new RewindError('ERR_USAGE', `rewind release ${who}: the number of a process, or all, was expected`, '`rewind status` names those that are blocked.');
  await withTree(args, undefined, out, async ({ client }) => {
    if (who === undefined) {
      for await (const { blocked } of client.call('status', {})) {
        if (blocked.length > 1) throw new RewindError('ERR_USAGE', `${blocked.length} writers are blocked: ${blocked.map(({ command, pid }) => `${command.slice(0, 40)} [${pid}]`).join(', ')}`, 'Say which: rewind release PID, or rewind release all.');
      }
    }
    let released = 0;
    for await (const block of client.call('release', { ...who !== undefined && who !== 'all' && { pid: Number(who) } })) {
      released++;
      if (out.json) await out.object(block);
      else await out.line(`${block.command} [${block.pid}] may change the tree again`);
    }
    if (released === 0) out.remark('No writer is blocked.');
  });
}
