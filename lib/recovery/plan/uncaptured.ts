/**
 * A rollback never destroys what it could not bring back, and makes nothing up: files whose content history does not have are
 * left as they are, as is what may have been there then without history knowing it, and whatever stands or falls with
 * them. What was left alone is told.
 */
import { hasNoContent, noDifference, whyNoContent } from '../compare.js';
import { slotKey } from '../places.js';
import type { PlanEntry } from '../types.js';
import type { Unseen } from '../unseen.js';
import { samePlace, type Instants, type Placement, type Thing, type Vacancy } from './things.js';

const WOULD_BE_LOST = 'its content was not captured: it could not be brought back';
const IN_THE_WAY = 'what has its name now could not be brought back';
const NOT_EMPTY = 'it holds what could not be brought back';
/** Also of all that lies in such a directory. */
const FIRST_SEEN = 'it was first seen later, by a walk that went on with one cut short: whether it was there is not known';

const slotOf = (parent: Thing, name: string): string => `${samePlace(parent)} ${slotKey(parent.node, name)}`;

/** Takes out of both lists what must not be done; answers an entry for each, but one for a directory with all that it holds. */
export async function leaveUncaptured(placements: Placement[], vacancies: Vacancy[], { history, then, now }: Instants, unseen: Unseen): Promise<PlanEntry[]> {
  const left = new Map<Placement | Vacancy, string>();
  for (const vacancy of vacancies) if (vacancy.to === null && (unseen.nodes.has(vacancy.thing.node) || unseen.slots.has(slotKey(vacancy.parent.node, vacancy.name)))) left.set(vacancy, FIRST_SEEN);
  for (const vacancy of vacancies) if (vacancy.to === null && hasNoContent(vacancy.thing.attr)) left.set(vacancy, WOULD_BE_LOST);
  for (const placement of placements) if (!placement.thing.live && hasNoContent(placement.thing.attr)) left.set(placement, whyNoContent(placement.thing.attr));
  if (left.size === 0) return [];
  spread(left, placements, vacancies);
  const entries: PlanEntry[] = [];
  const whole = firstSeen(left);
  for (const [one, reason] of left) {
    if (whole.has(one.parent)) continue;
    const side = 'done' in one ? now : then;
    const path = [...await history.pathOf(side === then ? one.parent.was : one.parent.node, side) ?? [], one.name];
    entries.push({ action: 'skip', path, what: noDifference(), bytes: 0, reason });
  }
  remove(placements, left);
  remove(vacancies, left);
  return entries;
}

/** What cannot be done because of what is left: until nothing is added any more. */
function spread(left: Map<Placement | Vacancy, string>, placements: Placement[], vacancies: Vacancy[]): void {
  for (let before = -1; before !== left.size;) {
    before = left.size;
    const kept = vacancies.filter((vacancy) => left.has(vacancy));
    const full = new Set(kept.map(({ parent }) => parent));
    const taken = new Set(kept.map(({ parent, name }) => slotOf(parent, name)));
    const whole = firstSeen(left);
    const missing = new Set(placements.filter((placement) => left.has(placement) && !placement.thing.live).map(({ thing }) => thing));
    for (const vacancy of vacancies) if (!left.has(vacancy) && vacancy.to === null && whole.has(vacancy.parent)) left.set(vacancy, FIRST_SEEN);
    for (const vacancy of vacancies) if (!left.has(vacancy) && vacancy.to === null && full.has(vacancy.thing)) left.set(vacancy, NOT_EMPTY);
    for (const placement of placements) {
      if (left.has(placement) || !(taken.has(slotOf(placement.parent, placement.name)) || missing.has(placement.parent))) continue;
      left.set(placement, IN_THE_WAY);
      if (placement.from && !left.has(placement.from)) left.set(placement.from, IN_THE_WAY);
    }
  }
}

const firstSeen = (left: ReadonlyMap<Placement | Vacancy, string>): Set<Thing> => new Set([...left].filter(([, reason]) => reason === FIRST_SEEN).map(([{ thing }]) => thing));

function remove<T extends Placement | Vacancy>(from: T[], left: ReadonlyMap<Placement | Vacancy, string>): void {
  const rest = from.filter((one) => !left.has(one));
  from.length = 0;
  for (const one of rest) from.push(one);
}
