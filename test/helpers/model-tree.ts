/**
 * A directory tree in memory with the rules of a local file system, as a TreeWriter. Every change is one record of the
 * ModelHistory beside it. What it refuses, it refuses with the errno that Linux gives.
 */
import { Kind } from './record-kinds.js';
import type { TreeOp, TreeWriter } from '../../lib/native.js';
import { ROOT, type Change, type Marker, type Name, type NodeAttr, type NodeId, type Seq } from '../../lib/history/types.js';
import { aclWithMode, modeOfAcl } from './acl.js';
import { MODEL_BLOCK, ModelHistory, type ModelNode } from './model-history.js';

const E = { ENOENT: 2, EEXIST: 17, ENOTDIR: 20, EISDIR: 21, EINVAL: 22, ENOTEMPTY: 39, EBUSY: 16, EPERM: 1, ENODATA: 61, EACCES: 13, EOPNOTSUPP: 95 };
const [IFMT, IFDIR, IFREG, IFLNK] = [0o170000, 0o040000, 0o100000, 0o120000];
const DEFAULT_ACL = 'system.posix_acl_default';
const ACCESS_ACL = 'system.posix_acl_access';

class Refused extends Error {
  constructor(readonly errno: number) {
    super(`errno ${errno}`);
  }
}
const refuse = (errno: number): never => {
  throw new Refused(errno);
};

export class ModelTree implements TreeWriter {
  readonly history = new ModelHistory();
  /** What the records of extended attributes carry: name and value, null when it was removed. */
  readonly details = new Map<Seq, { name: Name; value: Buffer | null }>();
  /** Given to each change until set again. */
  writer: Seq = 0;
  save: Seq = 0;
  private now = 1_700_000_000_000_000_000n;
  private nextNode: NodeId = 2;

  constructor() {
    const seq = this.tick();
    this.history.setNode(ROOT, seq, this.fresh(IFDIR | 0o755, []));
  }

  get seq(): Seq {
    return this.history.watermark();
  }
  /** Lets time pass. */
  sleep(ns: bigint): void {
    this.now += ns;
  }
  close(): void {}
  async apply(ops: TreeOp[]): Promise<number[]> {
    return ops.map((op) => this.do(op));
  }
  /** Applies one operation: 0 or an errno. */
  do(op: TreeOp): number {
    try {
      this.change(op);
      return 0;
    } catch (error) {
      if (error instanceof Refused) return error.errno;
      throw error;
    }
  }
  /** A record of the timeline that changes nothing (open, close): its seq. */
  record(): Seq {
    return this.tick();
  }

  private tick(): Seq {
    this.now += 1_000_003n;
    return this.history.tick(this.now);
  }
  private fresh(mode: number, links: ModelNode['links'], more: Partial<ModelNode> = {}, attr: Partial<NodeAttr> = {}): ModelNode {
    const times = { atime: this.now, mtime: this.now, ctime: this.now, btime: this.now };
    const nlink = (mode & IFMT) === IFDIR ? 2 : links.length;
    return {
      attr: { mode, uid: 0, gid: 0, nlink, size: 0, rdev: 0n, ...times, ...attr },
      xattrs: new Map(), data: Buffer.alloc(0), blocks: new Set(), target: Buffer.alloc(0), links, ...more,
    };
  }
  private get(node: NodeId): ModelNode {
    return this.history.node(node, this.seq) ?? refuse(E.ENOENT);
  }
  private child(parent: NodeId, name: Name): NodeId | null {
    const links = [...this.names(parent)];
    return links.find(([other]) => other === name)?.[1] ?? null;
  }
  private names(parent: NodeId): Map<Name, NodeId> {
    return this.live.get(parent) ?? this.live.set(parent, new Map()).get(parent) as Map<Name, NodeId>;
  }
  private readonly live = new Map<NodeId, Map<Name, NodeId>>();

  private walk(path: Name[]): NodeId {
    let node: NodeId = ROOT;
    for (const name of path) {
      if ((this.get(node).attr.mode & IFMT) !== IFDIR) refuse(E.ENOTDIR);
      node = this.names(node).get(name) ?? refuse(E.ENOENT);
    }
    return node;
  }
  private place(path: Buffer): { parent: NodeId; name: Name } {
    const names = path.toString('latin1').split('/');
    const name = names.pop() as Name;
    if (name === '') refuse(E.EBUSY);
    const parent = this.walk(names);
    if ((this.get(parent).attr.mode & IFMT) !== IFDIR) refuse(E.ENOTDIR);
    return { parent, name };
  }
  private object(path: Buffer): NodeId {
    return path.length === 0 ? ROOT : this.walk(path.toString('latin1').split('/'));
  }
  private isDir(node: NodeId): boolean {
    return (this.get(node).attr.mode & IFMT) === IFDIR;
  }

  private change(op: TreeOp): void {
    switch (op.op) {
      case 'mkdir': return this.make(op.path, IFDIR | op.mode, Kind.mkdir);
      case 'create': return this.make(op.path, IFREG | op.mode, Kind.create);
      case 'symlink': return this.make(op.path, IFLNK | 0o777, Kind.symlink, { target: op.target, }, { size: op.target.length });
      case 'mknod': return this.make(op.path, op.mode, Kind.mknod, {}, { rdev: op.rdev });
      case 'link': return this.link(op.from, op.path);
      case 'unlink': case 'rmdir': return this.remove(op.path, op.op === 'rmdir');
      case 'rename': return this.rename(op.from, op.path, op.exchange === true);
      case 'write': case 'truncate': case 'punch': return this.data(op);
      case 'chmod': case 'chown': case 'times': case 'setxattr': case 'removexattr': return this.attribute(op);
      case 'fsync': this.object(op.path);
    }
  }

  private make(path: Buffer, mode: number, kind: number, more: Partial<ModelNode> = {}, attr: Partial<NodeAttr> = {}): void {
    const { parent, name } = this.place(path);
    if (this.names(parent).has(name)) refuse(E.EEXIST);
    const node = this.nextNode++;
    const up = this.get(parent);
    const gid = up.attr.mode & 0o2000 ? up.attr.gid : 0;
    const seq = this.tick();
    this.history.setNode(node, seq, this.fresh(mode, [{ parent, name }], more, { gid, ...attr }));
    this.setName(parent, name, seq, node);
    this.touchDir(parent, seq);
    this.log(seq, kind, 'create', node, { parent, name });
    const acl = up.xattrs.get(DEFAULT_ACL);
    if (!acl || (mode & IFMT) === IFLNK) return;
    this.setXattr(node, ACCESS_ACL, aclWithMode(acl, mode));
    if ((mode & IFMT) === IFDIR) this.setXattr(node, DEFAULT_ACL, acl);
  }

  /** An attribute that another call set, as the engine records it: a record of its own after the call's. */
  private setXattr(node: NodeId, name: Name, value: Buffer): void {
    const state = this.get(node);
    const seq = this.tick();
    this.history.setNode(node, seq, { ...state, xattrs: new Map(state.xattrs).set(name, value) });
    this.details.set(seq, { name, value });
    this.log(seq, Kind.setxattr, 'modify', node, {});
  }

  private link(from: Buffer, path: Buffer): void {
    const node = this.object(from);
    if (this.isDir(node)) refuse(E.EPERM);
    const { parent, name } = this.place(path);
    if (this.names(parent).has(name)) refuse(E.EEXIST);
    const seq = this.tick();
    this.relink(node, seq, (links) => [...links, { parent, name }]);
    this.setName(parent, name, seq, node);
    this.touchDir(parent, seq);
    this.log(seq, Kind.link, 'create', node, { parent, name });
  }

  private remove(path: Buffer, directory: boolean): void {
    const { parent, name } = this.place(path);
    const node = this.names(parent).get(name) ?? refuse(E.ENOENT);
    if (this.isDir(node) !== directory) refuse(directory ? E.ENOTDIR : E.EISDIR);
    if (directory && this.names(node).size > 0) refuse(E.ENOTEMPTY);
    const seq = this.tick();
    this.unname(parent, name, node, seq);
    this.touchDir(parent, seq);
    this.log(seq, directory ? Kind.rmdir : Kind.unlink, 'delete', node, { parent, name });
  }

  private rename(from: Buffer, path: Buffer, exchange: boolean): void {
    const a = this.place(from);
    const node = this.names(a.parent).get(a.name) ?? refuse(E.ENOENT);
    const b = this.place(path);
    const target = this.child(b.parent, b.name);
    if (exchange && target === null) refuse(E.ENOENT);
    if (this.isDir(node) && this.below(b.parent, node)) refuse(E.EINVAL);
    if (target !== null && this.isDir(target) && this.below(a.parent, target)) refuse(exchange ? E.EINVAL : E.ENOTEMPTY);
    if (target === node) return;
    if (target !== null && !exchange) {
      if (this.isDir(node) && !this.isDir(target)) refuse(E.ENOTDIR);
      if (!this.isDir(node) && this.isDir(target)) refuse(E.EISDIR);
      if (this.isDir(target) && this.names(target).size > 0) refuse(E.ENOTEMPTY);
    }
    const seq = this.tick();
    this.setName(a.parent, a.name, seq, null);
    if (target !== null) this.unname(b.parent, b.name, target, seq, exchange);
    const moved = (links: ModelNode['links'], x: typeof a, y: typeof a): ModelNode['links'] =>
      links.map((link) => (link.parent === x.parent && link.name === x.name ? y : link));
    this.relink(node, seq, (links) => moved(links, a, b));
    this.setName(b.parent, b.name, seq, node);
    if (target !== null && exchange) {
      this.relink(target, seq, (links) => [...links, a]);
      this.setName(a.parent, a.name, seq, target);
    }
    this.touchDir(a.parent, seq);
    this.touchDir(b.parent, seq);
    this.log(seq, Kind.rename, 'rename', node, {
      parent: a.parent, name: a.name, parent2: b.parent, name2: b.name, ...(target === null ? {} : { target, exchange }),
    });
  }

  private below(node: NodeId, above: NodeId): boolean {
    for (let at = node; ; at = (this.get(at).links[0] as { parent: NodeId }).parent) {
      if (at === above) return true;
      if (at === ROOT) return false;
    }
  }

  private data(op: Extract<TreeOp, { op: 'write' | 'truncate' | 'punch' }>): void {
    const node = this.object(op.path);
    const state = this.get(node);
    if ((state.attr.mode & IFMT) !== IFREG) refuse(E.EINVAL);
    const size = op.op === 'write' ? Math.max(state.data.length, op.offset + op.data.length) : op.op === 'truncate' ? op.size : state.data.length;
    const data = Buffer.alloc(size);
    state.data.copy(data);
    const blocks = new Set([...state.blocks].filter((block) => block * MODEL_BLOCK < size));
    if (op.op === 'write') {
      op.data.copy(data, op.offset);
      for (let block = Math.floor(op.offset / MODEL_BLOCK); block * MODEL_BLOCK < op.offset + op.data.length; block++) blocks.add(block);
    } else if (op.op === 'punch') {
      const end = Math.min(size, op.offset + op.length);
      if (op.offset < end) data.fill(0, op.offset, end);
      for (let block = Math.ceil(op.offset / MODEL_BLOCK); (block + 1) * MODEL_BLOCK <= op.offset + op.length; block++) blocks.delete(block);
    }
    const seq = this.tick();
    const attr = { ...state.attr, size, mtime: this.now, ctime: this.now };
    this.history.setNode(node, seq, { ...state, data, blocks, attr });
    const kind = op.op === 'write' ? Kind.write : op.op === 'truncate' ? Kind.truncate : Kind.fallocate;
    const [offset, length] = op.op === 'write' ? [op.offset, op.data.length] : op.op === 'truncate' ? [0, op.size] : [op.offset, op.length];
    this.log(seq, kind, 'modify', node, { offset, length });
  }

  private attribute(op: Extract<TreeOp, { op: 'chmod' | 'chown' | 'times' | 'setxattr' | 'removexattr' }>): void {
    const node = this.object(op.path);
    const state = this.get(node);
    const attr = { ...state.attr };
    const xattrs = new Map(state.xattrs);
    this.refuseByType(op, attr.mode & IFMT);
    switch (op.op) {
      case 'chmod': attr.mode = (attr.mode & IFMT) | op.mode; break;
      case 'chown':
        Object.assign(attr, { uid: op.uid, gid: op.gid });
        if (!this.isDir(node)) attr.mode &= ~0o6000;
        break;
      case 'times': Object.assign(attr, { atime: op.atimeNs, mtime: op.mtimeNs }); break;
      case 'setxattr':
        xattrs.set(op.name.toString('latin1'), Buffer.from(op.value));
        if (op.name.toString('latin1') === ACCESS_ACL) attr.mode = (attr.mode & ~0o777) | modeOfAcl(op.value);
        break;
      case 'removexattr': if (!xattrs.delete(op.name.toString('latin1'))) refuse(E.ENODATA);
    }
    const seq = this.tick();
    attr.ctime = this.now;
    this.history.setNode(node, seq, { ...state, attr, xattrs });
    const kind = op.op === 'setxattr' ? Kind.setxattr : op.op === 'removexattr' ? Kind.removexattr : Kind.setattr;
    if (op.op === 'setxattr' || op.op === 'removexattr') {
      this.details.set(seq, { name: op.name.toString('latin1'), value: op.op === 'setxattr' ? Buffer.from(op.value) : null });
    }
    this.log(seq, kind, 'modify', node, {});
    const access = xattrs.get(ACCESS_ACL);
    if (op.op === 'chmod' && access) this.setXattr(node, ACCESS_ACL, aclWithMode(access, op.mode));
  }

  private refuseByType(op: TreeOp, type: number): void {
    if (op.op === 'chmod' && type === IFLNK) refuse(E.EOPNOTSUPP);
    if (op.op !== 'setxattr') return;
    const name = op.name.toString('latin1');
    if (name.startsWith('system.') && type === IFLNK) refuse(E.EOPNOTSUPP);
    if (name === DEFAULT_ACL && type !== IFDIR) refuse(E.EACCES);
    if (name.startsWith('user.') && type !== IFREG && type !== IFDIR) refuse(E.EPERM);
  }

  private setName(parent: NodeId, name: Name, seq: Seq, node: NodeId | null): void {
    this.history.setName(parent, name, seq, node);
    if (node === null) this.names(parent).delete(name);
    else this.names(parent).set(name, node);
  }
  private unname(parent: NodeId, name: Name, node: NodeId, seq: Seq, stays = false): void {
    this.setName(parent, name, seq, null);
    this.relink(node, seq, (links) => links.filter((link) => link.parent !== parent || link.name !== name));
    if (this.get(node).links.length === 0 && !stays) this.history.setNode(node, seq, null);
  }
  private relink(node: NodeId, seq: Seq, change: (links: ModelNode['links']) => ModelNode['links']): void {
    const state = this.get(node);
    const links = change(state.links);
    const nlink = this.isDir(node) ? state.attr.nlink : links.length;
    this.history.setNode(node, seq, { ...state, links, attr: { ...state.attr, nlink, ctime: this.now } });
  }
  private touchDir(node: NodeId, seq: Seq): void {
    const state = this.get(node);
    this.history.setNode(node, seq, { ...state, attr: { ...state.attr, mtime: this.now, ctime: this.now } });
  }
  private log(seq: Seq, kind: number, marker: Marker, node: NodeId, more: Partial<Change>): void {
    this.history.timeline.push({
      seq, record: seq, timeNs: this.now, kind, marker, node, offset: 0, length: 0, size: (this.history.node(node, seq) ?? this.history.node(node, seq - 1))?.attr.size ?? 0,
      writer: this.writer, save: this.save, writeback: false, unmounted: false, ...more,
    });
  }
}
