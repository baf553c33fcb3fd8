/**
 * A conformance case: calls in a directory of its own, each observed. The same case runs on a plain directory, which
 * proves the case, and on the live mount; both must have seen the same.
 */
import fs from 'node:fs';
import { Driver, type Argument, type Reply } from '../../helpers/driver.js';
import { until } from '../../helpers/run.js';

/** Two users, and a group that neither has as its own. */
export const alice = 1000;
export const bob = 1001;
export const team = 2000;

export interface Case {
  name: string;
  run(calls: Calls): Promise<void>;
  /** Looks at what run left, changing nothing: it must see the same on a view, too. */
  look?(calls: Calls): Promise<void>;
  /** So large that it is run on one mount only. */
  large?: boolean;
}

export interface Stat {
  mode: string;
  uid: number;
  gid: number;
  nlink: number;
  size: number;
  rdev: string;
  ino: string;
  blocks: number;
  atime: bigint;
  mtime: bigint;
  ctime: bigint;
}

export function parseStat(text: string): Stat {
  const f = Object.fromEntries(text.split(' ').map((pair) => pair.split('=') as [string, string]));
  return {
    mode: f['mode']!, uid: Number(f['uid']), gid: Number(f['gid']), nlink: Number(f['nlink']), size: Number(f['size']),
    rdev: f['rdev']!, ino: f['ino']!, blocks: Number(f['blocks']), atime: BigInt(f['atime']!), mtime: BigInt(f['mtime']!), ctime: BigInt(f['ctime']!),
  };
}

/** Calls of one process; every answer goes into the transcript that is compared. */
export class Calls {
  constructor(
    private readonly driver: Driver,
    private readonly directory: string,
    private readonly transcript: string[],
    private readonly started: Driver[],
  ) {}

  /** A call that must succeed; its values are observed and returned. */
  async ok(op: string, ...args: Argument[]): Promise<string> {
    const reply = await this.see(op, ...args);
    if (reply.error) throw new Error(`${op} ${show(args)}: ${reply.error}`);
    return reply.text;
  }

  /** A call that must fail with this errno. */
  async fails(errno: string, op: string, ...args: Argument[]): Promise<void> {
    const reply = await this.see(op, ...args);
    if (reply.error !== errno) throw new Error(`${op} ${show(args)}: ${reply.error || `ok ${reply.text}`}, expected ${errno}`);
  }

  /** A call whose answer is only compared. */
  async see(op: string, ...args: Argument[]): Promise<Reply> {
    const reply = await this.driver.call(op, ...args);
    this.transcript.push(`${op} ${show(args)} -> ${reply.error || `ok ${reply.text}`}`);
    return reply;
  }

  /** lstat, of which what does not depend on the clock and the disk is observed. */
  stat(path: Argument): Promise<Stat> {
    return this.observe('stat', path);
  }

  fstat(slot: number): Promise<Stat> {
    return this.observe('fstat', slot);
  }

  /** The answer is used by the case, not compared. */
  async quiet(op: string, ...args: Argument[]): Promise<string> {
    return this.driver.ok(op, ...args);
  }

  /** The answer is for the case to look at; note() puts what it makes of it into the transcript. */
  trial(op: string, ...args: Argument[]): Promise<Reply> {
    return this.driver.call(op, ...args);
  }

  note(op: string, args: Argument[], reply: Reply): void {
    this.transcript.push(`${op} ${show(args)} -> ${reply.error || `ok ${reply.text}`}`);
  }

  /** Goes into a directory; resolves to the way back. */
  async enter(name: string): Promise<() => Promise<void>> {
    await this.driver.ok('base', name);
    return async () => void (await this.driver.ok('base', this.directory));
  }

  /** Something that must hold. */
  check(what: string, holds: boolean): void {
    this.transcript.push(`${what}: ${holds}`);
    if (!holds) throw new Error(`does not hold: ${what}`);
  }

  /** Creates a file with content. */
  async file(path: Argument, bytes = 0, mode = 0o644, seed = 7): Promise<void> {
    await this.ok('open', 99, path, 0o102 | 0o1000, mode);
    if (bytes > 0) await this.ok('write', 99, 0, bytes, seed);
    await this.ok('close', 99);
  }

  /** The whole content of a file, as length and hash. */
  async content(path: Argument, room = 1 << 20): Promise<string> {
    await this.ok('open', 98, path, 0, 0);
    const shown = await this.ok('read', 98, 0, room);
    await this.ok('close', 98);
    return shown;
  }

  /** Acts as another user: the effective identity of this process. */
  async as(uid: number, gid = uid, ...groups: number[]): Promise<void> {
    await this.ok('as', uid, gid, ...groups);
  }

  /** Another process in the same directory. */
  async other(): Promise<Calls> {
    const driver = new Driver();
    this.started.push(driver);
    await driver.ok('base', this.directory);
    return new Calls(driver, this.directory, this.transcript, this.started);
  }

  /** Waits until the process sleeps in this system call, whose answer is still to come. */
  async waitsIn(call: number): Promise<void> {
    await until(`${this.driver.pid} is in system call ${call}`, () => fs.readFileSync(`/proc/${this.driver.pid}/syscall`, 'latin1').startsWith(`${call} `));
  }

  private async observe(op: string, arg: Argument): Promise<Stat> {
    const reply = await this.driver.call(op, arg);
    if (reply.error) throw new Error(`${op} ${show([arg])}: ${reply.error}`);
    const st = parseStat(reply.text);
    const size = st.mode.startsWith('04') ? '-' : st.size;
    this.transcript.push(`${op} ${show([arg])} -> ${st.mode} ${st.uid}:${st.gid} nlink ${st.nlink} size ${size} rdev ${st.rdev}`);
    return st;
  }
}

const show = (args: Argument[]): string =>
  args.map((one) => (Buffer.isBuffer(one) ? one.toString('latin1') : String(one)).slice(0, 80)).join(' ');

/** Runs a case (or only its look) in a directory; resolves to what it saw, rejects when one of its own expectations failed. */
export async function runCase(one: Case, directory: string, part: 'run' | 'look' = 'run'): Promise<string[]> {
  const transcript: string[] = [];
  const started = [new Driver(280_000)];
  try {
    await started[0]!.ok('umask', 0o022);
    await started[0]!.ok('base', directory);
    await one[part]!(new Calls(started[0]!, directory, transcript, started));
    return transcript;
  } catch (error) {
    throw new Error(`${(error as Error).message}\nafter:\n  ${transcript.slice(-8).join('\n  ')}`);
  } finally {
    await Promise.all(started.map((driver) => driver.close()));
  }
}
