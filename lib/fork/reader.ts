/**
 * A history in which objects of a fork's upper layer are nodes, too: with numbers below zero, the same at every instant.
 * What compares and copies objects of history so does it with those of a fork.
 */
import { lstat, open, readlink } from 'node:fs/promises';
import type { Name, NodeAttr, NodeId, Seq } from '../history/types.js';
import { native } from '../native.js';
import { Remembered } from '../recovery/remembered.js';
import type { ByteRange } from '../recovery/types.js';

/** What overlayfs keeps for itself. */
const OVERLAY = 'trusted.overlay.';

/** An object of the upper layer. */
export interface UpperObject {
  node: NodeId;
  attr: NodeAttr;
  xattrs: Map<Name, Buffer>;
  /** What overlayfs says of it, without its prefix: opaque, redirect, origin ... */
  overlay: Map<string, Buffer>;
  /** Where it lies on disk. */
  file: Buffer;
  /** The same for all names of one object. */
  ino: bigint;
}

export class ForkReader extends Remembered {
  private readonly objects = new Map<NodeId, UpperObject>();

  /** Looks at an object of the upper layer. */
  async add(file: Buffer): Promise<UpperObject> {
    const stat = await lstat(file, { bigint: true });
    const all = (await native.readXattrs(file)).map(([name, value]) => [name.toString('latin1'), value] as const);
    const object: UpperObject = {
      node: -1 - this.objects.size, file, ino: stat.ino,
      attr: {
        mode: Number(stat.mode), uid: Number(stat.uid), gid: Number(stat.gid), nlink: Number(stat.nlink), size: Number(stat.size), rdev: device(stat.rdev),
        atime: stat.atimeNs, mtime: stat.mtimeNs, ctime: stat.ctimeNs, btime: stat.birthtimeNs,
      },
      xattrs: new Map(all.filter(([name]) => !name.startsWith(OVERLAY))),
      overlay: new Map(all.filter(([name]) => name.startsWith(OVERLAY)).map(([name, value]) => [name.slice(OVERLAY.length), value])),
    };
    this.objects.set(object.node, object);
    return object;
  }

  override async attr(node: NodeId, seq: Seq): Promise<NodeAttr | null> {
    return this.objects.get(node)?.attr ?? await super.attr(node, seq);
  }

  override async xattrs(node: NodeId, seq: Seq): Promise<Map<Name, Buffer>> {
    return this.objects.get(node)?.xattrs ?? await super.xattrs(node, seq);
  }

  override async read(node: NodeId, offset: number, length: number, seq: Seq, size?: number): Promise<Buffer> {
    const object = this.objects.get(node);
    if (!object) return await this.base.read(node, offset, length, seq, size);
    const file = await open(object.file);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  override async dataRanges(node: NodeId, seq: Seq): Promise<ByteRange[]> {
    const object = this.objects.get(node);
    return object ? [{ offset: 0, length: object.attr.size }] : await this.base.dataRanges(node, seq);
  }

  override async readlink(node: NodeId, seq: Seq): Promise<Buffer> {
    const object = this.objects.get(node);
    return object ? await readlink(object.file, 'buffer') : await this.base.readlink(node, seq);
  }
}

/** A dev_t of the C library as (major << 32) | minor. */
function device(rdev: bigint): bigint {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n);
  return (major << 32n) | minor;
}
