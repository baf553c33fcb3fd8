/** `rewind repair` as rows: steps of lib/repair, each with the paths and times that it concerns. */
import type { History } from '../history/history.js';
import { safeForTerminal } from '../paths.js';
import { repair, type RepairStep } from '../repair/repair.js';
import type { LostContent } from '../repair/states.js';
import type { FoundTree } from '../store/find.js';
import { formatTimeUtc } from '../time/format.js';
import { FINDINGS, type Finding } from '../verify/findings.js';
import type { RepairRow } from './repairrows.js';
import { placeOf } from './verify.js';

export interface RepairArguments { dryRun: boolean; /** Directory of a copy of the store. */ from: string | null; signal: AbortSignal }

/** @throws those of repair */
export async function* repairRows({ store, tree }: FoundTree, { dryRun, from, signal }: RepairArguments): AsyncGenerator<RepairRow> {
  let [mended, lost] = [0, 0];
  for await (const step of repair(store, { dryRun, from, tree, signal, now: new Date() })) {
    if (step.type === 'mended') mended++;
    if (step.type === 'lost') lost++;
    if (step.type === 'repaired') {
      for (const finding of step.left) yield findingRow(finding, null);
      yield { type: 'repaired', dry_run: dryRun, changed: step.changed, seq: step.seq, mended, lost, findings: step.left.length, kept: step.kept };
    } else {
      yield await rowOf(step);
    }
  }
}

async function rowOf(step: Exclude<RepairStep, { type: 'repaired' }>): Promise<RepairRow> {
  switch (step.type) {
    case 'finding': return findingRow(step.finding, await placeOf(step.history, step.finding.node));
    case 'unopenable': return { type: 'unopenable', what: safeForTerminal(step.why) };
    case 'missing': return { type: 'missing', what: safeForTerminal(step.what) };
    case 'mended': return { type: 'mended', what: step.what, count: step.count };
    case 'lost': return await lostRow(step.lost, step.history);
  }
}

function findingRow({ kind, family, key, what, node }: Finding, path: string | null): RepairRow {
  const { severity, remedy } = FINDINGS[kind];
  return { type: 'finding', kind, severity, family, key: key.toString('hex'), what: safeForTerminal(what), node: node ?? null, path, remedy };
}

async function lostRow({ node, from, to, why }: LostContent, history: History): Promise<RepairRow> {
  const timeOf = async (seq: number | null): Promise<string | null> => {
    const timeNs = seq === null ? null : await history.timeOf(Math.max(seq, 1));
    return timeNs === null ? null : formatTimeUtc(timeNs);
  };
  return { type: 'lost', node, path: await placeOf(history, node), from_seq: from, from_time: await timeOf(from), to_seq: to, to_time: await timeOf(to), what: safeForTerminal(why) };
}
