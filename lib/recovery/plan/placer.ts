/**
 * Orders the changes of names into steps that a file system accepts, one after the other: parents before children, a name
 * is free before something takes it, cycles are broken by a temporary name. What is made or moved comes before anything
 * is removed; an object that takes the name of a file to be removed replaces it in one step.
 */
import { ROOT, type Name } from '../../history/types.js';
import { slotKey } from '../places.js';
import type { PlanOp } from '../types.js';
import type { Owner } from './attributes.js';
import { joinPath, makeObject } from './objects.js';
import { samePlace, type Instants, type Placement, type Thing, type Vacancy } from './things.js';

/** Who owns what is made in a directory: its maker, but a set-gid directory gives its group. A new one has no such bit yet. */
function ownerIn(parent: Thing, maker: Owner | null): Owner | null {
  if (!maker || !parent.live || (parent.attr.mode & S_ISGID) === 0) return maker;
  return { uid: maker.uid, gid: parent.attr.gid };
}

const S_ISGID = 0o2000;

/** Names of objects that are to take a name, or to make room for one: gone when a plan is done. */
export const TEMPORARY = /^\.rewind-\d+-\d+$/;

/** How many moves may wait for each other before one of them goes by a temporary name. */
const MAX_WAITING = 200;

export class Placer {
  readonly ops: PlanOp[] = [];
  bytes = 0;
  /** Directories whose times the steps change. */
  readonly stirred = new Set<Thing>();
  private readonly occupied = new Map<string, Vacancy>();
  private readonly leaving = new Map<Thing, Vacancy>();
  private temporaries = 0;

  constructor(
    private readonly instants: Instants,
    private readonly liveThing: (node: number) => Promise<Thing>,
    private readonly slotsOf: (thing: Thing) => Promise<{ parent: number; name: Name }[]>,
    private readonly vacancies: Vacancy[],
  ) {
    for (const vacancy of vacancies) {
      this.occupied.set(this.key(vacancy.parent, vacancy.name), vacancy);
      if (!this.leaving.has(vacancy.thing)) this.leaving.set(vacancy.thing, vacancy);
    }
  }

  /** Appends the steps of all placements, then those of the removals. */
  async run(placements: Placement[]): Promise<void> {
    for (const placement of placements) {
      if (!(await this.place(placement, 0))) throw new Error(`the plan found no order for object ${placement.thing.node}`);
    }
    await this.removeAll();
  }

  /** The path of a directory at this step. */
  async pathOf(dir: Thing): Promise<string> {
    if (dir.at) return joinPath(await this.pathOf(dir.at.parent), dir.at.name);
    if (dir.node === ROOT) return '';
    const parent = await this.parentOf(dir);
    const [link] = await this.instants.history.linksOf(dir.node, this.instants.now);
    return joinPath(await this.pathOf(parent as Thing), (link as { name: Name }).name);
  }

  private key(parent: Thing, name: Name): string {
    return `${samePlace(parent)} ${slotKey(parent.node, name)}`;
  }

  private async parentOf(dir: Thing): Promise<Thing | null> {
    if (dir.at) return dir.at.parent;
    if (dir.node === ROOT) return null;
    const [link] = await this.instants.history.linksOf(dir.node, this.instants.now);
    return link ? this.liveThing(link.parent) : null;
  }

  /** false: it waits for a move that is itself waiting for this one. */
  private async place(placement: Placement, depth: number): Promise<boolean> {
    if (placement.state !== 'todo') return placement.state === 'done';
    if (depth > MAX_WAITING) return false;
    placement.state = 'doing';
    const { parent, thing } = placement;
    const parentStep = parent.live ? null : parent.placement;
    let ready = !parentStep || await this.place(parentStep, depth + 1);
    if (ready && thing.live && thing.isDir) ready = await this.leaveOwnSubtree(placement, depth);
    if (ready) await this.emit(placement, await this.freeName(placement, depth));
    placement.state = ready ? 'done' : 'todo';
    return ready;
  }

  /** A directory cannot move below itself: whatever stands between goes first. */
  private async leaveOwnSubtree({ parent, thing }: Placement, depth: number): Promise<boolean> {
    for (;;) {
      const chain: Thing[] = [];
      let above: Thing | null = parent;
      while (above && above !== thing) {
        chain.push(above);
        above = await this.parentOf(above);
      }
      if (!above) return true;
      const waiting = chain.reverse().find((dir) => dir.live && dir.placement !== null && dir.placement.state !== 'done');
      if (!waiting?.placement) throw new Error(`a rollback would put directory ${thing.node} below itself`);
      if (waiting.placement.state === 'doing') return false;
      if (!(await this.place(waiting.placement, depth + 1))) {
        await this.park(waiting.placement.from as Vacancy, await this.parentOf(thing) as Thing);
      }
    }
  }

  /** Makes the name free. true: a file that is to go lies there still and will be replaced. */
  private async freeName({ parent, name, thing }: Placement, depth: number): Promise<boolean> {
    for (;;) {
      const there = this.occupied.get(this.key(parent, name));
      if (!there) return false;
      if (there.to) {
        if (there.to.state === 'todo' && await this.place(there.to, depth + 1)) continue;
      } else if (!there.thing.isDir && !thing.isDir) {
        return true;
      }
      if (this.occupied.get(this.key(parent, name)) === there) await this.park(there, there.parent);
    }
  }

  /** Moves what lies at a name out of the way. */
  private async park(vacancy: Vacancy, to: Thing): Promise<void> {
    const name = await this.temporaryName(to);
    await this.move(vacancy, to, name);
    this.occupied.set(this.key(to, name), vacancy);
  }

  private async temporaryName(parent: Thing): Promise<Name> {
    const { history, then, now } = this.instants;
    for (;;) {
      const name = `.rewind-${then}-${++this.temporaries}`;
      if (!parent.live) return name;
      if (!(await history.lookup(parent.node, name, now)) && !(await history.lookup(parent.node, name, then))) return name;
    }
  }

  private async move(vacancy: Vacancy, parent: Thing, name: Name): Promise<void> {
    const from = joinPath(await this.pathOf(vacancy.parent), vacancy.name);
    this.ops.push({ op: 'rename', path: joinPath(await this.pathOf(parent), name), from });
    this.occupied.delete(this.key(vacancy.parent, vacancy.name));
    this.stirred.add(vacancy.parent).add(parent);
    vacancy.parent = parent;
    vacancy.name = name;
    if (vacancy.thing.isDir) vacancy.thing.at = { parent, name };
  }

  private async emit(placement: Placement, replaces: boolean): Promise<void> {
    const { parent, name, thing, from } = placement;
    if (from) {
      await this.move(from, parent, name);
      from.done = true;
    } else {
      const temporary = replaces ? await this.temporaryName(parent) : name;
      const directory = await this.pathOf(parent);
      const path = joinPath(directory, temporary);
      const source = await this.nameOf(thing);
      if (source !== null) this.ops.push({ op: 'link', path, from: source });
      else await this.make(thing, path, parent, name);
      if (replaces) this.ops.push({ op: 'rename', path: joinPath(directory, name), from: path });
      this.stirred.add(parent);
    }
    if (!replaces) return;
    const key = this.key(parent, name);
    (this.occupied.get(key) as Vacancy).done = true;
    this.occupied.delete(key);
  }

  private async make(thing: Thing, path: string, parent: Thing, name: Name): Promise<void> {
    if (thing.isDir) thing.at = { parent, name };
    thing.made = { parent, name };
    thing.inheritsAcl = parent.inheritsAcl;
    thing.owner = ownerIn(parent, this.instants.maker);
    const steps = await makeObject(this.instants.history, path, thing.node, thing.attr, this.instants.then, { owner: thing.owner, acl: thing.inheritsAcl });
    for (const one of steps.ops) this.ops.push(one);
    this.bytes += steps.bytes;
  }

  /** A path at which a thing lies at this step, or null when it is not made yet. */
  private async nameOf(thing: Thing): Promise<string | null> {
    if (thing.made) return joinPath(await this.pathOf(thing.made.parent), thing.made.name);
    if (!thing.live) return null;
    const moved = this.leaving.get(thing);
    if (moved) return joinPath(await this.pathOf(moved.parent), moved.name);
    const [slot] = await this.slotsOf(thing);
    if (!slot) return null;
    return joinPath(await this.pathOf(await this.liveThing(slot.parent)), slot.name);
  }

  private async removeAll(): Promise<void> {
    const directories: string[] = [];
    for (const vacancy of this.vacancies) {
      if (vacancy.to || vacancy.done) continue;
      const path = joinPath(await this.pathOf(vacancy.parent), vacancy.name);
      this.stirred.add(vacancy.parent);
      if (vacancy.thing.isDir) directories.push(path);
      else this.ops.push({ op: 'unlink', path });
    }
    directories.sort((a, b) => b.split('/').length - a.split('/').length);
    for (const path of directories) this.ops.push({ op: 'rmdir', path });
  }
}
