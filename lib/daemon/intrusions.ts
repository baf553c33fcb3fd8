/**
 * What stands in the way of a plan that was agreed to: changes that others made in its scope since, and files of it that a
 * program has open for writing, who would go on to write into what was put back.
 */
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { Change, Name, Seq, Writer } from '../history/types.js';
import { safeForTerminal, showPath } from '../paths.js';
import { Places } from '../recovery/places.js';
import type { Plan } from '../recovery/types.js';
import type { Selected } from '../recovery/undo/select.js';
import { programNameOf, writersIn } from '../store/users.js';
import type { WorkRow } from './protocol.js';
import { writerRow } from './rows.js';
import type { LiveTree, Session } from './session.js';

/** Paths that a refusal names. */
const NAMED = 3;

/** What a plan was agreed to for. */
export interface Agreement {
  /** Is this path one that the plan is about? */
  within(path: readonly Name[]): boolean;
  /** What changed after this seq was not agreed to. */
  since: Seq;
  /** Changes that are the operation's own. */
  own: Selected | null;
  dry_run?: boolean;
  force?: boolean;
}

/** Tells what stands in the way; unless it is a dry run, or `force`, that ends it. @throws ERR_NEWER_CHANGES */
export async function* checkUntouched(session: Session, live: LiveTree | null, plan: Pick<Plan, 'entries' | 'now'>, agreed: Agreement): AsyncGenerator<WorkRow> {
  const newer = await newerChanges(session, agreed, plan.now);
  for (const [path, by] of newer) yield { type: 'newer', path, by: by && writerRow(by) };
  if (!agreed.force && !agreed.dry_run) refuse(newer);
  yield* checkClosed(session, live, plan, agreed);
}

/** What came in between is not gone over either. @throws ERR_NEWER_CHANGES unless `force` */
export async function checkStillUntouched(session: Session, agreed: Agreement, now: Seq): Promise<void> {
  if (!agreed.force) refuse(await newerChanges(session, agreed, now));
}

function refuse(newer: ReadonlyMap<string, Writer | null>): void {
  if (newer.size === 0) return;
  throw new RewindError('ERR_NEWER_CHANGES', `Nothing was changed: since the plan was made others changed ${named([...newer.keys()])}`, 'Run the command again to see the new plan, or go over their changes with --force: history keeps them.');
}

/**
 * Of that only the files that somebody has open for writing. `asking`: processes that know of it, since they asked.
 * @throws ERR_NEWER_CHANGES
 */
export async function* checkClosed({ history }: Session, live: LiveTree | null, plan: Pick<Plan, 'entries' | 'now'>, agreed: Pick<Agreement, 'dry_run' | 'force'>, asking: ReadonlySet<number> = new Set()): AsyncGenerator<WorkRow> {
  const open = live ? (await openForWriting(history, live.mountpoint, plan)).filter(({ pid }) => !asking.has(pid)) : [];
  for (const one of open) yield { type: 'open', ...one };
  if (agreed.force || agreed.dry_run || open.length === 0) return;
  const users = [...new Set(open.map(({ command, pid }) => `${command}[${pid}]`))];
  const paths = [...new Set(open.map(({ path }) => path))];
  throw new RewindError('ERR_NEWER_CHANGES', `Nothing was changed: ${named(paths)} ${paths.length === 1 ? 'is' : 'are'} open for writing by ${named(users)}`, 'Let the program close the file, or go on with --force: what it writes later goes into what was put back.');
}

const named = (texts: string[]): string => texts.slice(0, NAMED).join(', ') + (texts.length > NAMED ? ` and ${texts.length - NAMED} more` : '');

/** Paths in the scope that others changed, and who was the last. */
async function newerChanges({ history }: Session, { within, since, own }: Agreement, now: Seq): Promise<Map<string, Writer | null>> {
  const found = new Map<string, Writer | null>();
  if (since >= now) return found;
  const slot = async (parent: number | undefined, name: Name | undefined, seq: Seq): Promise<Name[] | null> => {
    const above = parent === undefined || name === undefined || name === '' ? null : await history.pathOf(parent, seq);
    return above && [...above, name as Name];
  };
  for await (const change of history.changes(since, now)) {
    if (own?.has(change)) continue;
    for (const path of await pathsOf(change)) if (path && within(path)) found.set(safeForTerminal(showPath(path)), await history.writer(change.writer));
  }
  return found;

  async function pathsOf({ marker, node, parent, name, parent2, name2, seq }: Change): Promise<(Name[] | null)[]> {
    if (marker === 'modify') return [await history.pathOf(node, seq)];
    return Promise.all([slot(parent, name, seq), slot(parent2, name2, seq)]);
  }
}

/** Files that the plan changes and that a process has open for writing, or mapped so; of processes that we may look into. */
async function openForWriting(history: HistoryReader, mountpoint: string, plan: Pick<Plan, 'entries' | 'now'>): Promise<{ path: string; pid: number; command: string }[]> {
  const changed = changedPaths(plan);
  if (changed.size === 0) return [];
  const places = new Places(history, plan.now);
  const prefix = `${Buffer.from(mountpoint).toString('latin1')}/`;
  const found: { path: string; pid: number; command: string }[] = [];
  for await (const { pid, files } of writersIn(mountpoint)) {
    for (const file of files) {
      if (!file.startsWith(prefix)) continue;
      const path = file.slice(prefix.length);
      if (!changed.has(path) && !await hasOther(path)) continue;
      found.push({ path: safeForTerminal(showPath(path.split('/'))), pid, command: programNameOf(pid) });
    }
  }
  return found;

  /** Does the file have another name, which the plan tells it by? */
  async function hasOther(path: string): Promise<boolean> {
    const node = await history.resolve(path.split('/'), plan.now);
    return node !== null && (await places.paths(node)).some((one) => changed.has(one.join('/')));
  }
}

/** Where what the plan changes lies now: its entries tell where it will lie. */
function changedPaths({ entries }: Pick<Plan, 'entries'>): Set<string> {
  const moved = new Map(entries.flatMap(({ from, path }) => (from ? [[path.join('/'), from.join('/')]] : [])));
  const nowAt = (path: string): string => {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      const from = moved.get(path.slice(0, end));
      if (from !== undefined) return from + path.slice(end);
    }
    return path;
  };
  return new Set(entries.filter(({ action }) => action !== 'skip').map(({ action, path }) => (action === 'delete' ? path.join('/') : nowAt(path.join('/')))));
}
