/**
 * Names in a tree in which the selected writers never were. Guarantees: a name is what the others made of it; where
 * somebody else's later change depends on what a selected writer did to a name, that name, and every other that the same
 * moves touched, stays as it is now and is named as a conflict; every object that has a name has it below the root.
 */
import type { HistoryReader } from '../../history/reader.js';
import { ROOT, type Change, type Name, type NameEntry, type NodeId, type Seq } from '../../history/types.js';
import { slotKey, type Slot } from '../places.js';

/** What a change did to a name. */
export interface Effect extends Slot {
  after: NodeId | null;
  /** It took the object away to another name. */
  leaves: boolean;
}

/** Something of the selected writers that is left as it is. */
export interface NameConflict extends Slot {
  reason: string;
  /** The change that stands in the way; null when none does by itself. */
  by: Change | null;
}

/** A name that a selected writer changed. */
export interface Held extends Slot {
  key: string;
  /** seq of the first change of it. */
  first: Seq;
  /** Where it leads: in the tree as it is, and in the one without the selected writers. */
  real: NodeId | null;
  without: NodeId | null;
  /** Names that were changed together share one. */
  unit: Unit;
  conflict: NameConflict | null;
}

export interface Unit {
  held: Held[];
  left: boolean;
}

/** The first change of an object itself by somebody else, after a selected writer had changed it and after a seq. */
export type Depends = (node: NodeId, after: Seq) => Change | null;

const MOVED_ON = 'somebody else moved it on';
/** Deeper than this is a loop. */
const MAX_DEPTH = 4096;

/** The names that a change concerns. */
export function effectsOf({ marker, parent, name, parent2, name2, node, target, exchange }: Change): Effect[] {
  if (parent === undefined || name === undefined || name === '') return [];
  if (marker === 'create') return [{ parent, name, after: node, leaves: false }];
  if (marker === 'delete') return [{ parent, name, after: null, leaves: false }];
  if (marker !== 'rename' || parent2 === undefined || name2 === undefined || target === node || (parent === parent2 && name === name2)) return [];
  const swapped = exchange === true && target !== undefined ? target : null;
  return [{ parent, name, after: swapped, leaves: true }, { parent: parent2, name: name2, after: node, leaves: exchange === true }];
}

export class Names {
  private readonly held = new Map<string, Held>();
  private readonly byParent = new Map<NodeId, Held[]>();
  /** Where objects are without the selected writers, while they are elsewhere in fact. */
  private readonly byNode = new Map<NodeId, Set<Held>>();

  /** Names that no selected writer changed, and that depend on one that did. */
  private readonly further: NameConflict[] = [];

  constructor(private readonly history: HistoryReader, private readonly now: Seq) {}

  /** A change of a selected writer. */
  async mine(change: Change): Promise<void> {
    const effects = effectsOf(change);
    const held: Held[] = [];
    for (const effect of effects) held.push(await this.hold(effect, change.seq));
    for (const [i, one] of held.entries()) {
      one.real = effects[i]!.after;
      if (i > 0) join(held[0]!.unit, one.unit);
    }
  }

  /** A later change of somebody else. */
  other(change: Change): void {
    const effects = effectsOf(change);
    for (const effect of effects) {
      const one = this.held.get(slotKey(effect.parent, effect.name));
      if (!one) continue;
      if (one.real === one.without) this.lead(one, effect.after);
      else this.entangled(one, effect, change);
      // Where it was moved on to lies something else than would without the selected writers.
      if (one.conflict?.by === change && effect.leaves) this.further.push(...effects.filter((other) => other !== effect).map(({ parent, name }) => ({ parent, name, reason: MOVED_ON, by: change })));
      one.real = effect.after;
    }
  }

  /** Somebody else changed a name that is not what it would be. */
  private entangled(one: Held, effect: Effect, change: Change): void {
    const { real } = one;
    const displaced = real !== null && [...this.byNode.get(real) ?? []].some((home) => home !== one && home.real !== real);
    if (displaced) this.conflict(one, change, 'somebody else removed or replaced it where it had been moved to');
    else if (effect.leaves) this.conflict(one, change, MOVED_ON);
    else if (real === null && effect.after !== one.without) this.conflict(one, change, 'somebody else made something of the same name');
    else this.lead(one, effect.after);
  }

  private conflict(one: Held, by: Change | null, reason: string): void {
    one.conflict ??= { parent: one.parent, name: one.name, reason, by };
  }

  private lead(one: Held, node: NodeId | null): void {
    if (one.without !== null) this.byNode.get(one.without)?.delete(one);
    one.without = node;
    if (node === null) return;
    const homes = this.byNode.get(node);
    if (homes) homes.add(one);
    else this.byNode.set(node, new Set([one]));
  }

  private async hold({ parent, name }: Slot, seq: Seq): Promise<Held> {
    const key = slotKey(parent, name);
    const known = this.held.get(key);
    if (known) return known;
    const before = (await this.history.lookup(parent, name, seq - 1))?.node ?? null;
    const unit: Unit = { held: [], left: false };
    const one: Held = { parent, name, key, first: seq, real: before, without: null, unit, conflict: null };
    unit.held.push(one);
    this.held.set(key, one);
    this.byParent.set(parent, [...this.byParent.get(parent) ?? [], one]);
    this.lead(one, before);
    return one;
  }

  /**
   * To be called when all changes have passed.
   * Answers what is left as it is.
   */
  async settle(depends: Depends): Promise<NameConflict[]> {
    const units = new Set([...this.held.values()].map(({ unit }) => unit));
    for (let more = true; more;) {
      more = false;
      for (const unit of units) {
        if (unit.left || !unit.held.some(({ conflict }) => conflict)) continue;
        unit.left = more = true;
        this.leave(unit);
      }
      if (!more) more = await this.check(depends);
    }
    const left = [...units].filter((unit) => unit.left).flatMap(({ held }) => held);
    return [...left.flatMap(({ conflict }) => (conflict ? [conflict] : [])), ...this.further];
  }

  /** All names of a unit stay as they are, and are named. */
  private leave({ held }: Unit): void {
    const by = held.find(({ conflict }) => conflict)?.conflict?.by ?? null;
    for (const one of held) {
      if (one.real !== one.without) this.conflict(one, by, 'it was moved together with what cannot be taken back');
      this.lead(one, one.real);
    }
  }

  /** Finds what cannot be as the changes alone say; true when it found something new. */
  private async check(depends: Depends): Promise<boolean> {
    let found = false;
    for (const one of this.changed()) {
      if (one.without !== null && !(await this.reachable(one))) {
        this.conflict(one, null, 'the directory that it was in is not there any more');
        found = true;
      } else if (one.real !== null && (await this.linksOf(one.real)).length === 0) {
        const by = depends(one.real, 0);
        const holds = (await this.list(one.real)).length > 0;
        if (by) this.conflict(one, by, 'somebody else changed it since');
        else if (holds) this.conflict(one, null, 'somebody else keeps something in it');
        found ||= by !== null || holds;
      } else if (one.real !== null && one.without !== null) {
        // Through this name somebody reached another object than they would have without the selected writers.
        const by = depends(one.real, one.first);
        if (by) this.conflict(one, by, 'somebody else changed what had taken its place');
        found ||= by !== null;
      }
    }
    return found;
  }

  /** Does the name lie below the root, and is its object, if it is a directory, nowhere else? */
  private async reachable(one: Held): Promise<boolean> {
    const node = one.without as NodeId;
    let above = one.parent;
    for (let depth = 0; above !== ROOT; depth++) {
      const [link, second] = await this.linksOf(above);
      if (!link || second || above === node || depth > MAX_DEPTH) return false;
      above = link.parent;
    }
    return node !== ROOT;
  }

  /** Names that lead elsewhere than they do now. */
  changed(): Held[] {
    return [...this.held.values()].filter(({ real, without }) => real !== without);
  }

  /** Names that stay as they are because of a conflict. */
  left(): Slot[] {
    return [...this.held.values()].filter(({ unit }) => unit.left);
  }

  async lookup(parent: NodeId, name: Name): Promise<NameEntry | null> {
    const one = this.held.get(slotKey(parent, name));
    if (!one || one.real === one.without) return this.history.lookup(parent, name, this.now);
    return one.without === null ? null : { name, node: one.without, since: this.now };
  }

  async list(parent: NodeId): Promise<NameEntry[]> {
    const entries = new Map((await this.history.list(parent, this.now)).map((entry) => [entry.name, entry]));
    for (const { name, real, without } of this.byParent.get(parent) ?? []) {
      if (real === without) continue;
      if (without === null) entries.delete(name);
      else entries.set(name, { name, node: without, since: this.now });
    }
    return [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async linksOf(node: NodeId): Promise<Slot[]> {
    const links = (await this.history.linksOf(node, this.now)).filter(({ parent, name }) => {
      const one = this.held.get(slotKey(parent, name));
      return !one || one.real === one.without;
    });
    for (const { parent, name, real, without } of this.byNode.get(node) ?? []) if (real !== without) links.push({ parent, name });
    return links;
  }
}

function join(unit: Unit, other: Unit): void {
  if (unit === other) return;
  for (const one of other.held) {
    one.unit = unit;
    unit.held.push(one);
  }
}
