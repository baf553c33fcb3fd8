/** `rewind op log`: the operations, the newest first. */
import { text, type Arguments } from '../command.js';
import { showTime, type Output } from '../output.js';
import { withTree } from '../ask.js';
import { HOW_TO_GO_ON } from '../work.js';
import { RewindError } from '../../lib/errors.js';
import type { OperationRow } from '../../lib/daemon/protocol.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  if (text(args, 'ACTION') !== 'log') throw new RewindError('ERR_USAGE', `op knows no ${text(args, 'ACTION')}`, 'rewind op log');
  await withTree(args, undefined, out, async ({ client }) => {
    let rows = 0;
    for await (const row of client.call('operations', {})) {
      rows++;
      if (out.json) await out.object(row);
      else await out.line(line(row));
    }
    if (rows === 0) out.remark('No operation yet.');
    for await (const { interrupted } of client.call('status', {})) if (interrupted) out.remark(`#${interrupted.id} did not come to its end: ${HOW_TO_GO_ON}.`);
  });
}

function line(row: OperationRow): string {
  const { session, name, code, after, undone, interrupted, resumed_by: resumedBy } = row;
  const marks = [...session !== null && row.operation === 'run' ? [`session ${session}${name ? `, ${name}` : ''}`] : [], ...code === null ? [] : [`exit ${code}`], ...resumedBy !== null ? [`interrupted, gone on with by #${resumedBy}`] : interrupted ? ['INTERRUPTED'] : after === null ? ['not ended'] : [], ...undone ? ['undone'] : []];
  return `${showTime(row.time)} ${`#${row.id}`.padStart(10)}  ${row.operation.padEnd(8)} ${row.note}${marks.length > 0 ? `  (${marks.join('; ')})` : ''}`;
}
