/** `rewind fork`: the past as a writable directory; what was changed in it, and grafting that back. */
import { resolve } from 'node:path';
import type { DiffRow, ForkRow } from '../../lib/daemon/protocol.js';
import { RewindError } from '../../lib/errors.js';
import { safeForTerminal } from '../../lib/paths.js';
import { place, time_zone, withTree, type Tree } from '../ask.js';
import { flag, text, type Arguments } from '../command.js';
import { showDiff } from '../diff.js';
import { showTime, type Output } from '../output.js';
import { runIn } from '../program.js';
import { showWork } from '../work.js';

/** Entries of a plan that are shown before the question; `--dry-run` shows all. */
const SHOWN = 20;

type Act = (tree: Tree, args: Arguments, out: Output) => Promise<number | void>;

/** Everything else is a time. */
const ACTIONS: Record<string, Act> = { list, open, diff, keep, drop };
const OPTIONS_OF: Record<string, string[]> = { list: [], open: [], diff: ['patch'], keep: ['dry-run', 'yes', 'force'], drop: ['lazy'], TIME: ['name', 'upper'] };

export async function run(args: Arguments, out: Output): Promise<number | void> {
  const word = String(args['ACTION']);
  const action = Object.hasOwn(ACTIONS, word) ? word : 'TIME';
  checkWords(action, args);
  return await withTree(args, undefined, out, (tree) => (ACTIONS[action] ?? make)(tree, args, out));
}

function checkWords(action: string, args: Arguments): void {
  const usage = (message: string) => new RewindError('ERR_USAGE', `rewind fork ${action}: ${message}`, 'rewind fork --help');
  const named = text(args, 'NAME') !== undefined;
  if ((action === 'list' || action === 'TIME') && named) throw usage(action === 'list' ? 'takes no name' : 'name it with --name');
  if (!named && action !== 'list' && action !== 'TIME') throw usage('which fork? (rewind fork list)');
  if (action !== 'keep' && (args['PATH'] as string[] ?? []).length > 0) throw usage('takes no path');
  if (action !== 'open' && action !== 'TIME' && args['--'] !== undefined) throw usage('runs no command');
  for (const option of Object.values(OPTIONS_OF).flat()) {
    if (args[option] !== undefined && !OPTIONS_OF[action]!.includes(option)) throw usage(`--${option} means nothing here`);
  }
}

async function make(tree: Tree, args: Arguments, out: Output): Promise<number | void> {
  const upper = text(args, 'upper');
  const call = { time: String(args['ACTION']), name: text(args, 'name'), ...upper !== undefined && { upper: resolve(upper) }, time_zone };
  for await (const fork of tree.client.call('fork', call)) return await use(fork, args, out);
}

async function open({ client }: Tree, args: Arguments, out: Output): Promise<number | void> {
  for await (const fork of client.call('fork_open', { name: text(args, 'NAME')! })) return await use(fork, args, out);
}

/** Says where it is, or works in it. */
async function use(fork: ForkRow, args: Arguments, out: Output): Promise<number | void> {
  const program = args['--'] as string[] | undefined;
  out.remark(`${fork.name} is the tree of ${showTime(fork.time)} (#${fork.seq}), to be changed at will`);
  if (program !== undefined) return (await runIn(program, fork.path)).code;
  if (out.json) await out.object(fork);
  else await out.line(safeForTerminal(fork.path));
}

async function list({ client }: Tree, _args: Arguments, out: Output): Promise<void> {
  let forks = 0;
  for await (const fork of client.call('forks', {})) {
    forks++;
    if (out.json) await out.object(fork);
    else await out.line(`${fork.name.padEnd(16)} ${showTime(fork.time)} ${`#${fork.seq}`.padStart(10)}  ${fork.mounted ? 'mounted ' : 'at rest '}  ${safeForTerminal(fork.path)}`);
  }
  if (forks === 0) out.remark('There are no forks; rewind fork TIME makes one.');
}

async function diff({ client }: Tree, args: Arguments, out: Output): Promise<void> {
  let rows = 0;
  for await (const item of client.call('fork_diff', { name: text(args, 'NAME')!, patch: flag(args, 'patch'), terminal: out.terminal })) {
    if ('fork' in item) out.remark(`From ${showTime(item.fork.time)} (#${item.fork.seq}) to ${item.fork.name}`);
    else rows++;
    if (out.json) await out.object(item);
    else if (!('fork' in item)) await showDiff(item as DiffRow, out);
  }
  if (rows === 0) out.remark('The fork is as it began.');
}

async function keep(tree: Tree, args: Arguments, out: Output): Promise<void> {
  const name = text(args, 'NAME')!;
  const paths = await Promise.all(((args['PATH'] ?? []) as string[]).map((path) => place(tree, args, path)));
  const dry = flag(args, 'dry-run');
  const call = { name, paths, force: flag(args, 'force') };
  let planned_at: number | undefined;
  if (dry || !flag(args, 'yes')) {
    const plan = await showWork(tree.client.call('fork_keep', { ...call, dry_run: true }), out, dry ? Infinity : SHOWN);
    if (dry || plan.entries === 0) return;
    planned_at = plan.now;
    if (!await out.confirm(`Bring this from ${name} into ${tree.found.mountpoint}?`)) throw new RewindError('ERR_REFUSED', 'Nothing was changed: the answer was No');
  }
  await showWork(tree.client.call('fork_keep', { ...call, planned_at }), out, 0);
}

async function drop({ client }: Tree, args: Arguments, out: Output): Promise<void> {
  for await (const fork of client.call('fork_drop', { name: text(args, 'NAME')!, lazy: flag(args, 'lazy') })) {
    if (out.json) await out.object(fork);
    else await out.line(`${fork.name} is gone, with what was changed in it`);
  }
}
