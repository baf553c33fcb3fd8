/**
 * What the policy gives up, as data: of the whole tree what no schedule keeps, and by schedule the content that is kept for
 * others only. Guarantees: names and attributes are kept wherever any schedule keeps an instant, so that all it keeps is
 * found by its path; what was given up before is not named again. Nothing is changed here.
 */
import { isInside, union, type Forgetting, type Part, type Retention, type Stretch } from '../history/retained.js';
import type { Seq } from '../history/types.js';
import { TABLE, type KeepPolicy } from '../policy/keeping.js';
import { keptByAny, stretchesBetween } from './schedule.js';

/** Of a schedule, beyond what the whole tree gives up. */
export interface PartPlan { schedule: string; stretches: Stretch[] }

export interface Plan { everywhere: Stretch[]; parts: PartPlan[] }

/** `kept`: by schedule, the instants that it keeps (schedule.ts). `first`: where history begins. */
export function planOf(retention: Retention, parts: readonly Part[], kept: ReadonlyMap<string, readonly Seq[]>, first: Seq): Plan {
  const everywhere = stillThere(retention, stretchesBetween(keptByAny([...kept.values()]), first));
  const gone = union(given(retention), everywhere);
  return {
    everywhere,
    parts: parts.map((part) => ({ schedule: part.schedule, stretches: stillThere(part, notWithin(stretchesBetween(kept.get(part.schedule)!, first), gone)) })).filter(({ stretches }) => stretches.length > 0),
  };
}

/** Of these stretches, what is not given up already. */
export const stillThere = (of: Forgetting, stretches: readonly Stretch[]): Stretch[] => notWithin(stretches, given(of));

const given = ({ merged, due, trash }: Forgetting): Stretch[] => union(merged, due, ...trash.map(({ stretches }) => stretches));

const notWithin = (stretches: readonly Stretch[], gone: readonly Stretch[]): Stretch[] => stretches.filter((stretch) => !isInside(stretch, gone));

/**
 * One part for each schedule of the policy, with what of it still counts: what was given up under other rules, or holds an
 * instant that is kept by now, is decided anew. `kept`: such instants.
 */
export function partsInForce({ parts }: Retention, { schedules, version }: KeepPolicy, kept: readonly Seq[]): Part[] {
  const counts = ({ from, to }: Stretch): boolean => !kept.some((seq) => seq > from && seq < to);
  return [...schedules.keys()].map((schedule) => {
    const known = parts.find((part) => part.schedule === schedule);
    const fresh: Part = { schedule, version, before: [], merged: [], due: [], trash: [], work: null };
    if (known === undefined) return fresh;
    if (known.version !== version) return { ...fresh, before: schedule === TABLE ? union(known.before, known.merged) : [] };
    const trash = known.trash.map((one) => ({ ...one, stretches: one.stretches.filter(counts) })).filter(({ stretches }) => stretches.length > 0);
    return { ...known, due: known.due.filter(counts), trash, work: known.work !== null && counts(known.work.stretch) ? known.work : null };
  });
}
