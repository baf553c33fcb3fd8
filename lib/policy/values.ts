/** Values of the policy file that several tables have. */

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds of "90s", "10m", "2h", "1d"; null for anything else. */
export function secondsOf(value: unknown): number | null {
  const match = typeof value === 'string' ? /^(\d{1,6})([smhd])$/.exec(value) : null;
  return match && Number(match[1]) > 0 ? Number(match[1]) * UNITS[match[2]!]! : null;
}
