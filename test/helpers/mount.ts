/**
 * A tree under rewindfs, mounted by the command line as a user does it, always taken away in the end: politely, and if
 * the daemon does not answer, by force.
 */
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { Driver } from './driver.js';
import { hasEnded, must, projectRoot, run, sleep, until, type RunOptions, type RunResult } from './run.js';
import { mountsUnder, type Scope } from './scope.js';
import { transportOf } from './transport.js';
import { END_TRAILER } from '../../lib/daemon/socket.js';
import type { Methods, PointRow, PositionRow } from '../../lib/daemon/protocol.js';
import type { Transport } from '../../lib/transport.js';

// Tests neither see nor fill the user's own list of stores.
const state = fs.mkdtempSync(path.join(os.tmpdir(), 'rewindfs-state-'));
process.env['XDG_STATE_HOME'] = state;
process.on('exit', () => fs.rmSync(state, { recursive: true, force: true }));

export const cli = path.join(projectRoot, 'dist/bin/main.js');

/** The same as modules: in a bundle there is nothing that `--import` could change. */
const modules = path.join(projectRoot, 'dist/cli/main.js');

/** `rewind args`, whatever its exit code. */
export function rewind(args: string[], options: RunOptions = {}): Promise<RunResult> {
  return run(process.execPath, [cli, ...args], options);
}

/** `rewind args` that must succeed; resolves to stdout. */
export function rewindMust(args: string[], options: RunOptions = {}): Promise<string> {
  return must(process.execPath, [cli, ...args], options);
}

/** What the fixture needs of `rewind status --json`. */
export interface Status {
  pid: number;
  mountpoint: string;
  store: string;
  seq: number;
  extracted_seq: number;
  [more: string]: unknown;
}

export interface MountOptions {
  /** Of the directory that is protected. */
  where?: 'disk' | 'memory';
  /** Where the store lies; as `where` when not given. */
  storeWhere?: 'disk' | 'memory';
  tree?: string;
  store?: string;
  /** The first that the suite runs over, when not given. */
  transport?: Transport;
  /** More arguments of `rewind mount`. */
  args?: string[];
  /** Of the first mount. */
  preload?: URL;
}

/** Of a mount command, and of the daemon that it starts: its environment, and a module that is loaded before all others. */
export interface Circumstances {
  env?: NodeJS.ProcessEnv;
  preload?: URL;
}

export class MountedTree {
  private pid = 0;

  constructor(
    private readonly scope: Scope,
    readonly tree: string,
    readonly store: string,
    private readonly args: string[] = [],
    private readonly transport: Transport = transportOf(0),
  ) {}

  async mount({ env = process.env, preload }: Circumstances = {}): Promise<void> {
    const node = preload === undefined ? [cli] : [`--import=${preload.href}`, modules];
    const row = await must(process.execPath, [...node, 'mount', this.tree, '--store', this.store, '--transport', this.transport, '--json', ...this.args], { timeoutMs: 120_000, env });
    this.pid = (JSON.parse(row) as Pick<Status, 'pid'>).pid;
  }

  /** pid of the daemon of the last mount. */
  get daemon(): number {
    return this.pid;
  }

  get alive(): boolean {
    return !hasEnded(this.pid);
  }

  get mounted(): boolean {
    return mountsUnder(this.tree).length > 0;
  }

  /** As `rewind status --json`, of a tree that is mounted, without a process. */
  async status(): Promise<Status> {
    return await this.control('status') as Status;
  }

  /** Its part that is asked for often. */
  async position(): Promise<PositionRow> {
    return await this.control('position') as unknown as PositionRow;
  }

  /** One call to the daemon's control socket, without a process: resolves to the first item of the answer. */
  async control(method: string, args: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const { items, end } = await this.ask(method, args, 60_000);
    if (items.length === 0) throw new Error(`${method}: ${end}`);
    return items[0]!;
  }

  /** The same, with all items. Rejects with what the answer ended with, if not well. */
  async items(method: string, args: Record<string, unknown> = {}, timeoutMs = 60_000): Promise<Record<string, unknown>[]> {
    const { items, end } = await this.ask(method, args, timeoutMs);
    if (end !== 'ok') throw new Error(`${method}: ${end}`);
    return items;
  }

  /** As `rewind points --json` says them, without a process. */
  async points(which: Methods['points']['args'] = {}): Promise<PointRow[]> {
    return await this.items('points', { ...which }) as unknown as PointRow[];
  }

  private ask(method: string, args: Record<string, unknown>, timeoutMs: number): Promise<{ items: Record<string, unknown>[]; end: string | undefined }> {
    return new Promise((resolve, reject) => {
      const body = JSON.stringify(args);
      const request = http.request({ socketPath: path.join(this.store, 'control.sock'), path: `/v1/${method}`, method: 'POST', headers: { 'content-length': Buffer.byteLength(body) }, timeout: timeoutMs });
      request.on('timeout', () => request.destroy(new Error(`${method}: the daemon does not answer`)));
      request.on('error', reject);
      request.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk)).on('error', reject);
        response.on('end', () => {
          if (response.statusCode !== 200) reject(new Error(`${method}: ${text}`));
          else resolve({ items: text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>), end: response.trailers[END_TRAILER] });
        });
      });
      request.end(body);
    });
  }

  /** Waits until history holds everything that was acknowledged so far. */
  async settled(timeoutMs = 120_000): Promise<Status> {
    const { seq } = await this.position();
    await until(`history reaches seq ${seq}`, async () => (await this.position()).extracted_seq >= seq, timeoutMs);
    return await this.status();
  }

  /** `rewind unmount`; the daemon has ended when it resolves. */
  async unmount(): Promise<void> {
    await rewindMust(['unmount', this.tree], { timeoutMs: 120_000 });
    await this.daemonEnded();
  }

  /** SIGKILL to the daemon: the crash that everything must survive. The dead mount stays, as it would for a user. */
  async kill(): Promise<void> {
    process.kill(this.pid, 'SIGKILL');
    await this.daemonEnded();
  }

  /** A driver in the tree (or in a directory of it), closed before the tree is unmounted. */
  async driver(directory = '.'): Promise<Driver> {
    const driver = new Driver();
    this.scope.defer(() => driver.close());
    await driver.ok('base', path.join(this.tree, directory));
    return driver;
  }

  /** `rewind verb ... --tree TREE`. */
  rewind(verb: string, ...args: string[]): Promise<string> {
    return rewindMust([verb, ...args, '--tree', this.tree], { timeoutMs: 300_000 });
  }

  /** Takes everything away, by force where needed; says in the error what had to be forced. */
  async dispose(): Promise<void> {
    let trouble = this.mounted ? await this.leave() : '';
    if (this.pid && this.alive) {
      await until('the daemon ends', () => !this.alive, 30_000).catch(() => {
        trouble ||= `the daemon ${this.pid} did not end`;
        process.kill(this.pid, 'SIGKILL');
      });
    }
    for (const point of mountsUnder(this.tree).reverse()) {
      trouble ||= `${point} was still mounted`;
      await run('umount', ['-l', point], { timeoutMs: 20_000 });
    }
    if (trouble) throw new Error(trouble);
  }

  /** Politely; answers why not. Whom a test has killed may still be about to leave the tree. */
  private async leave(): Promise<string> {
    let refused = '';
    const left = async (): Promise<boolean> => {
      refused = await this.askToUnmount();
      return !refused.includes('ERR_BUSY');
    };
    await until('the tree is unmounted', left, 20_000).catch(() => null);
    return refused && `unmount of ${this.tree}: ${refused}`;
  }

  /** Without a process, while there is a daemon; the command line knows what to do with a dead one's mount. */
  private async askToUnmount(): Promise<string> {
    if (this.pid && this.alive) return await this.control('unmount').then(() => '', (error: Error) => error.message);
    const { code, stderr } = await rewind(['unmount', this.tree], { timeoutMs: 30_000 });
    return code === 0 ? '' : stderr;
  }

  /** By itself, or because a test made it end. */
  async daemonEnded(): Promise<void> {
    await until('the daemon ends', () => !this.alive);
  }
}

/** Mounts a tree (an empty one, unless options.tree names it) for the life of the scope. */
export async function mountTree(scope: Scope, options: MountOptions = {}): Promise<MountedTree> {
  const where = options.where ?? 'disk';
  const tree = options.tree ?? path.join(scope.temporary(where), 'tree');
  fs.mkdirSync(tree, { recursive: true });
  const store = options.store ?? path.join(scope.temporary(options.storeWhere ?? where), 'store');
  const mounted = new MountedTree(scope, tree, store, options.args, options.transport);
  scope.defer(() => mounted.dispose());
  await mounted.mount({ preload: options.preload });
  return mounted;
}

/** As mountTree, but waits until the first walk over the tree is complete. */
export async function mountSettled(scope: Scope, options: MountOptions = {}): Promise<MountedTree> {
  const mounted = await mountTree(scope, options);
  await baselineDone(mounted);
  return mounted;
}

/** From now on every file is captured on close: what programs read and write is passed on by the kernel (policy on-close). */
export async function passOn(mounted: MountedTree): Promise<void> {
  fs.writeFileSync(path.join(mounted.store, 'policy.toml'), '[[rule]]\nmatch = "*"\ncapture = "on-close"\n');
  await until('the policy is in force', async () => (await mounted.control('policy', { paths: [{ path: 'x', directory: false }] }))['capture'] === 'on-close');
}

/** Waits until the background walk of the tree has come to its end. */
export async function baselineDone(mounted: MountedTree, timeoutMs = 300_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const status = await mounted.status();
    const baseline = status['baseline'] as { state?: string } | undefined;
    if (baseline?.state === 'done' && status.extracted_seq >= status.seq) return;
    if (Date.now() > end) throw new Error(`the baseline is not complete: ${JSON.stringify(status)}`);
    await sleep(100);
  }
}
