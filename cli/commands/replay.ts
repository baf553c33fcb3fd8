/** `rewind replay`: shows what would change, asks, and leaves out what one writer did since a time. */
import { flag, text, type Arguments } from '../command.js';
import type { Output } from '../output.js';
import { time_zone, withTree } from '../ask.js';
import { agree, showWork } from '../work.js';
import { RewindError } from '../../lib/errors.js';
import type { SelectionArgs } from '../../lib/daemon/protocol.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  const call = { ...whoOf(text(args, 'except')!), since: text(args, 'from')!, require_complete: flag(args, 'require-complete'), force: flag(args, 'force'), time_zone };
  await withTree(args, undefined, out, async ({ client }) => {
    const planned_at = await agree(args, out, 'Leave that out?', (dry_run) => client.call('replay', { ...call, dry_run }));
    if (planned_at !== null) await showWork(client.call('replay', { ...call, planned_at }), out, 0);
  });
}

/** @throws ERR_USAGE */
function whoOf(who: string): SelectionArgs {
  const [, kind = 'writer', value] = /^(?:(family|exe|session|uid):)?(.+)$/s.exec(who) ?? [];
  if (value !== undefined && (kind === 'exe' || kind === 'session')) return { [kind]: value };
  if (value !== undefined && /^\d{1,15}$/.test(value)) return { [kind]: Number(value) };
  throw new RewindError('ERR_USAGE', `--except takes a process, or family:PID, exe:PATTERN, session:ID or uid:UID, not ${JSON.stringify(who)}`, '`rewind log` shows who changed what: program[PID].');
}
