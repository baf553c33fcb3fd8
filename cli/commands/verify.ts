/** `rewind verify`: is what the store holds whole? */
import { withTree } from '../ask.js';
import { flag, text, type Arguments } from '../command.js';
import { EXIT_INTEGRITY, EXIT_OK } from '../exit.js';
import { showTime, type Output } from '../output.js';
import type { ChainRow, Severity, VerifyRow } from '../../lib/daemon/verifyrows.js';

const STYLES = { lost: 'red', wrong: 'yellow', harmless: 'dim' } as const satisfies Record<Severity, string>;

export async function run(args: Arguments, out: Output): Promise<number> {
  return await withTree(args, undefined, out, async ({ client }) => {
    let findings = 0;
    const purges = new Map<string, number>();
    for await (const row of client.call('verify', { deep: flag(args, 'deep'), anchor: text(args, 'since-anchor') })) {
      if (row.type === 'finding') findings++;
      if (out.json) await out.object(row);
      else if (row.type === 'purged') count(purges, `${row.note}, by ${row.by} on ${showTime(row.time)}`);
      else await show(row, purges, out);
    }
    return findings > 0 ? EXIT_INTEGRITY : EXIT_OK;
  });
}

const count = (of: Map<string, number>, what: string): unknown => of.set(what, (of.get(what) ?? 0) + 1);

async function show(row: Exclude<VerifyRow, { type: 'purged' }>, purges: ReadonlyMap<string, number>, out: Output): Promise<void> {
  if (row.type === 'progress') return out.progress(`Looking at ${row.family}: ${row.done}`);
  out.endProgress();
  if (row.type === 'finding') {
    await out.line(`${out.paint(STYLES[row.severity], row.severity.padEnd(8))}  ${row.kind}  ${row.path === null ? '' : `${row.path}: `}${row.what}`);
    await out.line(`          ${row.remedy}`);
    return;
  }
  if (row.type === 'thinned') return out.line(out.paint('dim', `thinned   #${row.from_seq} to #${row.to_seq}, by ${row.why ?? 'retention'}${row.time === null ? '' : `, on ${showTime(row.time)}`}: ${row.changes_time === null ? 'its changes are told' : `the last of its changes are told (since ${showTime(row.changes_time)})`}, of its content what is left`));
  for (const [what, objects] of purges) await out.line(out.paint('dim', `purged    ${what}: ${objects} ${objects === 1 ? 'object' : 'objects'}`));
  const read = `${row.entries} entries of history to #${row.seq}, ${row.journal_records} records of the journal`;
  await out.line(row.findings === 0 ? `Whole: ${read}${row.deep ? ', all content' : ''}` : `${row.findings} ${row.findings === 1 ? 'finding' : 'findings'} in ${read}; docs/verify.md says what each means`);
  if (row.chain !== null) await out.line(describeChain(row.chain));
  if (row.anchor !== null) await out.line(row.anchor.fits ? `The anchor fits: the changes up to #${row.anchor.seq} (${showTime(row.anchor.time ?? '')}) are those that it was taken of${row.deep ? '' : '; --deep compares their content, too'}` : out.paint('red', 'THE ANCHOR DOES NOT FIT'));
}

function describeChain({ from_seq, to_seq, links, mended, objects }: ChainRow): string {
  const not = objects === null ? [] : (['thinned', 'purged', 'uncaptured', 'damaged'] as const).filter((why) => objects[why] > 0).map((why) => `${objects[why]} ${why}`);
  const compared = objects === null ? '' : `, ${objects.whole} contents as they were recorded${not.length === 0 ? '' : `, not compared: ${not.join(', ')}`}`;
  return `Chain: #${from_seq} to #${to_seq} in ${links} ${links === 1 ? 'link' : 'links'}${compared}${mended.map((one) => `; #${one.from_seq} to #${one.to_seq} unknown since the repair of ${showTime(one.time)}`).join('')}`;
}
