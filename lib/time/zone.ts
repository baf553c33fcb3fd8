/**
 * Wall-clock time of a zone to nanoseconds since the epoch and back, from the time-zone data that Node brings. A wall
 * time that a change of the clocks skips is moved on by the length of the gap; of one that comes twice, the earlier is meant.
 */
export const NS_PER_MS = 1_000_000n;
export const NS_PER_S = 1_000_000_000n;

/** A wall-clock time. `month` counts from 1. */
export interface WallTime {
  year: number; month: number; day: number;
  hour: number; minute: number; second: number; ns: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string | undefined): Intl.DateTimeFormat {
  const key = timeZone ?? `local ${process.env['TZ'] ?? ''}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      ...(timeZone === undefined ? {} : { timeZone }), calendar: 'iso8601', numberingSystem: 'latn', hourCycle: 'h23', era: 'short',
      year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric',
    });
    formats.set(key, format);
  }
  return format;
}

/** Floor division: also for times before 1970. */
export function splitSeconds(timeNs: bigint): { seconds: bigint; ns: number } {
  const ns = ((timeNs % NS_PER_S) + NS_PER_S) % NS_PER_S;
  return { seconds: (timeNs - ns) / NS_PER_S, ns: Number(ns) };
}

/** The wall-clock time of an instant in a zone (an IANA name; the process's own when undefined). */
export function wallTime(timeNs: bigint, timeZone?: string): WallTime {
  const { seconds, ns } = splitSeconds(timeNs);
  const parts: Record<string, string> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(Number(seconds) * 1000)) parts[type] = value;
  const year = parts['era']?.startsWith('B') ? 1 - Number(parts['year']) : Number(parts['year']);
  return {
    year, month: Number(parts['month']), day: Number(parts['day']),
    hour: Number(parts['hour']), minute: Number(parts['minute']), second: Number(parts['second']), ns,
  };
}

function utcSeconds(wall: WallTime): number {
  const date = new Date(0);
  date.setUTCFullYear(wall.year, wall.month - 1, wall.day);
  date.setUTCHours(wall.hour, wall.minute, wall.second, 0);
  return date.getTime() / 1000;
}

/** Seconds that the zone is ahead of UTC at an instant. */
export function zoneOffsetSeconds(timeNs: bigint, timeZone?: string): number {
  return utcSeconds(wallTime(timeNs, timeZone)) - Number(splitSeconds(timeNs).seconds);
}

/** The instant of a wall-clock time in a zone. Fields may lie outside their range (day 0 is the last of the month before). */
export function instantOf(wall: WallTime, timeZone?: string): bigint {
  const asUtc = utcSeconds(wall);
  const at = (offset: number): bigint => BigInt(asUtc - offset) * NS_PER_S + BigInt(wall.ns);
  const day = 86_400;
  const offsets = [zoneOffsetSeconds(at(0) - BigInt(day) * NS_PER_S, timeZone), zoneOffsetSeconds(at(0) + BigInt(day) * NS_PER_S, timeZone)] as const;
  const fits = offsets.filter((offset) => zoneOffsetSeconds(at(offset), timeZone) === offset).map(at);
  if (fits.length === 0) return at(offsets[0]);
  return fits.reduce((a, b) => (a < b ? a : b));
}

/** The same fields again after normalising, so that 30 February is told apart from 2 March. */
export function isRealDate(wall: WallTime): boolean {
  const date = new Date(0);
  date.setUTCFullYear(wall.year, wall.month - 1, wall.day);
  return date.getUTCFullYear() === wall.year && date.getUTCMonth() === wall.month - 1 && date.getUTCDate() === wall.day
    && wall.hour >= 0 && wall.hour < 24 && wall.minute >= 0 && wall.minute < 60 && wall.second >= 0 && wall.second < 60;
}
