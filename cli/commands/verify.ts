/** `rewind verify`: is what the store holds whole? */
import { withTree } from '../ask.js';
import { flag, type Arguments } from '../command.js';
import { EXIT_INTEGRITY, EXIT_OK } from '../exit.js';
import type { Output } from '../output.js';
import type { Severity, VerifyRow } from '../../lib/daemon/verifyrows.js';

const STYLES = { lost: 'red', wrong: 'yellow', harmless: 'dim' } as const satisfies Record<Severity, string>;

export async function run(args: Arguments, out: Output): Promise<number> {
  return await withTree(args, undefined, out, async ({ client }) => {
    let findings = 0;
    for await (const row of client.call('verify', { deep: flag(args, 'deep') })) {
      if (row.type === 'finding') findings++;
      if (out.json) await out.object(row);
      else await show(row, out);
    }
    return findings > 0 ? EXIT_INTEGRITY : EXIT_OK;
  });
}

async function show(row: VerifyRow, out: Output): Promise<void> {
  if (row.type === 'progress') return out.progress(`Looking at ${row.family}: ${row.done}`);
  out.endProgress();
  if (row.type === 'finding') {
    await out.line(`${out.paint(STYLES[row.severity], row.severity.padEnd(8))}  ${row.kind}  ${row.path === null ? '' : `${row.path}: `}${row.what}`);
    await out.line(`          ${row.remedy}`);
    return;
  }
  const read = `${row.entries} entries of history to #${row.seq}, ${row.journal_records} records of the journal`;
  await out.line(row.findings === 0 ? `Whole: ${read}${row.deep ? ', all content' : ''}` : `${row.findings} ${row.findings === 1 ? 'finding' : 'findings'} in ${read}; docs/verify.md says what each means`);
}
