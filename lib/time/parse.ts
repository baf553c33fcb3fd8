/**
 * A time expression to what it means, without looking at history. Strict forms come first and mean the same for ever;
 * human forms (chrono-node) only when nothing strict fits, and only when the whole text was understood.
 */
import type { ParsedComponents } from 'chrono-node';
import { POINT_KINDS, type PointKind } from '../history/types.js';
import { instantOf, isRealDate, NS_PER_MS, NS_PER_S, wallTime, type WallTime } from './zone.js';

/** What an expression means. `last`: the newest of a kind (`point`: of any), or of those at or before a time (an expression again). `invalid`: it has the shape of a strict form, but no such time exists. */
export type TimeForm =
  | { form: 'now' }
  | { form: 'time'; timeNs: bigint }
  | { form: 'seq'; seq: number }
  | { form: 'last'; kind: PointKind | 'point'; before: string | null }
  | { form: 'beside'; side: 'before' | 'after'; of: string }
  | { form: 'invalid'; why: string };

const ABSOLUTE = /^(\d{4})-(\d{2})-(\d{2})(?:[T t_](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?)?$/i;
const CLOCK = /^(?:(today|yesterday)(?:\s+(?:at\s+)?)?)?(?:(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?$/i;
const LAST = /^last-([a-z]+)(?:(?:\s*@\s*|\s+(?:before\s+)?)(.+))?$/is;
const UNIT_NS: Record<string, bigint> = {
  ns: 1n, us: 1000n, ms: NS_PER_MS, s: NS_PER_S, m: 60n * NS_PER_S, h: 3600n * NS_PER_S, d: 86_400n * NS_PER_S, w: 604_800n * NS_PER_S,
};
const UNIT_WORDS: Record<string, string> = {
  millisecond: 'ms', milliseconds: 'ms', sec: 's', secs: 's', second: 's', seconds: 's', min: 'm', mins: 'm', minute: 'm', minutes: 'm',
  hr: 'h', hrs: 'h', hour: 'h', hours: 'h', day: 'd', days: 'd', week: 'w', weeks: 'w',
};
const AGO = /^((?:\d+(?:\.\d{1,9})?\s*[a-z]+\s*)+?)(?:\s*ago)?$/i;
const AGO_PART = /(\d+)(?:\.(\d{1,9}))?\s*([a-z]+)\s*/gi;

const fraction = (digits: string | undefined): number => Number((digits ?? '').padEnd(9, '0'));

function absolute(match: RegExpExecArray, timeZone: string | undefined): TimeForm {
  const wall: WallTime = {
    year: Number(match[1]), month: Number(match[2]), day: Number(match[3]),
    hour: Number(match[4] ?? 0), minute: Number(match[5] ?? 0), second: Number(match[6] ?? 0), ns: fraction(match[7]),
  };
  if (!isRealDate(wall)) return { form: 'invalid', why: 'there is no such date or time of day' };
  const zone = match[8]?.toUpperCase();
  if (zone === undefined) return { form: 'time', timeNs: instantOf(wall, timeZone) };
  const utc = instantOf(wall, 'UTC');
  if (zone === 'Z') return { form: 'time', timeNs: utc };
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.replace(':', '').slice(3) || 0);
  if (hours > 23 || minutes > 59) return { form: 'invalid', why: `${zone} is no offset from UTC` };
  const offset = BigInt(hours * 3600 + minutes * 60) * NS_PER_S;
  return { form: 'time', timeNs: zone.startsWith('-') ? utc + offset : utc - offset };
}

function clock(match: RegExpExecArray, nowNs: bigint, timeZone: string | undefined): TimeForm {
  const wall: WallTime = {
    ...wallTime(nowNs, timeZone),
    hour: Number(match[2] ?? 0), minute: Number(match[3] ?? 0), second: Number(match[4] ?? 0), ns: fraction(match[5]),
  };
  if (!isRealDate(wall)) return { form: 'invalid', why: 'there is no such time of day' };
  if (match[1]?.toLowerCase() === 'yesterday') wall.day -= 1;
  return { form: 'time', timeNs: instantOf(wall, timeZone) };
}

function ago(text: string, nowNs: bigint): TimeForm | null {
  if (!AGO.test(text)) return null;
  let total = 0n;
  for (const [, whole, part, word] of text.replace(/\s*\bago$/i, '').matchAll(AGO_PART)) {
    const name = (word as string).toLowerCase();
    const unit = UNIT_NS[UNIT_WORDS[name] ?? name];
    if (unit === undefined) return null;
    total += BigInt(whole as string) * unit + (BigInt(fraction(part)) * unit) / NS_PER_S;
  }
  return { form: 'time', timeNs: nowNs - total };
}

/** The strict forms of docs/cli.md, or null when the text has none of their shapes. */
export function parseStrict(text: string, nowNs: bigint, timeZone?: string): TimeForm | null {
  const lower = text.toLowerCase();
  if (lower === 'now') return { form: 'now' };
  const last = LAST.exec(text);
  const kind = (['point', ...POINT_KINDS] as const).find((one) => one === last?.[1]?.toLowerCase());
  if (kind) return { form: 'last', kind, before: last?.[2] ?? null };
  if (/^#\d{1,15}$/.test(text)) return { form: 'seq', seq: Number(text.slice(1)) };
  const beside = /^(before|after):\s*(.+)$/is.exec(text);
  if (beside) return { form: 'beside', side: beside[1]?.toLowerCase() as 'before' | 'after', of: beside[2] as string };
  const date = ABSOLUTE.exec(text);
  if (date) return absolute(date, timeZone);
  const time = CLOCK.exec(text);
  if (time && (time[1] !== undefined || time[2] !== undefined)) return clock(time, nowNs, timeZone);
  return ago(text, nowNs);
}

function fieldsOf(start: ParsedComponents): WallTime {
  const get = (field: Parameters<ParsedComponents['get']>[0]): number => start.get(field) ?? 0;
  const timed = start.isCertain('hour') || start.isCertain('timezoneOffset');
  return {
    year: get('year'), month: get('month'), day: get('day'),
    hour: timed ? get('hour') : 0, minute: timed ? get('minute') : 0, second: timed ? get('second') : 0,
    ns: timed ? get('millisecond') * 1_000_000 : 0,
  };
}

/** Human forms: `last friday 17:00`, `Nov 3 at noon`. A day without a time of day is its start. null when any of the text was not understood. */
export async function parseHuman(text: string, nowNs: bigint, timeZone?: string): Promise<bigint | null> {
  // Half of what a daemon would load at its start, and most questions have no such form.
  const chrono = await import('chrono-node/en');
  const wall = wallTime(nowNs, timeZone);
  const offsetMinutes = Number((instantOf(wall, 'UTC') - nowNs) / (60n * NS_PER_S));
  const results = chrono.parse(text, { instant: new Date(Number(nowNs / NS_PER_MS)), timezone: offsetMinutes });
  const result = results[0];
  if (results.length !== 1 || !result || result.end || result.index !== 0 || result.text.length !== text.length) return null;
  if (result.start.isCertain('timezoneOffset')) return BigInt(result.start.date().getTime()) * NS_PER_MS;
  return instantOf(fieldsOf(result.start), timeZone);
}
