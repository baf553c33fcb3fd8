/** A time expression to an instant, once everything that was acknowledged before the question is in history. */
import type { HistoryReader } from '../history/reader.js';
import { parseStrict } from './parse.js';
import { resolveTime, type Instant, type ResolveOptions } from './resolve.js';

/**
 * As resolveTime, after `settle`. When history cannot catch up (its disk is full), a clock time or a seq before its end
 * still means exactly what it would mean then; for all else this fails as `settle` did.
 */
export async function resolveSettled(expr: string, history: HistoryReader, settle: () => Promise<unknown>, options: ResolveOptions = {}): Promise<Instant> {
  try {
    await settle();
  } catch (behind) {
    const form = parseStrict(expr.trim(), 0n, options.timeZone)?.form;
    const found = form === 'time' || form === 'seq' ? await resolveTime(expr, history, options).catch(() => null) : null;
    if (found === null || found.seq >= history.watermark()) throw behind;
    return found;
  }
  return resolveTime(expr, history, options);
}
