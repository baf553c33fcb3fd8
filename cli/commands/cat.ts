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
    const content = tree.client.call('cat', { path, at, time_zone });
    if (out.json) await writeObject({ path, seq: Number(at.slice(1)) }, content, out);
    else for await (const chunk of content) await out.bytes(chunk);
  });
}

/** The object piece by piece: a string cannot hold what a large file is in base64. Nothing is written before the content begins. */
async function writeObject(head: { path: string; seq: number }, content: AsyncIterable<Buffer>, out: Output): Promise<void> {
  const begin = `${JSON.stringify(head).slice(0, -1)},"content_base64":"`;
  let begun = false;
  let rest = Buffer.alloc(0);
  for await (const chunk of content) {
    if (!begun) await out.bytes(begin);
    begun = true;
    // Three bytes are four characters: only the last piece may be padded.
    const bytes = Buffer.concat([rest, chunk]);
    const whole = bytes.length - bytes.length % 3;
    await out.bytes(bytes.toString('base64', 0, whole));
    rest = bytes.subarray(whole);
  }
  await out.bytes(`${begun ? '' : begin}${rest.toString('base64')}"}\n`);
}
