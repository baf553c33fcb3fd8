/**
 * Rollback: the tree, or paths of it, as at an instant, or at several. What was agreed to is what is done: changes that
 * others made since, and files that somebody has open for writing, stop it.
 */
import { RewindError } from '../errors.js';
import type { Change, Name, NodeId, Seq } from '../history/types.js';
import { safeForTerminal, showPath } from '../paths.js';
import { authorsOf } from '../recovery/authors.js';
import { isDir } from '../recovery/compare.js';
import { nextResume, operationsOf, type Operation } from '../recovery/operations.js';
import { planParts, type Planned } from '../recovery/plan.js';
import { isUnder } from '../recovery/places.js';
import { TEMPORARY } from '../recovery/plan/placer.js';
import type { Part } from '../recovery/types.js';
import { select, type Selected } from '../recovery/undo/select.js';
import { expectKept } from '../time/kept.js';
import { areNamed, instantAt, notMounted, validPath } from './ask.js';
import { discardAfter, discardedAfter } from './discard.js';
import { gapsBetween } from './gaps.js';
import { membersOf } from './groups.js';
import { checkStillUntouched, checkUntouched, type Agreement } from './intrusions.js';
import { keepAgain } from './keep.js';
import type { Methods, WorkRow } from './protocol.js';
import { instantRow, planRow, writerRow } from './rows.js';
import type { LiveTree, Session } from './session.js';
import { takeBackAgain } from './undo.js';
import { goal, operate, ourselves, working, type Stage } from './work.js';

const MAX_PARTS = 200;
/** Writers that a plan names. */
const NAMED_WRITERS = 20;

type Args = Methods['rollback']['args'];

export async function* rollback(session: Session, args: Args): AsyncGenerator<WorkRow> {
  const live = liveFor(session, args);
  if (args.to !== undefined) yield { type: 'instant', at: instantRow(await instantAt(session, args.to, args)) };
  const parts = await partsOf(session, args);
  for (const { part, row } of parts) yield { type: 'part', path: safeForTerminal(showPath(part.path)), at: row };
  const end = args.discard_after ? await discardedAfter(session, parts.map(({ part }) => part)) : null;
  yield* rollBack(session, args, parts.map(({ part }) => part), null);
  if (end !== null && live && !args.dry_run) yield* discardAfter(session, live, end);
}

/** Goes on with the operation that was interrupted. @throws ERR_NOT_INTERRUPTED */
export async function* resume(session: Session, args: Methods['resume']['args']): AsyncGenerator<WorkRow> {
  await session.settle();
  const last = nextResume(operationsOf(await session.history.points(), working.get(session)));
  if (!last) throw new RewindError('ERR_NOT_INTERRUPTED', 'No operation waits to be gone on with', '`rewind op log` shows the operations, and which were interrupted.');
  const { parts } = last.detail;
  yield { type: 'resumes', id: last.id, operation: last.kind, note: safeForTerminal(last.note.replace(/^before: /, '')) };
  if (parts) yield* rollBack(session, { ...args, group: last.detail.group }, parts.map(({ path, to }) => ({ path: path === '' ? [] : path.split('/'), to })), last);
  else if (last.detail.keeps) yield* keepAgain(session, args, last);
  else if (last.detail.takesBack !== undefined || last.detail.selection) yield* takeBackAgain(session, args, last);
  else throw new RewindError('ERR_NOT_INTERRUPTED', `A ${last.kind} cannot be gone on with`, 'Take back what it did with `rewind undo`, and begin it again.');
}

/** The paths that were named, each with its instant. @throws ERR_USAGE */
async function partsOf(session: Session, args: Args): Promise<{ part: Part; row: ReturnType<typeof instantRow> }[]> {
  const wanted = [...args.parts ?? []];
  if (args.to !== undefined) wanted.unshift(...(args.paths.length > 0 ? args.paths : ['']).map((path) => ({ path, to: args.to as string })));
  else if (args.paths.length > 0) throw new RewindError('ERR_USAGE', `${safeForTerminal(args.paths[0] as string)} has no time to go back to`, 'Name one for all with --to, or one for each path: PATH@TIME.');
  if (wanted.length === 0) throw new RewindError('ERR_USAGE', 'No time was named to go back to', 'Like --to 10m, or docs@14:59.');
  if (wanted.length > MAX_PARTS) throw new RewindError('ERR_USAGE', `${wanted.length} paths are more than a rollback takes at once (${MAX_PARTS})`, 'Name directories that hold them.');
  if (args.group !== undefined && new Set(wanted.map(({ to }) => to)).size > 1) throw new RewindError('ERR_USAGE', 'A group goes back to one time', 'Name one for all with --to.');
  const parts = [];
  const seen = new Map<string, Seq>();
  for (const { path, to } of wanted) {
    const at = await instantAt(session, to, args);
    await expectKept(session.history, at.seq, areNamed(session, [path]));
    const part = { path: validPath(path), to: at.seq };
    const key = part.path.join('/');
    const other = seen.get(key);
    if (other !== undefined && other !== part.to) throw new RewindError('ERR_USAGE', `${safeForTerminal(showPath(part.path))} cannot be as at #${other} and as at #${part.to}`, 'Name each path once.');
    if (other === undefined) parts.push({ part, row: instantRow(at) });
    seen.set(key, part.to);
  }
  return parts;
}

async function* rollBack(session: Session, args: Pick<Args, 'dry_run' | 'planned_at' | 'force' | 'group'>, parts: Part[], resumed: Operation | null): AsyncGenerator<WorkRow> {
  const live = liveFor(session, args);
  const group = membersOf(session, args.group);
  await live?.walked();
  const left = resumed && await leftBehind(session, parts, resumed);
  const plain = left?.parts ?? [];
  const whole = [...parts, ...plain];
  const members = group ? { members: (path: readonly Name[], directory: boolean) => group(path, directory) || plain.some((part) => isUnder(path, part.path)) } : {};
  const planAt = (now: Seq): Promise<Planned> => planParts(session.history, whole, { now, maker: ourselves(), lent: left?.lent, ...members });
  const now = await session.settle();
  const planned = await planAt(now);
  const { plan } = planned;
  const agreed: Agreement = {
    dry_run: args.dry_run, force: args.force, since: resumed?.id ?? args.planned_at ?? now, own: left?.own ?? null,
    within: (path) => whole.some((part) => isUnder(path, part.path)) && (!group || group(path, false) || group(path, true)),
  };
  yield* checkUntouched(session, live, plan, agreed);
  for (const entry of plan.entries) yield { type: 'entry', ...planRow(entry) };
  if (args.dry_run) yield* whoseWouldGo(session, planned, whole);
  const to = Math.max(...parts.map((part) => part.to));
  const met = await gapsBetween(session.history, parts.map(({ path }) => path), Math.min(...parts.map((part) => part.to)), now);
  if (met) yield { type: 'gaps', ...met };
  yield { type: 'plan', now, to, counts: plan.counts, bytes: plan.bytes };
  if (args.dry_run || !live) return;
  if (plan.ops.length === 0 && !resumed) return yield { type: 'done', counts: plan.counts, bytes: plan.bytes, before: null, after: null };
  // Who changes something while the plan is made could not know that it would go, and nobody was shown that it would.
  const stage: Stage = async (at) => {
    await checkStillUntouched(session, agreed, at);
    return await planAt(at);
  };
  yield* operate(session, live, { operation: 'rollback', ...goal(parts), ...args.group !== undefined && { group: args.group }, ...resumed && { resumes: resumed.id } }, describe(parts, args.group), [stage]);
}

/** Those who changed what the plan changes back. */
async function* whoseWouldGo({ history }: Session, { plan, history: of }: Planned, parts: readonly Part[]): AsyncGenerator<WorkRow> {
  const inner = (path: readonly Name[]): Part[] => parts.filter((part) => isUnder(path, part.path)).sort((a, b) => b.path.length - a.path.length);
  const since = (path: readonly Name[]): Seq => inner(path)[0]?.to ?? 0;
  const authors = await authorsOf(of, plan, { after: Math.min(...parts.map(({ to }) => to)), since });
  const counts = new Map<Seq, number>();
  for (const ids of authors.values()) for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  const most = [...counts].sort(([, a], [, b]) => b - a).map(([id]) => id);
  const named = await Promise.all(most.slice(0, NAMED_WRITERS).map((id) => history.writer(id)));
  const writers = named.filter((writer) => writer !== null);
  if (writers.length > 0) yield { type: 'writers', writers: writers.map(writerRow), more: most.length - writers.length };
}

/** @throws ERR_NOT_MOUNTED */
const liveFor = (session: Session, { dry_run: dryRun }: Pick<Args, 'dry_run'>): LiveTree | null =>
  (dryRun ? session.live : session.live ?? notMounted(session, 'A rollback goes through the mounted tree'));

/** In words, for the log of operations. */
function describe(parts: readonly Part[], group?: string): string {
  if (group !== undefined) return `group ${safeForTerminal(group)} in ${describe(parts)}`;
  const shown = ({ path }: Part): string => (path.length === 0 ? 'all' : safeForTerminal(showPath(path)));
  const [{ to }] = parts as [Part];
  if (parts.every((part) => part.to === to)) return `${parts.map(shown).join(' ').slice(0, 200)} to #${to}`;
  return parts.map((part) => `${shown(part)}@#${part.to}`).join(' ').slice(0, 200);
}

/** What an interrupted rollback left beside its paths: temporary names, and directories with permission bits that it had lent them. */
async function leftBehind(session: Session, parts: readonly Part[], resumed: Operation): Promise<{ parts: Part[]; lent: Map<NodeId, number>; own: Selected }> {
  const { history } = session;
  const own = await select(history, { operation: resumed.id });
  const now = history.watermark();
  const [found, lent] = [new Map<string, Part>(), new Map<NodeId, number>()];
  const temporary = async ({ parent, name }: Pick<Change, 'parent' | 'name'>): Promise<void> => {
    if (parent === undefined || name === undefined || !TEMPORARY.test(name) || !(await history.lookup(parent, name, now))) return;
    const above = await history.pathOf(parent, now);
    if (above) found.set(`${parent}/${name}`, { path: [...above, name], to: (parts[0] as Part).to });
  };
  for await (const change of history.changes(own.after, now)) {
    if (!own.has(change)) continue;
    await temporary(change);
    await temporary({ parent: change.parent2, name: change.name2 });
    if (change.marker !== 'modify' || lent.has(change.node)) continue;
    const [was, is] = await Promise.all([history.attr(change.node, own.after), history.attr(change.node, now)]);
    if (was && is && isDir(was) && (was.mode & 0o300) !== 0o300 && is.mode === (was.mode | 0o700)) lent.set(change.node, was.mode & 0o7777);
  }
  return { parts: [...found.values()], lent, own };
}
