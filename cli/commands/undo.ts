/** `rewind undo`: shows what would be taken back, asks, and takes it back. */
import { flag, text, type Arguments } from '../command.js';
import type { Output } from '../output.js';
import { stretch, time_zone, withTree } from '../ask.js';
import { agree, showWork } from '../work.js';
import { RewindError } from '../../lib/errors.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  const number = (name: string): number | undefined => {
    const value = args[name];
    if (value === undefined || (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0)) return value;
    throw new RewindError('ERR_USAGE', `--${name} takes a number`, '`rewind log` shows who changed what: program[PID].');
  };
  const who = {
    writer: number('writer'), family: number('family'), uid: number('uid'), exe: text(args, 'exe'), session: text(args, 'session'),
    require_complete: flag(args, 'require-complete'), force: flag(args, 'force'), time_zone,
  };
  await withTree(args, undefined, out, async ({ client }) => {
    const selection = { ...who, ...await stretch({ client }, args, out) };
    const planned_at = await agree(args, out, 'Take that back?', (dry_run) => client.call('undo', { ...selection, dry_run }));
    if (planned_at === null) return;
    await showWork(client.call('undo', { ...selection, planned_at }), out, 0);
  });
}
