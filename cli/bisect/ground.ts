/** What a bisect searches over, and where an instant can be tested. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { processStart } from '../../lib/fork/forks.js';
import type { LogRow, StatusRow } from '../../lib/daemon/protocol.js';
import { RewindError } from '../../lib/errors.js';
import { place, time_zone, type Tree } from '../ask.js';
import type { Arguments } from '../command.js';
import { runIn, type Ended } from '../program.js';

/** Both ends, as seqs. */
export interface Ends {
  good: number;
  bad: number;
}

export async function seqOf({ client }: Tree, time: string): Promise<number> {
  for await (const { seq } of client.call('resolve', { time, time_zone })) return seq;
  throw new RewindError('ERR_DAEMON_TALK', `The daemon did not say when ${time} was`);
}

/** Without --good the beginning of history, without --bad now. @throws ERR_BISECT_ENDS */
export async function endsOf(tree: Tree, good: string | undefined, bad: string | undefined): Promise<Ends> {
  const first = (await statusOf(tree)).first?.seq ?? 0;
  const ends = { good: good === undefined ? first : await seqOf(tree, good), bad: await seqOf(tree, bad ?? 'now') };
  if (ends.good < ends.bad) return ends;
  const what = ends.good === ends.bad ? `Both ends are #${ends.good}` : `The good end, #${ends.good}, comes after the bad one, #${ends.bad}`;
  throw new RewindError('ERR_BISECT_ENDS', what, 'Name an instant when it was good with --good, and a later one when it was bad with --bad.');
}

export async function statusOf({ client }: Tree): Promise<StatusRow> {
  for await (const status of client.call('status', {})) return status;
  throw new RewindError('ERR_DAEMON_TALK', 'The daemon did not say how it is', 'Unmount and mount again: it may be of another version.');
}

/** The saves under the paths between the ends, oldest first. @throws ERR_BISECT_ENDS when there are none */
export async function savesBetween(tree: Tree, paths: string[], { good, bad }: Ends): Promise<LogRow[]> {
  const saves = await rows(tree, paths, good, bad, false);
  if (saves.length > 0) return saves;
  throw new RewindError('ERR_BISECT_ENDS', `Nothing changed between #${good} and #${bad}${paths.length > 0 ? ` under ${paths.join(', ')}` : ''}`, 'rewind log shows what changed when.');
}

/**
 * The single writes after the last good instant up to the end of a save, oldest first. A file that was just made or
 * emptied to be written anew is no state that anybody meant: it counts together with what follows in its save.
 */
export async function writesOf(tree: Tree, paths: string[], good: number, save: LogRow): Promise<LogRow[]> {
  if ((save.records ?? 1) < 2) return [save];
  const writes = await rows(tree, paths, good, save.seq, true);
  return writes.filter((row, i) => {
    const next = writes[i + 1];
    const begins = row.size === 0 && (row.kind === 'truncate' || row.kind === 'create');
    return !(begins && next !== undefined && next.path === row.path && next.kind === 'write');
  });
}

async function rows({ client }: Tree, paths: string[], good: number, bad: number, all_writes: boolean): Promise<LogRow[]> {
  const found = new Map<number, LogRow>();
  for (const path of paths.length > 0 ? paths : ['']) {
    for await (const row of client.call('log', { path, since: `#${good}`, until: `#${bad}`, all_writes, time_zone })) {
      if (row.seq > good && row.seq <= bad) found.set(row.seq, row);
    }
  }
  return [...found.values()].sort((a, b) => a.seq - b.seq);
}

/** Runs tests at instants: each in a fork of its own that goes with it, or in the read-only view. */
export class Tester {
  runs = 0;
  private start: string | null = null;

  constructor(private readonly tree: Tree, private readonly args: Arguments, private readonly program: string[], private readonly readOnly: boolean, private readonly quiet: boolean) {}

  async run(seq: number): Promise<Ended> {
    this.runs++;
    if (this.readOnly) return await this.runAt(await pastAt(this.tree, seq), seq);
    this.start ??= await processStart(process.pid);
    const name = `bisect-${process.pid}`;
    for await (const fork of this.tree.client.call('fork', { time: `#${seq}`, name, owner: { pid: process.pid, start: this.start! }, time_zone })) {
      try {
        return await this.runAt(fork.path, seq);
      } finally {
        for await (const row of this.tree.client.call('fork_drop', { name, lazy: true })) void row;
      }
    }
    throw new RewindError('ERR_DAEMON_TALK', 'The daemon made no fork', 'See daemon.log in the store.');
  }

  /** Where one stands in the tree, if it was there then; else its root. */
  private async runAt(root: string, seq: number): Promise<Ended> {
    const here = join(root, await place(this.tree, this.args, undefined));
    const directory = await access(here).then(() => here, () => root);
    try {
      return await runIn(this.program, directory, { REWIND_SEQ: String(seq) }, this.quiet);
    } catch (error) {
      if (!(error instanceof RewindError)) throw error;
      throw new RewindError('ERR_BISECT_TEST', `At #${seq}: ${error.message}`, error.hint, { cause: error });
    }
  }
}

/** The read-only directory of an instant. */
export async function pastAt(tree: Tree, seq: number): Promise<string> {
  const { mountpoint, snapshots, tree: directory } = await statusOf(tree);
  if (mountpoint === null) throw new RewindError('ERR_NOT_MOUNTED', `${directory} is not mounted. A bisect looks at its past.`, `rewind mount ${directory}`);
  return `${mountpoint}/${snapshots}/@#${seq}`;
}
