/** The method `verify`: is what the store holds whole? Findings as they come, each with the path that it concerns. */
import type { History } from '../history/history.js';
import type { NodeId } from '../history/types.js';
import { safeForTerminal, showPath } from '../paths.js';
import { FINDINGS } from '../verify/findings.js';
import { verify as verifyHistory } from '../verify/verify.js';
import type { Methods } from './protocol.js';
import type { Session } from './session.js';
import type { VerifyRow } from './verifyrows.js';

/** Entries between two rows of progress, at least. */
const PROGRESS_ENTRIES = 50_000;

export async function* verify(session: Session, { deep = false }: Methods['verify']['args'], signal: AbortSignal): AsyncGenerator<VerifyRow> {
  const { history } = session.packing;
  const seq = history.watermark();
  let [entries, records, findings, told] = [0, 0, 0, 0];
  for await (const found of verifyHistory(history, { deep, journal: session.journal, signal })) {
    if ('kind' in found) {
      const { kind, family, key, what, node } = found;
      findings++;
      yield { type: 'finding', kind, severity: FINDINGS[kind].severity, family, key: key.toString('hex'), what: safeForTerminal(what), node: node ?? null, path: await placeOf(history, node), remedy: FINDINGS[kind].remedy };
      continue;
    }
    const { family, done, ended } = found;
    if (ended && family === 'journal') records = done;
    else if (ended) entries += done;
    if (!ended && done - told < PROGRESS_ENTRIES) continue;
    told = ended ? 0 : done;
    yield { type: 'progress', family, done };
  }
  yield { type: 'verified', deep, seq, entries, journal_records: records, findings };
}

/** Where an object lies, or lay last; null when that is not known, or cannot be read. */
export async function placeOf(history: History, node: NodeId | undefined): Promise<string | null> {
  if (node === undefined) return null;
  try {
    const now = await history.pathOf(node, history.watermark());
    if (now !== null) return safeForTerminal(showPath(now));
    const last = (await history.everyLink(node)).sort((a, b) => b.until - a.until)[0];
    const above = last && await history.pathOf(last.parent, last.from);
    return last && above ? safeForTerminal(showPath([...above, last.name])) : null;
  } catch {
    return null;
  }
}
