/**
 * Changes to saves, read from the newest to the oldest. A save is the changes of one open..close of one file; or, without
 * a handle, the consecutive changes of one writer. What editors do to save (write another file and rename it over, or move
 * the old one away first) is folded into one `modify`, unless raw.
 */
import type { Change, Marker, NodeId, Seq } from '../history/types.js';
import { slotKey } from './places.js';

/** Kinds of native/journal/format.h. */
const KIND = { create: 8, mkdir: 9, symlink: 10, mknod: 11, tmpfile: 12, write: 24, truncate: 25, fallocate: 26, setattr: 27, setxattr: 28, removexattr: 29 };
const BIRTHS = new Set([KIND.create, KIND.mkdir, KIND.symlink, KIND.mknod, KIND.tmpfile]);
const ATTRIBUTES = new Set([KIND.setattr, KIND.setxattr, KIND.removexattr]);

const SECOND = 1_000_000_000n;
/** Without a handle: longer apart, and it is another save. */
const TOGETHER_NS = SECOND;
/** An editor moves the old file away and writes the new one within this. */
const BACKUP_NS = 2n * SECOND;
/** A file this young that is renamed over another was made to become it. */
export const YOUNG_NS = 60n * SECOND;
/** In a listing of a directory a handle that was idle for so long begins another save. */
const IDLE_NS = 600n * SECOND;

/** Does such a change tell that its object is a regular file (or is none)? null: it may be anything. */
export function isFileKind(kind: number): boolean | null {
  if (kind === KIND.create || kind === KIND.tmpfile || kind === KIND.write || kind === KIND.truncate || kind === KIND.fallocate) return true;
  return kind === KIND.mkdir || kind === KIND.symlink ? false : null;
}

export const makesDirectory = (change: Change): boolean => change.kind === KIND.mkdir;
export const isBirth = (change: Change): boolean => BIRTHS.has(change.kind);

/** Changes of one object that follow each other and belong to one save. */
export interface Run {
  first: Change;
  last: Change;
  count: number;
  /** Changes that these stand for, too. */
  givenUp: number;
}

/** Of one change. */
export const runOf = (change: Change): Run => ({ first: change, last: change, count: 1, givenUp: change.givenUp?.count ?? 0 });

/** A save in the making. */
export interface Group {
  node: NodeId;
  first: Change;
  last: Change;
  records: number;
  givenUp: number;
  marker: Marker;
  /** The newest of its changes that made, moved or removed a name. */
  named: Change | null;
  /** seq of the open, 0 without. */
  key: Seq;
  /** It became the file of another name when it was young: what it was before belongs to the same save. */
  swallows: boolean;
  attributesOnly: boolean;
  /** The name that it was made with. */
  birth: string | null;
}

/** The id of the save that a change belongs to, 0 = made without a handle. */
export const saveKey = (change: Change): Seq => change.save || (change.kind === KIND.create || change.kind === KIND.tmpfile ? change.record : 0);

/** Puts neighbours of one save together, oldest first: what a long save costs to list does not depend on its writes. */
export function runsOf(changes: Iterable<Change>): Run[] {
  const runs: Run[] = [];
  for (const change of changes) {
    const run = runs.at(-1);
    const key = saveKey(change);
    if (run && key !== 0 && change.marker === 'modify' && run.last.marker !== 'rename' && run.last.node === change.node && saveKey(run.first) === key) {
      run.last = change;
      run.count++;
      run.givenUp += change.givenUp?.count ?? 0;
    } else {
      runs.push(runOf(change));
    }
  }
  return runs;
}

export class Grouper {
  private groups: Group[] = [];
  private readonly byNode = new Map<NodeId, Group[]>();
  private readonly births = new Map<string, Group>();

  constructor(private readonly raw: boolean) {}

  /** Adds what is older than all before. `young`: the object was made not long before it was renamed. */
  add(run: Run, young: boolean): void {
    const { first, last } = run;
    if (!this.raw && this.backsUp(last)) return;
    const mates = this.byNode.get(last.node) ?? [];
    const group = mates.find((mate) => this.belongs(mate, run));
    if (group) return this.merge(group, run);
    const over = last.marker === 'rename' && last.target !== undefined && last.exchange !== true && !this.raw;
    const made: Group = {
      node: last.node, first, last, records: run.count, givenUp: run.givenUp, key: saveKey(first), named: isNamed(last) ? last : isNamed(first) ? first : null,
      marker: over ? 'modify' : isBirth(first) ? 'create' : last.marker,
      swallows: !this.raw && last.marker === 'rename' && young && last.exchange !== true,
      attributesOnly: ATTRIBUTES.has(first.kind) && ATTRIBUTES.has(last.kind), birth: null,
    };
    this.groups.push(made);
    this.byNode.set(last.node, [...mates, made]);
    this.noteBirth(made, first);
  }

  /** Saves that nothing older can belong to any more, newest first. */
  *ready(cursor: { seq: Seq; timeNs: bigint } | null): Generator<Group> {
    this.groups.sort((a, b) => b.last.seq - a.last.seq || b.last.record - a.last.record);
    let count = 0;
    for (const group of this.groups) {
      if (cursor && !this.isOver(group, cursor)) break;
      count++;
      const mates = (this.byNode.get(group.node) ?? []).filter((mate) => mate !== group);
      if (mates.length > 0) this.byNode.set(group.node, mates);
      else this.byNode.delete(group.node);
      if (group.birth !== null && this.births.get(group.birth) === group) this.births.delete(group.birth);
      yield group;
    }
    this.groups.splice(0, count);
  }

  /** The newest changes of the saves that are not ready. */
  waiting(): Set<Change> {
    return new Set(this.groups.flatMap((group) => (group.named ? [group.last, group.named] : [group.last])));
  }

  private isOver(group: Group, cursor: { seq: Seq; timeNs: bigint }): boolean {
    const idle = group.first.timeNs - cursor.timeNs;
    if (group.swallows) return idle > YOUNG_NS;
    return idle > BACKUP_NS && (group.key === 0 || cursor.seq < group.key || idle > IDLE_NS);
  }

  private belongs(group: Group, { first, last }: Run): boolean {
    const key = saveKey(first);
    if (last.marker === 'delete' || group.marker === 'delete') return false;
    if (key !== 0 && group.key === key) return true;
    const apart = group.first.timeNs - last.timeNs;
    if (group.first.writer !== last.writer || first.unmounted !== group.first.unmounted) return false;
    if (group.swallows) return apart < YOUNG_NS;
    if (apart > TOGETHER_NS || isNamed(last) && !isBirth(last) || group.first.marker !== 'modify') return false;
    if (group.key === 0 && key === 0) return true;
    return group.key === 0 ? group.attributesOnly : key === 0 && last.kind === KIND.truncate;
  }

  private merge(group: Group, run: Run): void {
    const { first, last } = run;
    group.first = first;
    group.records += run.count;
    group.givenUp += run.givenUp;
    group.key ||= saveKey(first);
    group.attributesOnly &&= ATTRIBUTES.has(first.kind) && ATTRIBUTES.has(last.kind);
    if (isBirth(first)) {
      if (group.marker !== 'modify' || !group.swallows) group.marker = 'create';
      group.swallows = false;
      group.named ??= first;
      if (group.named === first) this.noteBirth(group, first);
    }
  }

  private noteBirth(group: Group, first: Change): void {
    if (!isBirth(first) || first.parent === undefined || first.name === undefined) return;
    group.birth = slotKey(first.parent, first.name);
    this.births.set(group.birth, group);
  }

  /** An editor that keeps a backup: the old file moved away, and the same writer made a new one in its place. */
  private backsUp(change: Change): boolean {
    if (change.marker !== 'rename' || change.exchange === true || change.parent === undefined || change.name === undefined) return false;
    const birth = this.births.get(slotKey(change.parent, change.name));
    if (!birth || birth.first.writer !== change.writer || birth.first.timeNs - change.timeNs > BACKUP_NS || change.parent !== change.parent2) return false;
    birth.marker = 'modify';
    birth.records++;
    birth.first = { ...change, node: birth.node, marker: 'modify' };
    const removed = (this.byNode.get(change.node) ?? []).find((group) => group.marker === 'delete' && group.last.writer === change.writer);
    if (removed) {
      birth.records += removed.records;
      this.groups = this.groups.filter((group) => group !== removed);
      this.byNode.set(change.node, (this.byNode.get(change.node) ?? []).filter((group) => group !== removed));
    }
    return true;
  }
}

/** Did it make, move or remove a name? */
export const isNamed = (change: Change): boolean => change.marker !== 'modify';
