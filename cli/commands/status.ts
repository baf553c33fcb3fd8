/** `rewind status`: how the tree, its daemon and its history are. */
import { text, type Arguments } from '../command.js';
import { showBytes, showTime, type Output } from '../output.js';
import { place, time_zone, withTree } from '../ask.js';
import { showSummary } from '../summary.js';
import { describeInterrupted, HOW_TO_GO_ON } from '../work.js';
import { safeForTerminal } from '../../lib/paths.js';
import { describeSpace } from '../space.js';
import type { StatusRow } from '../../lib/daemon/protocol.js';
import type { ScrubRow } from '../../lib/daemon/verifyrows.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  await withTree(args, text(args, 'DIR'), out, async (tree) => {
    const { client } = tree;
    const since = text(args, 'since');
    if (since !== undefined) return await showSummary(client.call('summary', { path: await place(tree, args, text(args, 'DIR')), since, time_zone }), out);
    for await (const status of client.call('status', {})) {
      if (out.json) await out.object(status);
      else for (const line of describe(status)) await out.line(URGENT.test(line) ? out.paint('red', line) : line);
    }
  });
}

/** Findings of the scrub that are shown. */
const SCRUB_FINDINGS = 5;

function describeScrub({ every_ms, running, last, next }: ScrubRow): string {
  const ended = last === null ? 'none yet' : `last ended ${showTime(last.ended)}, ${last.findings === 0 ? 'nothing wrong' : `${last.findings} ${last.findings === 1 ? 'finding' : 'findings'}`}`;
  if (running !== null) return `reading all of the store since ${showTime(running.since)}: ${Math.floor(100 * running.part)}%, ${showBytes(running.bytes)}; ${ended}`;
  return every_ms === null ? `never (policy); ${ended}` : `${ended}${next === null ? '' : `; next ${showTime(next)}`}`;
}

/** What cannot wait. */
const URGENT = /^(UNRECORDED|FAILED|DAMAGED|BLOCKED|AWAY) /;

function describe(status: StatusRow): string[] {
  const row = (name: string, value: string) => `${name.padEnd(12)} ${safeForTerminal(value)}`;
  const lines = [row('tree', status.tree), row('store', status.store)];
  lines.push(status.mounted
    ? row('mounted', `at ${status.mountpoint}, since ${showTime(status.mounted_since ?? '')}, by pid ${status.pid} over ${status.transport}`)
    : row('mounted', 'no'));
  const behind = status.seq - status.extracted_seq;
  lines.push(row('changes', `#${status.seq}${behind > 0 ? `, history at #${status.extracted_seq} (${behind} to go, ${showBytes(status.backlog_bytes)})` : ', all in history'}`));
  if (status.first && status.last_change) lines.push(row('history', `from ${showTime(status.first.time)} (#${status.first.seq}) to ${showTime(status.last_change)}`));
  const { baseline } = status;
  if (baseline) {
    const count = `${baseline.directories} directories, ${baseline.files} files, ${showBytes(baseline.bytes)}`;
    lines.push(row('baseline', `${baseline.state}: ${count}${baseline.differences > 0 ? `; ${baseline.differences} changed while unmounted` : ''}`));
  }
  lines.push(row('space', describeSpace(status.space)));
  for (const one of status.space.cold) {
    lines.push(row(one.there ? 'cold' : 'AWAY', `${showBytes(one.bytes)} of cold content in ${one.directory}${one.there ? '' : ', which is not there: what lies in it cannot be read'}`));
    if (!one.there) lines.push(row('', `Attach ${one.directory}, or name in [cold] of the policy where it is now`));
  }
  if (status.memory_bytes !== null) lines.push(row('memory', showBytes(status.memory_bytes)));
  const { trash, merged, due, changes_given_up } = status.retention;
  if (merged + due > 0) lines.push(row('thinned', `${merged + due} stretches between kept instants${due > 0 ? `, ${due} of them to be merged yet` : ''}${changes_given_up > 0 ? `; of ${changes_given_up} only the last changes are told` : ''}`));
  for (const reason of new Set(trash.map((one) => one.reason))) {
    const given = trash.filter((one) => one.reason === reason);
    const [first] = given.map(({ until }) => until).sort();
    lines.push(row('trash', `${given.reduce((sum, { stretches }) => sum + stretches, 0)} stretches (${reason}), ${given.length === 1 ? 'back' : 'the first of them back'} until ${showTime(first!)} with: rewind prune --undo`));
  }
  lines.push(row('scrub', describeScrub(status.scrub)));
  if (status.last_gap) lines.push(row('gaps', `${status.gaps}, the last ${status.last_gap.reason} at ${showTime(status.last_gap.time)} (#${status.last_gap.seq})`));
  if (status.cut) lines.push(row('after a crash', `${showBytes(status.cut.bytes)} that were not whole were cut from the journal's end${status.cut.kept === null ? '' : `; kept in ${status.cut.kept}`}`));
  const { refused, excluded, passthrough } = status.policy;
  const byCapture = (capture: string) => excluded.filter((rule) => rule.capture === capture).map(({ pattern, by }) => `${pattern}${by === 'default' ? '' : ` (${by})`}`).join(' ');
  if (byCapture('none')) lines.push(row('not captured', `${byCapture('none')}${excluded.some(({ by }) => by === 'default') ? '; by default but for those with a place' : ''}`));
  if (byCapture('on-close')) lines.push(row('on close', byCapture('on-close')));
  if (passthrough !== null && excluded.length > 0) lines.push(row('', passthrough ? 'read and written by the kernel directly' : 'read and written through the daemon, as all files'));
  for (const one of status.blocked) {
    lines.push(row('BLOCKED', `${one.command} [${one.pid}] and what it started${one.running ? '' : ' (it has ended itself)'}: ${one.alarm} of ${one.count} files since #${one.first_seq}, stopped at ${showTime(one.since)}`));
    lines.push(row('', `To let it go on: rewind release ${one.pid}. The tree before it: rewind rollback --to before:alarm`));
  }
  if (refused !== null) lines.push(row('POLICY', `${refused}; the one before is in force`));
  const { recovery } = status;
  if (recovery.running > 0) lines.push(row('recovering', `${recovery.running} ${recovery.running === 1 ? 'file' : 'files'}; rewind policy status`));
  for (const { path, note } of recovery.failed) lines.push(row('DAMAGED', `${path}: ${note}; it could not be put back`));
  for (const { severity, kind, path, what, remedy } of status.scrub.findings.slice(0, SCRUB_FINDINGS)) lines.push(row('STORE', `${severity}: ${kind}: ${path === null ? '' : `${path}: `}${what}`), row('', remedy));
  if (status.scrub.findings.length > SCRUB_FINDINGS) lines.push(row('', `and ${status.scrub.findings.length - SCRUB_FINDINGS} more: rewind verify --deep`));
  if (status.interrupted) lines.push(row('INTERRUPTED', describeInterrupted(status.interrupted)), row('', HOW_TO_GO_ON));
  if (status.failed !== null) lines.push(row(status.unrecorded ? 'UNRECORDED' : 'FAILED', status.failed), row('', status.failed_hint ?? ''));
  return lines;
}
