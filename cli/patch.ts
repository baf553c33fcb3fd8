/** Shows content that differs, line by line, or says why it is not shown. */
import type { PatchFields } from '../lib/daemon/protocol.js';
import type { Output } from './output.js';

const OMITTED = {
  binary: 'binary content differs', large: 'content differs, and is too large to compare line by line', uncaptured: 'content was not captured',
};

export async function showPatch(row: PatchFields, out: Output): Promise<void> {
  if (row.omitted) await out.line(`  (${OMITTED[row.omitted]})`);
  if (row.patch_base64) await out.bytes(Buffer.from(row.patch_base64, 'base64'));
  if (row.patch) for (const line of row.patch.replace(/\n$/, '').split('\n')) await out.line(paint(line, out));
}

function paint(line: string, out: Output): string {
  if (line.startsWith('+')) return out.paint('green', line);
  if (line.startsWith('-')) return out.paint('red', line);
  return line.startsWith('@@') ? out.paint('bold', line) : line;
}
