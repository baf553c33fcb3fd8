/** Tells, once, that the journal takes no changes any more, and that it takes them again: programs get an errno, and people read the log. */
import type { Journal } from '../native.js';
import { journalFailure, refusal } from './errors.js';

const PERIOD_MS = 1000;

/** Looks at it now and then; answers how to end that. `report`: without an error, the last one is over. */
export function watchStore(journal: Pick<Journal, 'stats'>, report: (what: string, error?: Error) => void): () => void {
  let told: string | null = null;
  const timer = setInterval(() => {
    const stats = journal.stats();
    const failure = journalFailure(stats) ?? refusal(stats);
    if (failure !== null && failure.message !== told) report('Changes are refused', failure);
    if (failure === null && told !== null) report('Changes are taken again');
    told = failure?.message ?? null;
  }, PERIOD_MS);
  timer.unref();
  return () => clearInterval(timer);
}
