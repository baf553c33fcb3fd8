/** Values of the policy file that several tables have. */

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds of "90s", "10m", "2h", "1d"; null for anything else. */
export function secondsOf(value: unknown): number | null {
  const match = typeof value === 'string' ? /^(\d{1,6})([smhd])$/.exec(value) : null;
  return match && Number(match[1]) > 0 ? Number(match[1]) * UNITS[match[2]!]! : null;
}

/** Milliseconds of a time, of "forever" (Infinity) and "never" (0); null for anything else. */
export function periodOf(value: unknown): number | null {
  if (value === 'forever') return Infinity;
  if (value === 'never') return 0;
  const seconds = secondsOf(value);
  return seconds === null ? null : seconds * 1000;
}

/** Seconds as secondsOf and periodOf read them; null: for ever, 0: not. */
export function periodInWords(seconds: number | null): string {
  if (seconds === null) return 'forever';
  if (seconds === 0) return 'never';
  const [unit, length] = Object.entries(UNITS).reverse().find((one) => seconds % one[1] === 0)!;
  return `${seconds / length}${unit}`;
}

const SIZES: Record<string, number> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Bytes of "50G", "16M", "4096"; null for anything else. */
export function bytesOf(value: unknown): number | null {
  const match = typeof value === 'string' ? /^(\d{1,12})([KMGT]?)$/.exec(value) : null;
  return match && Number(match[1]) * SIZES[match[2]!]!;
}
