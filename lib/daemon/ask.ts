/** What methods have in common: reading their arguments, with errors that name what was meant. */
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { Name, NodeAttr, NodeId, Seq } from '../history/types.js';
import { parsePath, pathBytes, safeForTerminal, showPath } from '../paths.js';
import { neverExisted } from '../recovery/nearest.js';
import { unseenSlot } from '../recovery/unseen.js';
import { formatTimeUtc } from '../time/format.js';
import type { Instant } from '../time/resolve.js';
import { expectKept, nearestKept } from '../time/kept.js';
import { resolveSettled } from '../time/settled.js';
import type { TimeArgs } from './protocol.js';
import type { Session } from './session.js';

/** Resolves a time, after all that was acknowledged before the question is in history. */
export async function instantAt(session: Session, expression: unknown, args: TimeArgs): Promise<Instant> {
  if (typeof expression !== 'string') throw new RewindError('ERR_USAGE', 'A time must be text', 'Like "10m" or "now".');
  return await resolveSettled(expression, session.history, () => session.settle(), { timeZone: args.time_zone });
}

/**
 * As instantAt, for questions about whole states, or about the paths that are named: waits until a state that may still
 * grow is whole. @throws ERR_TIME_THINNED
 */
export async function stateAt(session: Session, expression: unknown, args: TimeArgs, paths: readonly unknown[] = []): Promise<Instant> {
  const at = await instantAt(session, expression, args);
  const { live } = session;
  if (live && at.seq >= live.provisionalFrom) await live.walked();
  await expectKept(session.history, at.seq, areNamed(session, paths));
  return at;
}

/** Has each of these paths a schedule of its own? Then what all others lose at an instant is no reason not to ask for them. */
export function areNamed({ policy }: Pick<Session, 'policy'>, paths: readonly unknown[]): boolean {
  return paths.length > 0 && paths.every((path) => policy.keeping().isNamed(pathBytes(validPath(path))));
}

/** The stretch that `since` and `until` name, as seqs; without `until` to the newest. @throws ERR_USAGE when it is empty */
export async function stretchOf(session: Session, args: TimeArgs & { since?: string; until?: string }): Promise<{ since?: Seq; until: Seq }> {
  const until = args.until === undefined ? null : await instantAt(session, args.until, args);
  const since = args.since === undefined ? undefined : (await instantAt(session, args.since, args)).seq;
  if (until !== null && since !== undefined && since > until.seq) {
    const told = (time: string, seq: Seq): string => (time === `#${seq}` ? time : `${safeForTerminal(time)} (#${seq})`);
    throw new RewindError('ERR_USAGE', `--since ${told(args.since!, since)} is later than --until ${told(args.until!, until.seq)}`, 'Nothing lies between them: exchange the two.');
  }
  return { since, until: until?.seq ?? await session.settle() };
}

export function validPath(path: unknown): Name[] {
  if (typeof path !== 'string') throw new RewindError('ERR_USAGE', 'A path must be text', 'Relative to the root of the tree; "" is the root.');
  return parsePath(path);
}

/** What a path led to at an instant. @throws ERR_NOT_THEN, ERR_NEVER_EXISTED (naming the nearest) */
export async function nodeThen(history: HistoryReader, path: string, at: Instant): Promise<{ node: NodeId; attr: NodeAttr; names: Name[] }> {
  const names = validPath(path);
  const node = await history.resolve(names, at.seq);
  const attr = node === null ? null : await history.attr(node, at.seq);
  if (node !== null && attr) return { node, attr, names };
  const shown = safeForTerminal(showPath(names));
  const parent = await history.resolve(names.slice(0, -1), history.watermark());
  const seen = parent === null || names.length === 0 ? null : await unseenSlot(history, { parent, name: names.at(-1)! }, at.seq);
  if (seen !== null) throw new RewindError('ERR_NOT_THEN', `${shown} was first seen at #${seen}, by a walk that went on with one cut short: whether it was there at ${formatTimeUtc(at.timeNs)} (#${at.seq}) is not known`, `Since then: rewind log ${shown}`);
  throw await neverExisted(history, names) ??
    new RewindError('ERR_NOT_THEN', `${shown} did not exist at ${formatTimeUtc(at.timeNs)} (#${at.seq})`, `When it did: rewind log ${shown}`);
}

/** The error of who asks for a content that history does not have, or no longer. */
export async function noContent(history: HistoryReader, path: string, at: Instant, { thinned }: NodeAttr): Promise<RewindError> {
  const shown = safeForTerminal(showPath(validPath(path)));
  if (thinned !== undefined) return new RewindError('ERR_TIME_THINNED', `The content that ${shown} had at ${formatTimeUtc(at.timeNs)} (#${at.seq}) is kept no longer: ${await nearestKept(history, thinned)}`, `Name one of these; by which rule: rewind policy check ${shown}`);
  return new RewindError('ERR_NOT_CAPTURED', `The content that ${shown} had at ${formatTimeUtc(at.timeNs)} (#${at.seq}) was not captured`, `Which rule left it out: rewind policy check ${shown}`);
}

/** @throws ERR_NOT_MOUNTED, always */
export function notMounted(session: Session, why: string): never {
  const { tree } = session.store.description;
  throw new RewindError('ERR_NOT_MOUNTED', `${tree} is not mounted. ${why}.`, `rewind mount ${tree}`);
}
