/**
 * A tree that exists only as the records that the engine would have written of it (docs/journal.md), at times of its own.
 * Guarantees: times rise; attributes are those that a file system gives; what files hold is known as long as they are there.
 */
import { Flag, Kind } from '../../lib/extractor/record.js';
import { encodeBaseNode, encodeRecord, type AttrDraft, type RecordDraft } from '../../test/helpers/records.js';

const [DIRECTORY, REGULAR] = [0o040755, 0o100644];
const NS_PER_MS = 1_000_000n;
/** Between two records of one program. */
const STEP_NS = 40_000n;
const NOTHING = Buffer.alloc(0);

/** An object. Of a log only the size is known. */
export interface Inode {
  ino: number;
  attr: AttrDraft;
  content: Buffer;
  /** Names in a directory. */
  entries: Map<string, Inode> | null;
}

/** A file that somebody has open for writing. */
export interface Opened { file: Inode; save: number; writer: number }

export interface Place { parent: Inode; name: string }

export class SimulatedTree {
  readonly root: Inode;
  /** Records of kinds that the timeline lists, all records, objects in the tree, and bytes: written, and in files. */
  changes = 0;
  seq = 0;
  objects = 0;
  writtenBytes = 0;
  liveBytes = 0;
  private records: Buffer[] = [];
  private timeNs: bigint;
  private lastIno = 1;
  private readonly freeInos: number[] = [];

  constructor(beginMs: number) {
    this.timeNs = BigInt(beginMs) * NS_PER_MS;
    this.root = this.inode(DIRECTORY);
  }

  get now(): bigint { return this.timeNs; }

  /** Records since the last call. */
  take(): Buffer[] {
    return this.records.splice(0);
  }

  /** Nothing happens before this time. */
  waitUntil(timeMs: number): void {
    const timeNs = BigInt(timeMs) * NS_PER_MS;
    if (timeNs > this.timeNs) this.timeNs = timeNs;
  }

  /** The machine was started: the tree is mounted, and found as it was. */
  mount(boot: number): void {
    const { ino, attr } = this.root;
    const first = this.seq === 0;
    this.put({ kind: Kind.Mount, ino, attr, payload: { boot_id: `boot-${boot}`, pid: 300, mountpoint: '/home/dev/work', root_ino: ino, clean: true, version: '1' } });
    if (first) this.put({ kind: Kind.BaseNode, ino, attr, payload: encodeBaseNode(NOTHING, new Map()) });
    this.put({ kind: Kind.BaseEnd });
  }

  /** A program begins to work; answers who it is. */
  program(name: string, ...args: string[]): number {
    const pid = 1000 + this.seq % 4_000_000;
    this.put({ kind: Kind.Writer, payload: { pid, start: pid, ppid: 900, exe: `/usr/bin/${name}`, argv: [name, ...args], uid: 1000, gid: 1000, cgroup: '/user.slice', certain: true, ancestors: ['bash'], session: '1' } });
    return this.seq;
  }

  mkdir(place: Place, writer: number): Inode {
    const directory = this.inode(DIRECTORY);
    this.bear(Kind.Mkdir, place, directory, { writer });
    return directory;
  }

  create(place: Place, writer: number): Opened {
    const file = this.inode(REGULAR);
    this.bear(Kind.Create, place, file, { writer, flags: Flag.Opened, save: this.seq + 1 });
    return { file, save: this.seq, writer };
  }

  open(file: Inode, writer: number): Opened {
    this.put({ kind: Kind.Open, ino: file.ino, attr: file.attr, writer, save: this.seq + 1, aux: 1 });
    return { file, save: this.seq, writer };
  }

  write({ file, save, writer }: Opened, offset: number, data: Buffer): void {
    this.resize(file, Math.max(file.attr.size, offset + data.length));
    this.writtenBytes += data.length;
    this.touch(file);
    this.change({ kind: Kind.Write, ino: file.ino, attr: file.attr, writer, save, offset, length: data.length, payload: data });
  }

  /** All of it, in writes of at most so many bytes. */
  fill(opened: Opened, content: Buffer, most = 1 << 17): void {
    for (let at = 0; at < content.length; at += most) this.write(opened, at, content.subarray(at, at + most));
    opened.file.content = content;
  }

  truncate({ file, save, writer }: Opened, size: number): void {
    this.resize(file, size);
    this.touch(file);
    this.change({ kind: Kind.Truncate, ino: file.ino, attr: file.attr, writer, save, length: size });
  }

  close({ file, save, writer }: Opened): void {
    this.put({ kind: Kind.Close, ino: file.ino, attr: file.attr, writer, save });
  }

  chmod(file: Inode, permissions: number, writer: number): void {
    file.attr = { ...file.attr, mode: (file.attr.mode & ~0o7777) | permissions, ctime: this.timeNs };
    this.change({ kind: Kind.Setattr, ino: file.ino, attr: file.attr, writer, aux: 1 });
  }

  remove({ parent, name }: Place, writer: number): void {
    const gone = parent.entries!.get(name)!;
    parent.entries!.delete(name);
    this.touch(parent);
    this.vanish(gone);
    this.change({ kind: gone.entries ? Kind.Rmdir : Kind.Unlink, ino: gone.ino, attr: gone.attr, parent: parent.ino, parentAttr: parent.attr, name, writer });
  }

  rename(from: Place, to: Place, writer: number): void {
    const file = from.parent.entries!.get(from.name)!;
    const target = to.parent.entries!.get(to.name);
    from.parent.entries!.delete(from.name);
    to.parent.entries!.set(to.name, file);
    for (const parent of [from.parent, to.parent]) this.touch(parent);
    file.attr = { ...file.attr, ctime: this.timeNs };
    if (target !== undefined) this.vanish(target);
    this.change({
      kind: Kind.Rename, ino: file.ino, attr: file.attr, parent: from.parent.ino, parentAttr: from.parent.attr, name: from.name, writer,
      parent2: { ino: to.parent.ino, attr: to.parent.attr }, name2: to.name, ...target !== undefined && { target: { ino: target.ino, attr: target.attr } },
    });
  }

  private bear(kind: number, { parent, name }: Place, object: Inode, draft: Partial<RecordDraft>): void {
    parent.entries!.set(name, object);
    this.objects++;
    this.touch(parent);
    this.change({ kind, ino: object.ino, attr: object.attr, parent: parent.ino, parentAttr: parent.attr, name, ...draft });
  }

  private vanish(object: Inode): void {
    this.objects--;
    this.liveBytes -= object.entries ? 0 : object.attr.size;
    object.attr = { ...object.attr, nlink: 0, ctime: this.timeNs };
    this.freeInos.push(object.ino);
  }

  private inode(mode: number): Inode {
    const ino = this.freeInos.shift() ?? ++this.lastIno;
    const now = this.timeNs;
    const directory = mode === DIRECTORY;
    return {
      ino, content: NOTHING, entries: directory ? new Map() : null,
      attr: { mode, uid: 1000, gid: 1000, nlink: directory ? 2 : 1, size: directory ? 4096 : 0, rdev: 0n, atime: now, mtime: now, ctime: now, btime: now },
    };
  }

  private resize(file: Inode, size: number): void {
    this.liveBytes += size - file.attr.size;
    file.attr = { ...file.attr, size };
  }

  private touch(object: Inode): void {
    object.attr = { ...object.attr, mtime: this.timeNs, ctime: this.timeNs };
  }

  private change(draft: Omit<RecordDraft, 'seq'>): void {
    this.changes++;
    this.put(draft);
  }

  private put(draft: Omit<RecordDraft, 'seq'>): void {
    this.timeNs += STEP_NS;
    this.records.push(encodeRecord({ ...draft, seq: ++this.seq, timeNs: this.timeNs }));
  }
}
