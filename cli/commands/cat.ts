/** `rewind cat`: a file as it was. With --json: one object with the content in base64. */
import { text, type Arguments } from '../command.js';
import type { Output } from '../output.js';
import { echoInstant, place, time_zone, withTree } from '../ask.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  await withTree(args, text(args, 'PATH'), out, async (tree) => {
    const path = await place(tree, args, text(args, 'PATH'));
    let at = text(args, 'at') ?? 'now';
    for await (const instant of tree.client.call('resolve', { time: at, time_zone })) {
      if (process.stderr.isTTY) echoInstant(out, 'At ', instant);
      at = `#${instant.seq}`;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of tree.client.call('cat', { path, at, time_zone })) {
      if (out.json) chunks.push(chunk);
      else await out.bytes(chunk);
    }
    if (out.json) await out.object({ path, seq: Number(at.slice(1)), content_base64: Buffer.concat(chunks).toString('base64') });
  });
}
