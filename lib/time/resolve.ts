/**
 * The one way from what people write for a time to an instant of history. Guarantees: the seq answered is the last one at
 * or before the instant and lies within history; an instant that has not come yet is refused; a point's name never hides
 * a strict form.
 */
import { uptime } from 'node:os';
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { Point, PointPhase, Seq } from '../history/types.js';
import { safeForTerminal } from '../paths.js';
import { formatTime } from './format.js';
import { nearestNames } from './nearest.js';
import { parseHuman, parseStrict, type TimeForm } from './parse.js';
import { seqWhileSetBack } from './set-back.js';
import { NS_PER_MS } from './zone.js';

/** A resolved time expression. Commands show all three. */
export interface Instant {
  /** As it was written. */
  expr: string;
  /** The last record at or before the instant: what every state question takes. */
  seq: Seq;
  /** The time meant; of the record itself when the expression named one. */
  timeNs: bigint;
}

/** What `resolveTime` may be told instead of finding it out. */
export interface ResolveOptions {
  /** The present, nanoseconds since the epoch. */
  nowNs?: bigint;
  /** Zone of times without an offset: an IANA name; the process's own when undefined. */
  timeZone?: string;
  /** When this machine was started, for `last-boot`. */
  bootNs?: bigint;
}

const FORMS = 'write now, 10:05, yesterday 17:00, 2026-11-21T10:05:00Z, 10m, 2h ago, #12345, last-boot, last-mount, last-shutdown@3d, before:install, or the name of a point';

/** A point's name or kind, and a time that it is not to be later than. */
const DATED = /^([^@\s]+)(?:\s*@\s*|\s+before\s+)(.+)$/is;

interface Range {
  first: { seq: Seq; timeNs: bigint };
  last: { seq: Seq; timeNs: bigint };
}

interface Context extends Required<Pick<ResolveOptions, 'nowNs'>> {
  expr: string;
  history: HistoryReader;
  range: Range;
  options: ResolveOptions;
}

/**
 * Resolves a time expression (docs/cli.md, Times).
 * @throws ERR_TIME_SYNTAX, ERR_TIME_RANGE (names the range that history covers), ERR_POINT_UNKNOWN (names the nearest).
 */
export async function resolveTime(expr: string, history: HistoryReader, options: ResolveOptions = {}): Promise<Instant> {
  const text = expr.trim().replace(/\s+/g, ' ');
  const range = await history.range();
  if (!range) throw new RewindError('ERR_TIME_RANGE', `history is empty: there is no ${quote(expr)} in it`, 'mount the tree first');
  const nowNs = options.nowNs ?? BigInt(Date.now()) * NS_PER_MS;
  const context: Context = { expr, history, range, options, nowNs };
  const strict = parseStrict(text, nowNs, options.timeZone);
  if (strict) return resolveForm(strict, context);

  const points = await history.points();
  const point = newest(points, (candidate) => text !== '' && candidate.name === text);
  if (point) return atPoint(point, context);
  const timeNs = text === '' ? null : await parseHuman(text, nowNs, options.timeZone);
  if (timeNs !== null) return atTime(timeNs, context);
  if (/^[\p{L}_][\p{L}\p{N}_.:-]*$/u.test(text) || nearestNames(text, names(points)).length > 0) throw unknownPoint(text, points);
  throw new RewindError('ERR_TIME_SYNTAX', `${quote(expr)} is neither a time nor the name of a point`, FORMS);
}

/** Would this text be read as a time? Such a text is no good as a point's name. */
export async function readsAsTime(text: string): Promise<boolean> {
  const trimmed = text.trim();
  return parseStrict(trimmed, 0n, 'UTC') !== null || await parseHuman(trimmed, 0n, 'UTC') !== null;
}

function resolveForm(form: TimeForm, context: Context): Promise<Instant> | Instant {
  const { expr, range, nowNs } = context;
  switch (form.form) {
    case 'now': return { expr, seq: range.last.seq, timeNs: nowNs > range.last.timeNs ? nowNs : range.last.timeNs };
    case 'time': return atTime(form.timeNs, context);
    case 'seq': return atSeq(form.seq, context);
    case 'last': return atLast(form, context);
    case 'beside': return beside(form.side, form.of, context);
    case 'invalid': throw new RewindError('ERR_TIME_SYNTAX', `${quote(expr)}: ${form.why}`, FORMS);
  }
}

async function atTime(timeNs: bigint, context: Context): Promise<Instant> {
  const { expr, history, range, nowNs } = context;
  const latest = nowNs > range.last.timeNs ? nowNs : range.last.timeNs;
  if (timeNs > latest) throw outOfRange(context, `${quote(expr)} is ${show(timeNs, context)}, which has not come yet`);
  const seq = timeNs >= range.last.timeNs ? range.last.seq : await seqWhileSetBack(history, timeNs) ?? await history.seqAt(timeNs);
  if (seq === null || seq < range.first.seq) throw outOfRange(context, `${quote(expr)} is ${show(timeNs, context)}, before history begins`);
  return { expr, seq, timeNs };
}

async function atSeq(seq: Seq, context: Context): Promise<Instant> {
  const { expr, history, range } = context;
  if (seq < range.first.seq || seq > range.last.seq) throw outOfRange(context, `${quote(expr)} lies outside history`);
  const timeNs = await history.timeOf(seq);
  if (timeNs === null) throw new RewindError('ERR_HISTORY_CORRUPT', `history has no time for seq ${seq}`, 'run `rewind status` and check the store');
  return { expr, seq, timeNs };
}

function atPoint(point: Point, context: Context): Instant {
  const { expr, range } = context;
  if (point.seq < range.first.seq || point.seq > range.last.seq) throw outOfRange(context, `the point ${quote(point.name)} (#${point.seq}) lies outside history`);
  return { expr, seq: point.seq, timeNs: point.timeNs };
}

const bootTime = ({ nowNs, options }: Context): bigint => options.bootNs ?? nowNs - BigInt(Math.round(uptime() * 1000)) * NS_PER_MS;

/** The newest point of a kind at or before a time; of what took time, the one after it. `last-boot` is known without any point. */
async function atLast({ kind, before }: Extract<TimeForm, { form: 'last' }>, context: Context): Promise<Instant> {
  if (kind === 'boot' && before === null) return atTime(bootTime(context), context);
  const points = (await pointsUntil(before, context)).filter((point) => kind === 'point' || point.kind === kind);
  const point = (kind === 'point' ? undefined : newest(points, ({ phase }) => phase !== 'before')) ?? newest(points, () => true);
  if (!point) throw outOfRange(context, `history holds no ${kind} of this tree ${before === null ? 'yet' : `at or before ${quote(before)}`}`);
  return atPoint(point, context);
}

/** Points at or before a time; null: all. */
async function pointsUntil(before: string | null, { history, options }: Context): Promise<Point[]> {
  const points = await history.points();
  if (before === null) return points;
  const until = await resolveTime(before, history, options);
  return points.filter(({ seq }) => seq <= until.seq);
}

/** `before:` the instant just before a point or record took effect; `after:` the instant at which it had. */
async function beside(side: 'before' | 'after', of: string, context: Context): Promise<Instant> {
  const inner = parseStrict(of, context.nowNs, context.options.timeZone);
  const timeNs = inner?.form === 'time' ? inner.timeNs : inner?.form === 'last' && inner.kind === 'boot' && inner.before === null ? bootTime(context) : null;
  if (timeNs !== null) return atTime(side === 'before' ? timeNs - 1n : timeNs, context);
  let at: Instant;
  if (inner?.form === 'seq' || inner?.form === 'last') {
    at = await resolveForm(inner, context);
  } else if (inner) {
    throw new RewindError('ERR_TIME_SYNTAX', `${quote(context.expr)}: ${side}: takes a point, a state, a #seq or a time`, FORMS);
  } else {
    const [, name, before] = DATED.exec(of) ?? [of, of, null];
    const points = await pointsUntil(before ?? null, context);
    const point = newest(points, (candidate) => candidate.name === name) ?? besideState(side, name!.toLowerCase(), points);
    if (!point) throw unknownPoint(of, points);
    at = atPoint(point, context);
    if (point.phase === side) return at;
  }
  return side === 'after' ? at : atSeq(at.seq - 1, context);
}

/** `before:install`: the newest point of that kind on that side of it. */
function besideState(side: PointPhase, kind: string, points: Point[]): Point | undefined {
  const ofKind = points.filter((point) => point.kind === kind);
  return newest(ofKind, ({ phase }) => phase === side) ?? newest(ofKind, ({ phase }) => phase === undefined);
}

function newest(points: Point[], wanted: (point: Point) => boolean): Point | undefined {
  return points.filter(wanted).reduce<Point | undefined>((best, point) => (best && best.seq > point.seq ? best : point), undefined);
}

const names = (points: Point[]): string[] => points.map((point) => point.name).filter((name) => name !== '');
const quote = (text: string): string => `"${safeForTerminal(text)}"`;
const show = (timeNs: bigint, context: Context): string => formatTime(timeNs, { timeZone: context.options.timeZone, digits: 3 });

function unknownPoint(name: string, points: Point[]): RewindError {
  const near = nearestNames(name, names(points));
  const hint = near.length > 0 ? `did you mean ${near.map(quote).join(' or ')}?` : '`rewind points` lists the names that exist';
  return new RewindError('ERR_POINT_UNKNOWN', `there is no point named ${quote(name)}`, hint);
}

function outOfRange(context: Context, message: string): RewindError {
  const { first, last } = context.range;
  return new RewindError('ERR_TIME_RANGE', message,
    `history covers ${show(first.timeNs, context)} (#${first.seq}) to ${show(last.timeNs, context)} (#${last.seq})`);
}
