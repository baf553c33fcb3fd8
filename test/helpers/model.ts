/** A small file system in memory, with what the journal would record: the fold's oracle. */
import type { AttrDraft } from './records.js';

export interface ModelNode extends AttrDraft {
  ino: number;
  data: Buffer;
  xattrs: Map<string, Buffer>;
  /** Directories only. */
  children: Map<string, ModelNode>;
}

export const S_IFDIR = 0o040000, S_IFREG = 0o100000, S_IFLNK = 0o120000, S_IFIFO = 0o010000;

/** What a snapshot keeps of a node: plain values only; data is never changed in place. */
export interface Frozen { attr: AttrDraft; ino: number; data: Buffer; xattrs: [string, string][]; children: [string, Frozen][] }

export const isDirectory = (node: ModelNode): boolean => (node.mode & 0o170000) === S_IFDIR;
export const isFile = (node: ModelNode): boolean => (node.mode & 0o170000) === S_IFREG;

export function attrOf(node: ModelNode): AttrDraft {
  const { mode, uid, gid, nlink, size, rdev, atime, mtime, ctime, btime } = node;
  return { mode, uid, gid, nlink, size, rdev, atime, mtime, ctime, btime };
}

export class Model {
  readonly root: ModelNode;
  /** Inode numbers given back, reused at once: the hardest case. */
  private free: number[] = [];
  private nextIno = 1000;
  now = 1_000_000_000_000n;

  constructor() {
    this.root = this.make(S_IFDIR | 0o755);
    this.root.nlink = 2;
  }

  tick(): bigint {
    this.now += 1017n;
    return this.now;
  }

  make(mode: number): ModelNode {
    const time = this.tick();
    const ino = this.free.pop() ?? this.nextIno++;
    const directory = (mode & 0o170000) === S_IFDIR;
    return {
      ino, mode, uid: 0, gid: 0, nlink: directory ? 2 : 1, size: 0, rdev: 0n, atime: time, mtime: time, ctime: time, btime: time,
      data: Buffer.alloc(0), xattrs: new Map(), children: new Map(),
    };
  }

  /** The object is gone for good: its inode number may come back. */
  release(node: ModelNode): void {
    this.free.push(node.ino);
  }

  touch(node: ModelNode): void {
    node.mtime = node.ctime = this.tick();
  }

  setData(node: ModelNode, data: Buffer): void {
    node.data = data;
    node.size = data.length;
    this.touch(node);
  }

  /** Every directory with its path's depth, the root first. */
  directories(): ModelNode[] {
    const found: ModelNode[] = [];
    const visit = (node: ModelNode) => {
      found.push(node);
      for (const child of node.children.values()) if (isDirectory(child)) visit(child);
    };
    visit(this.root);
    return found;
  }

  /** Every name: its directory, name and object. */
  names(): { parent: ModelNode; name: string; node: ModelNode }[] {
    return this.directories().flatMap((parent) => [...parent.children].map(([name, node]) => ({ parent, name, node })));
  }

  /** Is `inner` the directory `outer` or below it? */
  contains(outer: ModelNode, inner: ModelNode): boolean {
    return outer === inner || [...outer.children.values()].some((child) => isDirectory(child) && this.contains(child, inner));
  }

  freeze(): Frozen {
    const seen = new Map<ModelNode, Frozen>();
    const visit = (node: ModelNode): Frozen => {
      const known = seen.get(node);
      if (known !== undefined) return known;
      const frozen: Frozen = {
        attr: attrOf(node), ino: node.ino, data: node.data,
        xattrs: [...node.xattrs].map(([name, value]): [string, string] => [name, value.toString('hex')]).sort(),
        children: [],
      };
      seen.set(node, frozen);
      frozen.children = [...node.children].map(([name, child]): [string, Frozen] => [name, visit(child)]).sort((a, b) => Buffer.compare(Buffer.from(a[0], 'latin1'), Buffer.from(b[0], 'latin1')));
      return frozen;
    };
    return visit(this.root);
  }
}
