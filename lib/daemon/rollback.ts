/**
 * Rollback: the tree, or paths of it, as at an instant, or at several. What was agreed to is what is done: changes that
 * others made since, and files that somebody has open for writing, stop it.
 */
import { RewindError } from '../errors.js';
import type { Change, NodeId, Seq } from '../history/types.js';
import { safeForTerminal, showPath } from '../paths.js';
import { isDir } from '../recovery/compare.js';
import { nextResume, operationsOf, type Operation } from '../recovery/operations.js';
import { planParts, type Planned } from '../recovery/plan.js';
import { TEMPORARY } from '../recovery/plan/placer.js';
import type { Part } from '../recovery/types.js';
import { select, type Selected } from '../recovery/undo/select.js';
import { instantAt, notMounted, validPath } from './ask.js';
import { gapsBetween } from './gaps.js';
import { checkUntouched } from './intrusions.js';
import type { Methods, WorkRow } from './protocol.js';
import { instantRow, planRow } from './rows.js';
import type { LiveTree, Session } from './session.js';
import { takeBackAgain } from './undo.js';
import { goal, operate, ourselves, working } from './work.js';

const MAX_PARTS = 200;

type Args = Methods['rollback']['args'];

export async function* rollback(session: Session, args: Args): AsyncGenerator<WorkRow> {
  liveFor(session, args);
  if (args.to !== undefined) yield { type: 'instant', at: instantRow(await instantAt(session, args.to, args)) };
  const parts = await partsOf(session, args);
  for (const { part, row } of parts) yield { type: 'part', path: safeForTerminal(showPath(part.path)), at: row };
  yield* rollBack(session, args, parts.map(({ part }) => part), null);
}

/** Goes on with the operation that was interrupted. @throws ERR_NOT_INTERRUPTED */
export async function* resume(session: Session, args: Methods['resume']['args']): AsyncGenerator<WorkRow> {
  await session.settle();
  const last = nextResume(operationsOf(await session.history.points(), working.get(session)));
  if (!last) throw new RewindError('ERR_NOT_INTERRUPTED', 'No operation waits to be gone on with', '`rewind op log` shows the operations, and which were interrupted.');
  const { parts } = last.detail;
  yield { type: 'resumes', id: last.id, operation: last.kind, note: safeForTerminal(last.note.replace(/^before: /, '')) };
  if (parts) yield* rollBack(session, args, parts.map(({ path, to }) => ({ path: path === '' ? [] : path.split('/'), to })), last);
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
  const parts = [];
  const seen = new Map<string, Seq>();
  for (const { path, to } of wanted) {
    const at = await instantAt(session, to, args);
    const part = { path: validPath(path), to: at.seq };
    const key = part.path.join('/');
    const other = seen.get(key);
    if (other !== undefined && other !== part.to) throw new RewindError('ERR_USAGE', `${safeForTerminal(showPath(part.path))} cannot be as at #${other} and as at #${part.to}`, 'Name each path once.');
    if (other === undefined) parts.push({ part, row: instantRow(at) });
    seen.set(key, part.to);
  }
  return parts;
}

async function* rollBack(session: Session, args: Pick<Args, 'dry_run' | 'planned_at' | 'force'>, parts: Part[], resumed: Operation | null): AsyncGenerator<WorkRow> {
  const live = liveFor(session, args);
  await live?.walked();
  const left = resumed && await leftBehind(session, parts, resumed);
  const whole = [...parts, ...left?.parts ?? []];
  const planAt = (now: Seq): Promise<Planned> => planParts(session.history, whole, { now, maker: ourselves(), lent: left?.lent });
  const now = await session.settle();
  const { plan } = await planAt(now);
  yield* checkUntouched(session, live, plan, { ...args, parts: whole, since: resumed?.id ?? args.planned_at ?? now, own: left?.own ?? null });
  for (const entry of plan.entries) yield { type: 'entry', ...planRow(entry) };
  const to = Math.max(...parts.map((part) => part.to));
  const met = await gapsBetween(session.history, parts.map(({ path }) => path), Math.min(...parts.map((part) => part.to)), now);
  if (met) yield { type: 'gaps', ...met };
  yield { type: 'plan', now, to, counts: plan.counts, bytes: plan.bytes };
  if (args.dry_run || !live) return;
  if (plan.ops.length === 0 && !resumed) return yield { type: 'done', counts: plan.counts, bytes: plan.bytes, before: null, after: null };
  // What was changed between the plan that was shown and the point is undone, too, and kept in history as all else.
  yield* operate(session, live, { operation: 'rollback', ...goal(parts), ...resumed && { resumes: resumed.id } }, describe(parts), planAt);
}

/** @throws ERR_NOT_MOUNTED */
const liveFor = (session: Session, { dry_run: dryRun }: Pick<Args, 'dry_run'>): LiveTree | null =>
  (dryRun ? session.live : session.live ?? notMounted(session, 'A rollback goes through the mounted tree'));

/** In words, for the log of operations. */
function describe(parts: readonly Part[]): string {
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
