/** `rewind points`: the instants that have a name or a reason. */
import { text, type Arguments } from '../command.js';
import { showTime, type Output } from '../output.js';
import { stretch, time_zone, withTree } from '../ask.js';
import type { PointKind } from '../../lib/history/types.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  const kind = text(args, 'state') as PointKind | undefined;
  await withTree(args, undefined, out, async ({ client }) => {
    let rows = 0;
    for await (const point of client.call('points', { kinds: kind && [kind], ...await stretch({ client }, args, out), group: text(args, 'group'), time_zone })) {
      rows++;
      if (out.json) await out.object(point);
      else await out.line(`${showTime(point.time)} ${String(point.seq).padStart(9)} ${point.pinned ? '*' : ' '} ${[point.phase, point.kind].filter(Boolean).join(' ').padEnd(16)} ${[point.name, point.note && `(${point.note})`, point.tags && `[${point.tags.join(', ')}]`].filter(Boolean).join('  ')}`.trimEnd());
    }
    if (rows === 0) out.remark('There is no such point.');
  });
}
