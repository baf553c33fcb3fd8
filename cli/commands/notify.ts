/** `rewind notify`: what programs say of their files, for scripts; docs/api.md is the same for programs that speak HTTP. */
import { flag, number, text, type Arguments } from '../command.js';
import { showTime, type Output } from '../output.js';
import { place, time_zone, withTree, type Tree } from '../ask.js';
import { showWork } from '../work.js';
import { RewindError } from '../../lib/errors.js';

/** What is said; one at a time. */
const DEEDS = ['recover', 'begin', 'commit', 'cancel'] as const;
/** Which options go with which; '' is the plain notice. */
const TAKES: Record<string, readonly string[]> = { '': ['name', 'note'], recover: ['to'], begin: ['family', 'note'], commit: [], cancel: ['force'] };

export async function run(args: Arguments, out: Output): Promise<void> {
  const typed = (args['FILE'] ?? []) as string[];
  const deed = deedOf(args, typed);
  await withTree(args, typed[0], out, async (tree) => {
    const paths = await Promise.all(typed.map((path) => place(tree, args, path)));
    if (deed === 'recover') for (const path of paths) await recover(tree, path, args, out);
    else if (deed === 'begin') await begin(tree, paths, args, out);
    else if (deed === 'commit') await commit(tree, text(args, 'commit')!, out);
    else if (deed === 'cancel') await showWork(tree.client.call('cancel', { id: text(args, 'cancel')!, force: flag(args, 'force') }), out, 0);
    else await notify(tree, paths, args, out);
  });
}

function deedOf(args: Arguments, typed: string[]): string {
  const deeds = DEEDS.filter((name) => args[name] !== undefined && args[name] !== false);
  const wrong = (message: string): never => { throw new RewindError('ERR_USAGE', message, 'rewind notify --help'); };
  if (deeds.length > 1) wrong(`--${deeds.join(' and --')} exclude each other`);
  const deed = deeds[0] ?? '';
  for (const name of ['name', 'note', 'family', 'to', 'force']) if (args[name] !== undefined && !TAKES[deed]!.includes(name)) wrong(`--${name} does not go with ${deed ? `--${deed}` : 'a notice'}`);
  if (typed.length > 0 && (deed === 'commit' || deed === 'cancel')) wrong(`--${deed} takes no file: the id says which`);
  if (typed.length === 0 && (deed === '' || deed === 'recover' || (deed === 'begin' && args['family'] === undefined))) wrong('name the files');
  return deed;
}

async function notify({ client }: Tree, paths: string[], args: Arguments, out: Output): Promise<void> {
  for await (const point of client.call('notify', { paths, name: text(args, 'name'), note: text(args, 'note') })) {
    if (out.json) await out.object(point);
    else await out.line(`${point.name || 'last-notify'} is ${showTime(point.time)} (#${point.seq})`);
  }
}

async function recover({ client }: Tree, path: string, args: Arguments, out: Output): Promise<void> {
  for await (const row of client.call('recover', { path, to: text(args, 'to'), time_zone })) {
    if (out.json) await out.object(row);
    else if (row.result === 'recovered') await out.line(`${row.path}: ${row.note}`);
  }
}

async function begin({ client }: Tree, paths: string[], args: Arguments, out: Output): Promise<void> {
  for await (const row of client.call('begin', { paths, family: number(args, 'family'), note: text(args, 'note') })) {
    if (out.json) await out.object(row);
    else await out.line(row.id);
  }
}

async function commit({ client }: Tree, id: string, out: Output): Promise<void> {
  for await (const row of client.call('commit', { id })) {
    if (out.json) await out.object(row);
    else out.remark(`Committed: what it changed is kept as #${row.ended?.seq}, what was before as #${row.began.seq}.`);
  }
}
