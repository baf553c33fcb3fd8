/**
 * A history with one instant more: `target`, right after now, is a tree that is composed of several: each path that was
 * named as it was at an instant of its own. Guarantees: the innermost path that was named decides; what no path was named
 * for is as it is now; an object that lies in several of the states stands once for each, so that no two paths share a
 * file which they did not share then; directories that a named path needs, and that nothing else gives, are as they were
 * at its instant, with nothing else in them.
 */
import { RewindError } from '../../errors.js';
import type { HistoryReader } from '../../history/reader.js';
import { walkPath } from '../../history/tree.js';
import { ROOT, type Change, type Name, type NameEntry, type NodeAttr, type NodeId, type Seq, type Slot } from '../../history/types.js';
import { safeForTerminal, showPath } from '../../paths.js';
import { isDir } from '../compare.js';
import { Places } from '../places.js';
import { Through } from '../through.js';
import type { ByteRange, Part } from '../types.js';

/** An object that stands a second time has a number of its own: that of its region, and below this the object's. */
const STRIDE = 2 ** 45;

/** A path with all below it, but what belongs to a region further in. */
interface Region extends Part {
  /** A directory alone: only what other regions put into it. */
  bare: boolean;
  places: Places;
}

/** An object, and the region whose state of it counts. */
interface Origin {
  node: NodeId;
  region: number;
}

const key = (path: readonly Name[]): string => path.join('/');

export class Composed extends Through {
  readonly target: Seq;
  private readonly regions: Region[] = [];
  private readonly roots = new Map<string, number>();
  /** Of the bare regions, which may lie over a named path that was not there. */
  private readonly bareRoots = new Map<string, number>();
  private readonly rootsIn = new Map<string, Name[]>();
  private claims = new Map<NodeId, Promise<number[]>>();

  private constructor(base: HistoryReader, private readonly now: Seq) {
    super(base);
    this.target = now + 1;
  }

  /** @throws ERR_NOT_A_DIRECTORY when a path leads through something else */
  static async of(base: HistoryReader, parts: readonly Part[], now: Seq): Promise<Composed> {
    const composed = new Composed(base, now);
    const all = parts.some(({ path }) => path.length === 0) ? [...parts] : [{ path: [], to: now }, ...parts];
    // The number of an object stands for its newest state: that is nearest to what it is now.
    for (const part of all.sort((a, b) => b.to - a.to)) composed.add(part, false);
    for (const part of [...parts].sort((a, b) => a.path.length - b.path.length)) await composed.makeWay(part);
    return composed;
  }

  private add({ path, to }: Part, bare: boolean): void {
    const places = this.regions.find((region) => region.to === to)?.places ?? new Places(this.base, to);
    (bare ? this.bareRoots : this.roots).set(key(path), this.regions.length);
    this.regions.push({ path, to, bare, places });
    if (path.length > 0) {
      const above = key(path.slice(0, -1));
      this.rootsIn.set(above, [...this.rootsIn.get(above) ?? [], path.at(-1) as Name]);
    }
    this.claims = new Map();
  }

  /** The directories that lead to a path. */
  private async makeWay(part: Part): Promise<void> {
    if (await this.base.resolve(part.path, part.to) === null) return;
    for (let length = 1; length < part.path.length; length++) {
      const path = part.path.slice(0, length);
      const there = await this.resolve(path, this.target);
      const attr = there === null ? null : await this.attr(there, this.target);
      if (attr && !isDir(attr)) {
        throw new RewindError('ERR_NOT_A_DIRECTORY', `${safeForTerminal(showPath(part.path))} cannot come back: ${safeForTerminal(showPath(path))} is not a directory in that tree`, `Name ${safeForTerminal(showPath(path))}, too, at a time when it was one.`);
      }
      if (there === null) this.add({ path, to: part.to }, true);
    }
  }

  /** The region whose topmost path this is. */
  private rootAt(path: readonly Name[]): number | undefined {
    return this.bareRoots.get(key(path)) ?? this.roots.get(key(path));
  }

  /** The region that a path belongs to. */
  private regionAt(path: readonly Name[]): number {
    let found = this.rootAt(path);
    for (let length = path.length - 1; found === undefined && length >= 0; length--) found = this.roots.get(key(path.slice(0, length)));
    return found ?? -1;
  }

  /** Paths of an object in a region. */
  private async pathsIn(node: NodeId, region: number): Promise<Name[][]> {
    const paths = await this.regions[region]!.places.paths(node);
    return paths.filter((path) => this.regionAt(path) === region);
  }

  /** Regions that an object lies in, the newest first. */
  private claimsOf(node: NodeId): Promise<number[]> {
    let claims = this.claims.get(node);
    if (!claims) this.claims.set(node, (claims = this.findClaims(node)));
    return claims;
  }

  private async findClaims(node: NodeId): Promise<number[]> {
    const paths = await Promise.all(this.regions.map((_, region) => this.pathsIn(node, region)));
    return paths.flatMap((found, region) => (found.length > 0 ? [region] : []));
  }

  private async idOf(node: NodeId, region: number): Promise<NodeId> {
    const [first] = await this.claimsOf(node);
    return first === undefined || first === region || await this.areOne(node, first, region) ? node : node + (region + 1) * STRIDE;
  }

  /** Is a file of two regions one, with a name in each? Only if it was all the time between, and did not change. */
  private async areOne(node: NodeId, a: number, b: number): Promise<boolean> {
    const [{ to: toA }, { to: toB }] = [this.regions[a]!, this.regions[b]!];
    if (toA === toB) return true;
    const both = [...await this.pathsIn(node, a), ...await this.pathsIn(node, b)];
    for (const path of both) for (const to of [toA, toB]) if (await this.base.resolve(path, to) !== node) return false;
    for await (const change of this.base.nodeChanges(node, Math.min(toA, toB), Math.max(toA, toB))) return change === undefined;
    return true;
  }

  private async originOf(id: NodeId): Promise<Origin | null> {
    if (id >= STRIDE) return { node: id % STRIDE, region: Math.floor(id / STRIDE) - 1 };
    const [region] = await this.claimsOf(id);
    return region === undefined ? null : { node: id, region };
  }

  /** Asks of the state that an object has in the composed tree. */
  private async ask<T>(id: NodeId, seq: Seq, nothing: T, question: (node: NodeId, seq: Seq) => Promise<T>): Promise<T> {
    if (seq !== this.target) return question(id, seq);
    const origin = await this.originOf(id);
    return origin ? question(origin.node, this.regions[origin.region]!.to) : nothing;
  }

  override attr(id: NodeId, seq: Seq): Promise<NodeAttr | null> { return this.ask<NodeAttr | null>(id, seq, null, (node, at) => this.base.attr(node, at)); }
  override attrs(ids: NodeId[], seq: Seq): Promise<(NodeAttr | null)[]> { return seq === this.target ? Promise.all(ids.map((id) => this.attr(id, seq))) : this.base.attrs(ids, seq); }
  override attrsAt(wanted: readonly { node: NodeId; seq: Seq }[]): Promise<(NodeAttr | null)[]> { return Promise.all(wanted.map(({ node, seq }) => this.attr(node, seq))); }
  override xattrs(id: NodeId, seq: Seq): Promise<Map<Name, Buffer>> { return this.ask(id, seq, new Map<Name, Buffer>(), (node, at) => this.base.xattrs(node, at)); }
  override xattrsOfAll(ids: NodeId[], seq: Seq): Promise<Map<Name, Buffer>[]> { return seq === this.target ? Promise.all(ids.map((id) => this.xattrs(id, seq))) : this.base.xattrsOfAll(ids, seq); }
  override readlink(id: NodeId, seq: Seq): Promise<Buffer> { return this.ask(id, seq, Buffer.alloc(0), (node, at) => this.base.readlink(node, at)); }
  override dataRanges(id: NodeId, seq: Seq): Promise<ByteRange[]> { return this.ask<ByteRange[]>(id, seq, [], (node, at) => this.base.dataRanges(node, at)); }
  override read(id: NodeId, offset: number, length: number, seq: Seq, size?: number): Promise<Buffer> {
    return this.ask(id, seq, Buffer.alloc(0), (node, at) => this.base.read(node, offset, length, at, size));
  }
  /** Asked only of one object at two instants; one that stands twice is not there now. */
  override changedRanges(id: NodeId, from: Seq, to: Seq): Promise<ByteRange[]> {
    const other = from === this.target ? to : from;
    if (from !== this.target && to !== this.target) return this.base.changedRanges(id, from, to);
    return this.ask<ByteRange[]>(id, this.target, [], (node, at) => (at === other ? Promise.resolve([]) : this.base.changedRanges(node, Math.min(at, other), Math.max(at, other))));
  }

  override async lookup(parent: NodeId, name: Name, seq: Seq): Promise<NameEntry | null> {
    if (seq !== this.target) return this.base.lookup(parent, name, seq);
    const origin = await this.originOf(parent);
    const path = origin && await this.pathOfDirectory(origin);
    return origin && path ? this.child(origin, [...path, name], () => this.base.lookup(origin.node, name, this.regions[origin.region]!.to)) : null;
  }

  override async list(parent: NodeId, seq: Seq): Promise<NameEntry[]> {
    if (seq !== this.target) return this.base.list(parent, seq);
    const origin = await this.originOf(parent);
    const path = origin && await this.pathOfDirectory(origin);
    if (!origin || !path) return [];
    const { bare, to } = this.regions[origin.region]!;
    const entries = new Map((bare ? [] : await this.base.list(origin.node, to)).map((entry) => [entry.name, entry]));
    const names = [...new Set([...entries.keys(), ...this.rootsIn.get(key(path)) ?? []])].sort();
    const found = await Promise.all(names.map((name) => this.child(origin, [...path, name], async () => entries.get(name) ?? null)));
    return found.filter((entry) => entry !== null);
  }

  private async child({ region }: Origin, path: Name[], here: () => Promise<NameEntry | null>): Promise<NameEntry | null> {
    const name = path.at(-1) as Name;
    const other = this.rootAt(path);
    if (other !== undefined) {
      const node = await this.base.resolve(path, this.regions[other]!.to);
      return node === null ? null : { name, node: await this.idOf(node, other), since: this.now };
    }
    const entry = this.regions[region]!.bare ? null : await here();
    return entry && { ...entry, node: await this.idOf(entry.node, region) };
  }

  private async pathOfDirectory({ node, region }: Origin): Promise<Name[] | null> {
    return this.regions[region]!.places.dirPath(node);
  }

  override async linksOf(id: NodeId, seq: Seq): Promise<Slot[]> {
    if (seq !== this.target) return this.base.linksOf(id, seq);
    const origin = await this.originOf(id);
    if (!origin || origin.node === ROOT) return [];
    const links: Slot[] = [];
    for (const region of await this.claimsOf(origin.node)) {
      if (await this.idOf(origin.node, region) !== id) continue;
      for (const path of await this.pathsIn(origin.node, region)) {
        const parent = await this.resolve(path.slice(0, -1), seq);
        if (parent !== null) links.push({ parent, name: path.at(-1) as Name });
      }
    }
    return links;
  }

  override resolve(path: Name[], seq: Seq): Promise<NodeId | null> {
    return seq === this.target ? walkPath(path, (node, name) => this.lookup(node, name, seq)) : this.base.resolve(path, seq);
  }

  override async pathOf(id: NodeId, seq: Seq): Promise<Name[] | null> {
    if (seq !== this.target) return this.base.pathOf(id, seq);
    const origin = await this.originOf(id);
    if (!origin) return null;
    return origin.node === ROOT ? [] : (await this.pathsIn(origin.node, origin.region))[0] ?? null;
  }

  /**
   * From now to the composed tree: all that happened since the oldest of the states, what of it stands twice, the names at
   * which one state ends and another begins, and what directories that stand alone still hold.
   */
  override async *changes(after: Seq, upTo: Seq, options?: { reverse?: boolean }): AsyncGenerator<Change> {
    if (upTo !== this.target) {
      yield* this.base.changes(after, upTo, options);
      return;
    }
    const seen = new Set<NodeId>();
    for await (const change of this.base.changes(Math.min(after, ...this.regions.map(({ to }) => to)), this.now)) {
      for (const node of [change.node, change.target, change.parent, change.parent2]) if (node !== undefined && node !== 0) seen.add(node);
      yield change;
    }
    for (const node of seen) {
      const claims = await this.claimsOf(node);
      for (const region of claims.length > 1 ? claims : []) {
        const id = await this.idOf(node, region);
        for (const slot of await this.linksOf(id, this.target)) yield this.difference(id, slot);
      }
    }
    for (const { path } of this.regions.filter((region) => region.path.length > 0)) {
      const parent = await this.resolve(path.slice(0, -1), this.target);
      if (parent !== null) yield this.difference(parent, { parent, name: path.at(-1) as Name });
    }
    for (const { path, to } of this.regions.filter(({ bare }) => bare)) {
      const parent = await this.base.resolve(path, to) as NodeId;
      for (const { node, name } of await this.base.list(parent, this.now)) yield this.difference(node, { parent, name });
    }
  }

  private difference(node: NodeId, slot: Slot): Change {
    return { ...slot, seq: this.target, record: this.target, timeNs: 0n, kind: 0, marker: 'create', node, offset: 0, length: 0, size: 0, writer: 0, save: 0, writeback: false, unmounted: false };
  }

  override watermark(): Seq { return this.target; }
  override timeOf(seq: Seq): Promise<bigint | null> { return this.base.timeOf(Math.min(seq, this.now)); }
}
