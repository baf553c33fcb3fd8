/**
 * Compares the names of two instants: which name shall lead to what and does not (placements), which leads to something
 * that it shall not (vacancies). Only names that changes mention are looked at, and what hangs below a directory that
 * came into the scope or left it.
 */
import { RewindError } from '../../errors.js';
import { ROOT, type Name, type NodeId } from '../../history/types.js';
import { safeForTerminal, showPath } from '../../paths.js';
import { ACL_DEFAULT, isDir } from '../compare.js';
import { mapParallel } from '../parallel.js';
import type { Touched } from '../places.js';
import type { Scope, ScopeRoot } from './scope.js';
import type { Instants, Placement, Thing, Vacancy } from './things.js';
import { Twins, type NamePair } from './twins.js';

export class Gathering {
  readonly placements: Placement[] = [];
  readonly vacancies: Vacancy[] = [];
  readonly twins: Twins;
  private readonly live = new Map<NodeId, Thing>();
  private readonly fresh = new Map<NodeId, Thing>();
  private readonly expanded = new Set<Thing>();

  constructor(private readonly instants: Instants, private readonly scope: Scope) {
    this.twins = new Twins(instants, scope);
  }

  /** Fills placements and vacancies, and pairs those of one object: they are renames. */
  async run(touched: Touched): Promise<void> {
    const dirs = [...new Set([...touched.slots.values()].map(({ parent }) => parent))];
    const kept = new Set<NodeId>();
    await mapParallel(dirs, async (dir) => {
      if (await this.keptDir(dir)) kept.add(dir);
    });
    const pairs = await mapParallel([...touched.slots.values()].filter(({ parent }) => kept.has(parent)), ({ parent, name }) => this.pairAt(parent, name));
    const roots = this.scope.roots.filter((root) => root.path.length > 0);
    const rootPairs = await mapParallel(roots, (root) => this.rootPair(root));
    for (const pair of [...pairs, ...rootPairs]) pairs.push(...await this.twins.match(pair));
    for (const [i, root] of roots.entries()) await this.root(root.path, rootPairs[i] as NamePair);
    for (const pair of pairs) await this.compare(pair);
    this.pair();
  }

  /** The object that is there now. */
  async liveThing(node: NodeId): Promise<Thing> {
    const known = this.live.get(node);
    if (known) return known;
    const attr = await this.twins.attr(node, 'now');
    const inheritsAcl = isDir(attr) && (await this.instants.history.xattrs(node, this.instants.now)).has(ACL_DEFAULT);
    const was = this.twins.then.get(node) ?? node;
    const thing: Thing = { node, was, live: true, isDir: isDir(attr), attr, at: null, placement: null, made: null, inheritsAcl, owner: null, bare: false };
    this.live.set(node, thing);
    return thing;
  }

  /** What shall stand for the object that `node` was then: one that stays, else a new one. */
  async wantedThing(node: NodeId): Promise<Thing> {
    const twin = this.twins.now.get(node);
    if (twin !== undefined) return this.liveThing(twin);
    return (await this.twins.isKept(node)) ? this.liveThing(node) : this.freshThing(node, false);
  }

  private async keptDir(node: NodeId): Promise<boolean> {
    return await this.scope.within(node, 'then') && await this.scope.within(node, 'now') && this.twins.isKept(node);
  }

  private async freshThing(node: NodeId, bare: boolean): Promise<Thing> {
    const known = this.fresh.get(node);
    if (known) return known;
    const attr = await this.twins.attr(node, 'then');
    const thing: Thing = { node, was: node, live: false, isDir: isDir(attr), attr, at: null, placement: null, made: null, inheritsAcl: false, owner: null, bare };
    this.fresh.set(node, thing);
    return thing;
  }

  private async pairAt(parent: NodeId, name: Name): Promise<NamePair> {
    const { history, then, now } = this.instants;
    const [was, is] = await Promise.all([history.lookup(parent, name, then), history.lookup(parent, name, now)]);
    return { thenParent: parent, nowParent: parent, name, was: was?.node ?? null, is: is?.node ?? null };
  }

  private async rootPair({ path, then, now }: ScopeRoot): Promise<NamePair> {
    const { history } = this.instants;
    const above = path.slice(0, -1);
    const [thenParent, nowParent] = await Promise.all([history.resolve(above, this.instants.then), history.resolve(above, this.instants.now)]);
    return { thenParent: thenParent ?? 0, nowParent: nowParent ?? 0, name: path.at(-1) as Name, was: then, is: now };
  }

  private async root(path: Name[], pair: NamePair): Promise<void> {
    if (pair.was === null && pair.is === null) return;
    if (pair.was === null || pair.is !== null) return this.compare(pair);
    await this.place(await this.parentOf(path), pair.name, pair.was);
  }

  /** The directory that a named path lies in; those that are missing now are made as they were then. */
  private async parentOf(path: Name[]): Promise<Thing> {
    const { history, then, now } = this.instants;
    let parent = await this.liveThing(ROOT);
    for (let length = 1; length < path.length; length++) {
      const part = path.slice(0, length);
      const there = parent.live ? await history.resolve(part, now) : null;
      if (there !== null) {
        parent = await this.liveThing(there);
        if (parent.isDir) continue;
        throw new RewindError('ERR_NOT_A_DIRECTORY', `${safeForTerminal(showPath(path))} cannot come back: ${safeForTerminal(showPath(part))} is not a directory now`,
          `roll ${safeForTerminal(showPath(part))} back, too`);
      }
      const made = await this.freshThing(await history.resolve(part, then) as NodeId, true);
      if (!made.placement) this.addPlacement(parent, part.at(-1) as Name, made);
      parent = made;
    }
    return parent;
  }

  private async compare({ nowParent, name, was, is }: NamePair): Promise<void> {
    const wanted = was === null ? null : await this.wantedThing(was);
    if (wanted?.live && wanted.node === is) return;
    if (was !== null) await this.place(await this.liveThing(nowParent), name, was);
    if (is !== null) await this.vacate(await this.liveThing(nowParent), name, is);
  }

  private async place(parent: Thing, name: Name, node: NodeId): Promise<void> {
    const stack: { parent: Thing; name: Name; node: NodeId }[] = [{ parent, name, node }];
    for (let next = stack.pop(); next; next = stack.pop()) {
      const thing = await this.wantedThing(next.node);
      this.addPlacement(next.parent, next.name, thing);
      if (this.scope.exact || !thing.isDir || thing.live || this.expanded.has(thing)) continue;
      this.expanded.add(thing);
      const children = await this.instants.history.list(next.node, this.instants.then);
      for (const child of children.reverse()) stack.push({ parent: thing, name: child.name, node: child.node });
    }
  }

  private addPlacement(parent: Thing, name: Name, thing: Thing): void {
    const placement: Placement = { parent, name, thing, from: null, state: 'todo' };
    this.placements.push(placement);
    thing.placement ??= placement;
  }

  private async vacate(parent: Thing, name: Name, node: NodeId): Promise<void> {
    const stack: { parent: Thing; name: Name; node: NodeId }[] = [{ parent, name, node }];
    for (let next = stack.pop(); next; next = stack.pop()) {
      const thing = await this.liveThing(next.node);
      this.vacancies.push({ parent: next.parent, name: next.name, thing, to: null, done: false });
      if (this.scope.exact || !thing.isDir || this.expanded.has(thing) || await this.twins.stays(next.node)) continue;
      this.expanded.add(thing);
      const children = await this.instants.history.list(next.node, this.instants.now);
      for (const child of children.reverse()) stack.push({ parent: thing, name: child.name, node: child.node });
    }
  }

  private pair(): void {
    const free = new Map<Thing, Vacancy[]>();
    for (const vacancy of this.vacancies) {
      const list = free.get(vacancy.thing);
      if (list) list.push(vacancy);
      else free.set(vacancy.thing, [vacancy]);
    }
    for (const placement of this.placements) {
      const vacancy = placement.thing.live ? free.get(placement.thing)?.shift() : undefined;
      if (!vacancy) continue;
      placement.from = vacancy;
      vacancy.to = placement;
    }
  }
}
