/**
 * Which objects of now stand for which of then. An object that is in the scope at both instants stands for itself. One
 * that was made at a name where an object of the same type had been (an editor's save, a build, an earlier rollback) stands
 * for that one: it is changed where it differs, not made anew, and so is what lies below such a directory.
 */
import { RewindError } from '../../errors.js';
import type { Name, NodeAttr, NodeId } from '../../history/types.js';
import { isDir, isFile, isLink, sameType } from '../compare.js';
import type { Scope, Side } from './scope.js';
import type { Instants } from './things.js';

/** A name at both instants. The parents are one directory, or twins. */
export interface NamePair {
  thenParent: NodeId;
  nowParent: NodeId;
  name: Name;
  was: NodeId | null;
  is: NodeId | null;
}

export class Twins {
  /** Object of then -> the one that stands for it, where they are two. */
  readonly now = new Map<NodeId, NodeId>();
  readonly then = new Map<NodeId, NodeId>();
  private readonly kept = new Map<NodeId, Promise<boolean>>();

  constructor(private readonly instants: Instants, private readonly scope: Scope) {}

  /** Is the object in the scope at both instants? A number that came to name another type of object is another object. */
  isKept(node: NodeId): Promise<boolean> {
    let kept = this.kept.get(node);
    if (!kept) this.kept.set(node, (kept = this.findKept(node)));
    return kept;
  }

  /** Does the object of now stay, as itself or for another? */
  async stays(node: NodeId): Promise<boolean> {
    return this.then.has(node) || this.isKept(node);
  }

  /** Pairs what lies at one name, and all below it; answers the names below that differ. */
  async match(pair: NamePair): Promise<NamePair[]> {
    const { history, then, now } = this.instants;
    const below: NamePair[] = [];
    const stack = [pair];
    for (let next = stack.pop(); next; next = stack.pop()) {
      if (next !== pair) below.push(next);
      const { was, is } = next;
      if (was === null || is === null || !(await this.canStandFor(was, is))) continue;
      this.now.set(was, is);
      this.then.set(is, was);
      if (this.scope.exact || !isDir(await this.attr(is, 'now'))) continue;
      const [olds, news] = await Promise.all([history.list(was, then), history.list(is, now)]);
      const names = new Map<Name, NamePair>();
      for (const { name, node } of olds) names.set(name, { thenParent: was, nowParent: is, name, was: node, is: null });
      for (const { name, node } of news) {
        const both = names.get(name);
        if (both) both.is = node;
        else names.set(name, { thenParent: was, nowParent: is, name, was: null, is: node });
      }
      for (const one of names.values()) stack.push(one);
    }
    return below;
  }

  async attr(node: NodeId, side: Side): Promise<NodeAttr> {
    const seq = this.instants[side];
    const attr = await this.instants.history.attr(node, seq);
    if (!attr) throw new RewindError('ERR_HISTORY_CORRUPT', `history has a name but no attributes of object ${node} at #${seq}`, 'check the store');
    return attr;
  }

  private async findKept(node: NodeId): Promise<boolean> {
    if (!(await this.scope.has(node, 'now')) || !(await this.scope.has(node, 'then'))) return false;
    const attr = await this.attr(node, 'now');
    if (!sameType(await this.attr(node, 'then'), attr)) return false;
    // What goes with a directory that moves may be in no scope of single paths.
    return !this.scope.exact || !isDir(attr) || await this.hasOnePath(node);
  }

  private async hasOnePath(node: NodeId): Promise<boolean> {
    const { history, then, now } = this.instants;
    const [was, is] = await Promise.all([history.pathOf(node, then), history.pathOf(node, now)]);
    return was?.join('/') === is?.join('/');
  }

  private async canStandFor(was: NodeId, is: NodeId): Promise<boolean> {
    if (this.now.has(was) || this.then.has(is) || await this.isKept(was) || await this.isKept(is)) return false;
    const { history, then, now } = this.instants;
    const [old, present] = await Promise.all([this.attr(was, 'then'), this.attr(is, 'now')]);
    if (!sameType(old, present)) return false;
    if (isLink(old)) return (await history.readlink(was, then)).equals(await history.readlink(is, now));
    return isDir(old) || isFile(old) || old.rdev === present.rdev;
  }
}
