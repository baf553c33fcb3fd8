/** Plays the kernel to a ViewServer: requests as frames, replies as bytes, no mount. */
import type { HistoryReader } from '../../lib/history/reader.js';
import { resolveSettled } from '../../lib/time/settled.js';
import { ViewServer } from '../../lib/view/server.js';
import { View } from '../../lib/view/view.js';
import { Opcode, Size, type U64 } from '../../lib/view/wire.js';

export const ROOT_ID: U64 = { hi: 0, lo: 1 };

export interface Reply {
  errno: number;
  body: Buffer;
}

/** A request frame as the kernel writes it. */
export function frame(opcode: number, unique: number, nodeid: U64, body: Buffer = Buffer.alloc(0), uid = 0): Buffer {
  const head = Buffer.alloc(Size.in_header);
  head.writeUInt32LE(Size.in_header + body.length, 0);
  head.writeUInt32LE(opcode, 4);
  head.writeBigUInt64LE(BigInt(unique), 8);
  head.writeUInt32LE(nodeid.lo, 16);
  head.writeUInt32LE(nodeid.hi, 20);
  head.writeUInt32LE(uid, 24);
  return Buffer.concat([head, body]);
}

export const nameBody = (name: string | Buffer): Buffer => Buffer.concat([Buffer.from(name as string), Buffer.alloc(1)]);

export function readBody(offset: number, size: number): Buffer {
  const body = Buffer.alloc(Size.read_in);
  body.writeBigUInt64LE(BigInt(offset), 8);
  body.writeUInt32LE(size, 16);
  return body;
}

export function xattrBody(room: number, name = ''): Buffer {
  const head = Buffer.alloc(Size.getxattr_in);
  head.writeUInt32LE(room, 0);
  return name === '' ? head : Buffer.concat([head, nameBody(name)]);
}

export function seekBody(offset: number, whence: number): Buffer {
  const body = Buffer.alloc(Size.lseek_in);
  body.writeBigUInt64LE(BigInt(offset), 8);
  body.writeUInt32LE(whence, 16);
  return body;
}

const half = (bytes: Buffer, at: number): U64 => ({ lo: bytes.readUInt32LE(at), hi: bytes.readUInt32LE(at + 4) });

export interface Entry {
  nodeid: U64;
  ino: bigint;
  nameSeconds: bigint;
  attrSeconds: bigint;
  size: bigint;
  mode: number;
  nlink: number;
  mtime: bigint;
}

/** fuse_entry_out. */
export function entryOf(bytes: Buffer): Entry {
  return {
    nodeid: half(bytes, 0),
    nameSeconds: bytes.readBigUInt64LE(16),
    attrSeconds: bytes.readBigUInt64LE(24),
    ino: bytes.readBigUInt64LE(40),
    size: bytes.readBigUInt64LE(48),
    mode: bytes.readUInt32LE(100),
    nlink: bytes.readUInt32LE(104),
    mtime: bytes.readBigInt64LE(72) * 1_000_000_000n + BigInt(bytes.readUInt32LE(92)),
  };
}

export interface Dirent {
  name: string;
  next: number;
  type: number;
  entry: Entry | null;
}

export function direntsOf(page: Buffer, plus: boolean): Dirent[] {
  const found: Dirent[] = [];
  for (let at = 0; at < page.length;) {
    const start = at + (plus ? Size.entry_out : 0);
    const length = page.readUInt32LE(start + 16);
    found.push({
      name: page.toString('latin1', start + Size.dirent, start + Size.dirent + length),
      next: Number(page.readBigUInt64LE(start + 8)),
      type: page.readUInt32LE(start + 20),
      entry: plus && (page.readUInt32LE(at) !== 0 || page.readUInt32LE(at + 4) !== 0) ? entryOf(page.subarray(at)) : null,
    });
    at = start + ((Size.dirent + length + 7) & ~7);
  }
  return found;
}

export class ViewKernel {
  readonly view: View;
  readonly server: ViewServer;
  readonly errors: unknown[] = [];
  /** What `send` answers for the next replies: ENOENT means that the kernel dropped the request. */
  taken = 0;
  private readonly waiting = new Map<number, (reply: Reply) => void>();
  private unique = 0;

  constructor(
    history: HistoryReader,
    settle: () => Promise<void> = async () => undefined,
    provisional: (seq: number) => boolean = () => false,
    onReply: (unique: number) => void = () => undefined,
  ) {
    this.view = new View({ history, settle, provisional, resolveTime: (expression) => resolveSettled(expression, history, settle) });
    const send = (unique: number, errno: number, body?: Buffer): number => {
      onReply(unique);
      this.waiting.get(unique)?.({ errno, body: Buffer.from(body ?? []) });
      this.waiting.delete(unique);
      return this.taken;
    };
    this.server = new ViewServer(this.view, send, (error) => this.errors.push(error));
  }

  /** Sends one request; resolves to its reply. */
  ask(opcode: number, nodeid: U64, body?: Buffer, uid?: number): Promise<Reply> {
    return this.begin(opcode, nodeid, body, uid).reply;
  }

  /** Sends one request and does not wait. */
  begin(opcode: number, nodeid: U64, body?: Buffer, uid?: number): { unique: number; reply: Promise<Reply> } {
    this.unique += 2;
    const unique = this.unique;
    const reply = new Promise<Reply>((resolve) => this.waiting.set(unique, resolve));
    this.server.handle(frame(opcode, unique, nodeid, body, uid));
    return { unique, reply };
  }

  interrupt(unique: number): void {
    const body = Buffer.alloc(Size.interrupt_in);
    body.writeBigUInt64LE(BigInt(unique), 0);
    this.server.handle(frame(Opcode.INTERRUPT, unique | 1, ROOT_ID, body));
  }

  forget(nodeid: U64, lookups = 1): void {
    const body = Buffer.alloc(Size.forget_in);
    body.writeBigUInt64LE(BigInt(lookups), 0);
    this.server.handle(frame(Opcode.FORGET, 0, nodeid, body));
  }

  /** Looks a path up, a name at a time. Resolves to null where it ends in nothing. */
  async walk(path: string, from: U64 = ROOT_ID): Promise<Entry | null> {
    let entry: Entry | null = null;
    for (const name of path.split('/')) {
      const { errno, body } = await this.ask(Opcode.LOOKUP, entry?.nodeid ?? from, nameBody(name));
      if (errno !== 0) return null;
      entry = entryOf(body);
      if (entry.nodeid.hi === 0 && entry.nodeid.lo === 0) return null;
    }
    return entry;
  }

  async must(path: string): Promise<Entry> {
    const entry = await this.walk(path);
    if (!entry) throw new Error(`${path} is not there`);
    return entry;
  }

  /** A directory's names, read page by page. */
  async list(nodeid: U64, options: { plus?: boolean; pageBytes?: number } = {}): Promise<Dirent[]> {
    const { plus = true, pageBytes = 4096 } = options;
    const all: Dirent[] = [];
    for (;;) {
      const { errno, body } = await this.ask(plus ? Opcode.READDIRPLUS : Opcode.READDIR, nodeid, readBody(all.at(-1)?.next ?? 0, pageBytes));
      if (errno !== 0) throw new Error(`readdir: errno ${errno}`);
      if (body.length === 0) return all;
      all.push(...direntsOf(body, plus));
    }
  }

  async content(path: string): Promise<string> {
    const { nodeid, size } = await this.must(path);
    return (await this.ask(Opcode.READ, nodeid, readBody(0, Number(size) + 10))).body.toString();
  }
}
