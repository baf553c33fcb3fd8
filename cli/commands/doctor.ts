/** `rewind doctor`: what this machine offers a mount, what the tree's mount uses of it, and how to get more. */
import { text, type Arguments } from '../command.js';
import type { Output } from '../output.js';
import { withTree } from '../ask.js';
import { examine, type Finding } from '../../lib/doctor/machine.js';
import { RewindError } from '../../lib/errors.js';
import { safeForTerminal } from '../../lib/paths.js';

const MARKS = { ok: ['green', 'ok'], slower: ['yellow', 'slower'], missing: ['red', 'MISSING'] } as const;

export async function run(args: Arguments, out: Output): Promise<void> {
  for (const finding of [...await examine(), ...await ofTree(args, out)]) {
    if (out.json) await out.object(finding);
    else await show(finding, out);
  }
}

async function show(finding: Finding, out: Output): Promise<void> {
  const [colour, mark] = MARKS[finding.state];
  await out.line(`${out.paint(colour, mark.padEnd(8))} ${finding.name.padEnd(13)} ${safeForTerminal(finding.found)}`);
  if (finding.remedy !== null) await out.line(`${' '.repeat(9)}${' '.repeat(14)}-> ${safeForTerminal(finding.remedy)}`);
}

/** What a mounted tree uses; nothing when there is none here and none was asked for. */
async function ofTree(args: Arguments, out: Output): Promise<Finding[]> {
  const asked = [text(args, 'DIR'), text(args, 'tree'), text(args, 'store')].some((one) => one !== undefined);
  const found: Finding[] = [];
  try {
    await withTree(args, text(args, 'DIR'), out, async ({ client }) => {
      for await (const status of client.call('status', {})) {
        if (!status.mounted) continue;
        const reason = status.transport_reason;
        found.push({
          name: 'this tree', state: reason === null ? 'ok' : 'slower', found: `${status.mountpoint}, over ${status.transport}${reason === null ? '' : `: ${reason}`}`,
          remedy: reason === null ? null : 'rewind unmount, then rewind mount: a mount keeps the transport that it began with.',
        });
        if (status.failed !== null) found.push({ name: 'this tree', state: 'missing', found: `history stands still: ${status.failed}`, remedy: 'Everything is still recorded in the journal. For want of room: make some, and it goes on by itself; otherwise rewind unmount and mount again.' });
      }
    });
  } catch (error) {
    if (asked || !(error instanceof RewindError)) throw error;
  }
  return found;
}
