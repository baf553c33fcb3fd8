/**
 * What a fork changed, read from its upper layer and history alone: the mounted fork is never asked, so that this works
 * also in the process that serves its lower layer. The cost is what the fork changed, and what lay in the directories
 * that it removed.
 */
import { readdir } from 'node:fs/promises';
import type { HistoryReader } from '../history/reader.js';
import { ROOT, type Name, type NodeId, type Seq } from '../history/types.js';
import { compareObjects, differs, isDir, noDifference } from '../recovery/compare.js';
import type { DiffEntry } from '../recovery/types.js';
import { ForkReader, type UpperObject } from './reader.js';

/** One difference between the fork and its instant. */
export interface ForkChange extends DiffEntry {
  /** The object now; null when it is gone. */
  upper: UpperObject | null;
  /** Where the live tree has what the change is about: at another place inside a directory that the fork renamed. */
  lower: Name[];
}

/** The changes, sorted by path, and all directories of the upper layer by their joined path. */
export interface ForkChanges {
  reader: ForkReader;
  seq: Seq;
  changes: ForkChange[];
  directories: Map<string, UpperObject>;
}

const joined = (path: readonly Name[]): string => path.join('/');

/** @param upper the directory of the upper layer @param seq the fork's instant */
export async function forkChanges(history: HistoryReader, upper: string, seq: Seq): Promise<ForkChanges> {
  const walk = new Walk(new ForkReader(history), seq);
  const root = await walk.reader.add(Buffer.from(upper));
  await walk.findMoves(root.file, []);
  await walk.compare(root, [], [], ROOT, null);
  await walk.directory(root, [], []);
  await walk.expandRemoved();
  const order = (path: Name[]) => path.join('\0');
  walk.changes.sort((a, b) => (order(a.path) < order(b.path) ? -1 : 1));
  return { reader: walk.reader, seq, changes: walk.changes, directories: walk.directories };
}

class Walk {
  readonly changes: ForkChange[] = [];
  readonly directories = new Map<string, UpperObject>();
  /** Names of the lower layer that the fork hides, and where they were shown. */
  private readonly hidden: { lower: Name[]; path: Name[] }[] = [];
  /** Directories of the lower layer that lie elsewhere in the fork: at their old places nothing of them shows through. */
  private readonly moved = new Set<string>();

  constructor(readonly reader: ForkReader, private readonly seq: Seq) {}

  /** Before all else: what shows through at a place depends on what was moved away from it, and to wherever. `lower`: as in `directory`. */
  async findMoves(file: Buffer, lower: Name[] | null): Promise<void> {
    for (const entry of await readdir(file, { encoding: 'latin1', withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const inner = await this.reader.add(Buffer.concat([file, Buffer.from(`/${entry.name}`, 'latin1')]));
      const covered = lower && [...lower, entry.name];
      const from = redirectOf(inner, covered);
      if (from && (!covered || joined(from) !== joined(covered))) this.moved.add(joined(from));
      await this.findMoves(inner.file, from ?? covered);
    }
  }

  /** `lower`: the directory of the lower layer that shows through, null when none does. */
  async directory(object: UpperObject, path: Name[], lower: Name[] | null): Promise<void> {
    this.directories.set(joined(path), object);
    const base = lower && await this.reader.resolve(lower, this.seq);
    const names = await readdir(object.file, { encoding: 'latin1' });
    for (const name of names) {
      const file = Buffer.concat([object.file, Buffer.from(`/${name}`, 'latin1')]);
      await this.entry(await this.reader.add(file), [...path, name], lower && [...lower, name]);
    }
    if (object.overlay.get('opaque')?.toString() !== 'y' || lower === null || base === null) return;
    const here = new Set(names);
    for (const entry of await this.reader.list(base, this.seq)) {
      if (!here.has(entry.name)) this.hidden.push({ lower: [...lower, entry.name], path: [...path, entry.name] });
    }
  }

  private async entry(object: UpperObject, path: Name[], covered: Name[] | null): Promise<void> {
    const there = covered && !this.moved.has(joined(covered)) ? await this.reader.resolve(covered, this.seq) : null;
    if (isWhiteout(object)) {
      if (covered && there !== null) this.hidden.push({ lower: covered, path });
    } else if (!isDir(object.attr)) {
      await this.compare(object, path, covered, there, null);
    } else {
      await this.subdirectory(object, path, covered, there);
    }
  }

  private async subdirectory(object: UpperObject, path: Name[], covered: Name[] | null, there: NodeId | null): Promise<void> {
    const redirect = redirectOf(object, covered);
    const from = redirect && this.moved.has(joined(redirect)) ? redirect : null;
    const isDirThere = there !== null && isDir((await this.reader.attr(there, this.seq))!);
    if (!from) {
      await this.compare(object, path, covered, there, null);
      return await this.directory(object, path, isDirThere ? covered : null);
    }
    if (isDirThere) for (const { name } of await this.reader.list(there, this.seq)) this.hidden.push({ lower: [...covered!, name], path: [...path, name] });
    await this.compare(object, path, from, await this.reader.resolve(from, this.seq), from);
    await this.directory(object, path, from);
  }

  /** `base`: the object of the lower layer that it was, or that lay at its place; `from`: it was renamed. */
  async compare(upper: UpperObject, path: Name[], lower: Name[] | null, base: NodeId | null, from: Name[] | null): Promise<void> {
    const toAttr = upper.attr;
    const fromAttr = base === null ? null : await this.reader.attr(base, this.seq);
    const at = { lower: lower ?? path, path, upper, fromNode: base, toNode: upper.node, fromAttr, toAttr };
    if (!fromAttr) {
      this.changes.push({ ...at, status: 'created', what: noDifference() });
      return;
    }
    const what = await compareObjects(this.reader, { node: base!, seq: this.seq, attr: fromAttr }, { node: upper.node, seq: this.seq, attr: toAttr });
    if (from) this.changes.push({ ...at, from, status: 'renamed', what });
    else if (differs(what)) this.changes.push({ ...at, status: what.type ? 'type' : 'modified', what });
  }

  /** What is hidden is gone, with all that it held, but for what was moved out of it. */
  async expandRemoved(): Promise<void> {
    for (let next = this.hidden.pop(); next; next = this.hidden.pop()) {
      const { lower, path } = next;
      if (this.moved.has(joined(lower))) continue;
      const node = await this.reader.resolve(lower, this.seq);
      const fromAttr = node === null ? null : await this.reader.attr(node, this.seq);
      if (node === null || !fromAttr) continue;
      this.changes.push({ status: 'deleted', path, lower, what: noDifference(), upper: null, fromNode: node, toNode: null, fromAttr, toAttr: null });
      if (!isDir(fromAttr)) continue;
      for (const { name } of await this.reader.list(node, this.seq)) this.hidden.push({ lower: [...lower, name], path: [...path, name] });
    }
  }
}

/** A character device 0/0: a name of the lower layer that was removed. */
const isWhiteout = ({ attr }: UpperObject): boolean => (attr.mode & 0o170000) === 0o020000 && attr.rdev === 0n;

/** Where in the lower layer a renamed directory was: a path from the root, or another name in the same directory. */
function redirectOf(object: UpperObject, covered: Name[] | null): Name[] | null {
  const text = object.overlay.get('redirect')?.toString('latin1');
  if (text === undefined) return null;
  return text.startsWith('/') ? text.split('/').filter((name) => name !== '') : covered && [...covered.slice(0, -1), text];
}
