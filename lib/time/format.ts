/** Times as RFC 3339 text. All digits are cut, never rounded: a shown time never lies after the instant that it stands for. */
import { splitSeconds, wallTime, zoneOffsetSeconds } from './zone.js';

/** How to show a time. */
export interface FormatOptions {
  /** IANA name; the process's zone when undefined. */
  timeZone?: string;
  /** Digits of the fraction of a second, 0 to 9. */
  digits?: number;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** Local time with its offset, by default to the millisecond: `2026-11-21T10:05:00.123+01:00`. */
export function formatTime(timeNs: bigint, options: FormatOptions = {}): string {
  const wall = wallTime(timeNs, options.timeZone);
  const digits = options.digits ?? 3;
  const fraction = digits === 0 ? '' : `.${String(wall.ns).padStart(9, '0').slice(0, digits)}`;
  const offset = zoneOffsetSeconds(timeNs, options.timeZone);
  const minutes = Math.trunc(Math.abs(offset) / 60);
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}`;
  return `${String(wall.year).padStart(4, '0')}-${two(wall.month)}-${two(wall.day)}T${two(wall.hour)}:${two(wall.minute)}:${two(wall.second)}${fraction}${zone}`;
}

/** UTC to the nanosecond, as JSON output carries it: `2026-11-21T09:05:00.123456789Z`. */
export function formatTimeUtc(timeNs: bigint): string {
  const { seconds, ns } = splitSeconds(timeNs);
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, -5)}.${String(ns).padStart(9, '0')}Z`;
}
