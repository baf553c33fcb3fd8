/** What a bisect found: which change, whose, and the way back. */
import type { LogRow } from '../../lib/daemon/protocol.js';
import { safeForTerminal } from '../../lib/paths.js';
import { time_zone, type Tree } from '../ask.js';
import { showTime, type Output } from '../output.js';
import { showWork } from '../work.js';

/** The end of a search. */
export interface Outcome {
  /** The first bad change; with skips, the candidates. */
  suspects: LogRow[];
  lastGood: number;
  paths: string[];
  runs?: number;
}

const quoted = (path: string): string => (/^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

export const describe = (row: LogRow): string =>
  `#${row.seq} ${showTime(row.time)} ${row.marker} ${row.path ?? '(no name)'} by ${row.writer ? `${row.writer.exe.split('/').at(-1)}[${row.writer.pid}]` : '-'}`;

/** `offer`: whether to ask for the way back to be gone, on a terminal. */
export async function report(tree: Tree, outcome: Outcome, out: Output, offer = true): Promise<void> {
  const { suspects, lastGood, paths, runs } = outcome;
  const words = paths.map(quoted).join(' ');
  const command = `rewind rollback ${words}${words ? ' ' : ''}--to "#${lastGood}"`;
  if (out.json) return await out.object({ type: 'found', first_bad: suspects.length === 1 ? suspects[0] : null, suspects, last_good: lastGood, runs, rollback: command });
  if (suspects.length > 1) await out.line(`The first bad change is one of these ${suspects.length}; tests between were skipped:`);
  for (const row of suspects) {
    await out.line(`${suspects.length === 1 ? 'First bad: ' : '  '}${describe(row)}`);
    if (row.writer) await out.line(`  ${safeForTerminal(row.writer.argv.join(' '))} (uid ${row.writer.uid}${row.uncertain ? ', not certain' : ''})`);
  }
  await out.line(`Last good: #${lastGood}${runs === undefined ? '' : `; found in ${runs} runs and the two checks of the ends`}`);
  await out.line(`Go back with: ${command}`);
  if (!offer || !process.stdin.isTTY || !process.stderr.isTTY) return;
  if (!await out.confirm(`Roll back ${words || 'the whole tree'} to #${lastGood}?`)) return;
  await showWork(tree.client.call('rollback', { paths, to: `#${lastGood}`, time_zone }), out, 20);
}
