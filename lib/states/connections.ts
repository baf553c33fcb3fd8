/**
 * Which processes have, or just had, a connection to a host or port that a rule names: from /proc/net/tcp and tcp6, and
 * the descriptors of processes. Guarantees: nothing is read while no rule asks; who owns a socket is searched once for
 * each socket that a rule means, never for others; what cannot be read is nobody's.
 */
import { lookup } from 'node:dns/promises';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { BlockList, isIP, isIPv6 } from 'node:net';
import type { Writer } from '../history/types.js';
import type { Remote } from '../policy/remote.js';
import { commandOf, lineageOf } from './processes.js';

/** One end of a connection that a process of this machine has. */
export interface Socket { address: string; port: number; inode: string }

/** The system, as this needs it; the real one is NETWORK. */
export interface Network {
  sockets(): Promise<Socket[]>;
  /** Processes that hold these sockets. */
  owners(inodes: ReadonlySet<string>): Promise<{ inode: string; pid: number }[]>;
  /** `PID:START` of a process, its parent, its parent's and so on; empty when it has ended. */
  lineage(pid: number): Promise<string[]>;
  command(pid: number): Promise<string>;
  addresses(host: string): Promise<string[]>;
  /** Milliseconds, never set back. */
  now(): number;
}

/** A connection and whose it is. */
interface Seen { socket: Socket; lineage: readonly string[]; command: string; lastMs: number }

const TCP_LISTEN = '0A';
/** Names are asked for again after so long. */
const RESOLVE_MS = 300_000;
/** After so long nobody means by "just had" what has ended. */
const MAX_AGE_MS = 3_600_000;
const MAX_SEEN = 4096;

export class Connections {
  private remotes: readonly Remote[] = [];
  private readonly named = new Map<string, string[]>();
  private lists = new Map<Remote, BlockList>();
  private readonly seen = new Map<string, Seen>();
  private resolvedMs = -Infinity;
  private polledMs = -Infinity;

  /** failed: told of a host that cannot be found. */
  constructor(private readonly network: Network, private readonly failed: (error: unknown) => void) {}

  setRemotes(remotes: readonly Remote[]): void {
    this.remotes = remotes;
    this.resolvedMs = this.polledMs = -Infinity;
    this.build();
  }

  /** Looks, unless it has just done so. Answers whether a connection is new. */
  async poll(leastMs = 0): Promise<boolean> {
    const nowMs = this.network.now();
    if (this.remotes.length === 0 || nowMs - this.polledMs < leastMs) return false;
    this.polledMs = nowMs;
    if (nowMs - this.resolvedMs >= RESOLVE_MS) await this.resolveNames(nowMs);
    for (const [key, { lastMs }] of this.seen) if (nowMs - lastMs > MAX_AGE_MS || this.seen.size > MAX_SEEN) this.seen.delete(key);
    const fresh = new Map<string, Socket>();
    for (const socket of await this.network.sockets()) {
      if (!this.remotes.some((remote) => this.means(remote, socket))) continue;
      const known = [...this.seen.values()].filter((one) => one.socket.inode === socket.inode && one.socket.port === socket.port && one.socket.address === socket.address);
      for (const one of known) one.lastMs = nowMs;
      if (known.length === 0) fresh.set(socket.inode, socket);
    }
    if (fresh.size === 0) return false;
    for (const { inode, pid } of await this.network.owners(new Set(fresh.keys()))) {
      const [lineage, command] = await Promise.all([this.network.lineage(pid), this.network.command(pid)]);
      if (lineage.length > 0) this.seen.set(`${inode} ${lineage[0]}`, { socket: fresh.get(inode)!, lineage, command, lastMs: nowMs });
    }
    return true;
  }

  /** When it looked last, in milliseconds: what is known was so then, however long the search for owners took. */
  get lookedMs(): number {
    return this.polledMs;
  }

  /** The connection that the writer's family has, or had within this time, in words; null: none. */
  of(remote: Remote, writer: Writer, withinMs: number): string | null {
    const ids = [`${writer.pid}:${writer.start}`, ...writer.ancestors ?? []];
    for (const { socket, lineage, command, lastMs } of this.seen.values()) {
      if (this.polledMs - lastMs > withinMs || !this.means(remote, socket) || !related(ids, lineage)) continue;
      const address = isIPv6(socket.address) ? `[${socket.address}]` : socket.address;
      return `${command} [${lineage[0]!.split(':')[0]}] with ${address}:${socket.port}`;
    }
    return null;
  }

  private means(remote: Remote, { address, port }: Socket): boolean {
    if (remote.ports.length > 0 && !remote.ports.includes(port)) return false;
    return remote.hosts.length === 0 || this.lists.get(remote)!.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }

  private async resolveNames(nowMs: number): Promise<void> {
    this.resolvedMs = nowMs;
    for (const host of new Set(this.remotes.flatMap(({ hosts }) => hosts))) {
      if (isIP(host.split('/')[0]!) !== 0) continue;
      try {
        this.named.set(host, await this.network.addresses(host));
      } catch (error) {
        if (!this.named.has(host)) this.failed(new Error(`the host ${host} of a rule cannot be found: ${(error as Error).message}`, { cause: error }));
        this.named.set(host, this.named.get(host) ?? []);
      }
    }
    this.build();
  }

  private build(): void {
    this.lists = new Map(this.remotes.map((remote) => {
      const list = new BlockList();
      for (const host of remote.hosts) {
        const [address, prefix] = host.split('/') as [string, string | undefined];
        const kind = isIPv6(address) ? 'ipv6' : 'ipv4';
        if (prefix !== undefined) list.addSubnet(address, Number(prefix), kind);
        else if (isIP(address) !== 0) list.addAddress(address, kind);
        else for (const one of this.named.get(host) ?? []) list.addAddress(one, isIPv6(one) ? 'ipv6' : 'ipv4');
      }
      return [remote, list];
    }));
  }
}

/** Is one the other, has one started the other, or has the same process started both? */
function related(a: readonly string[], b: readonly string[]): boolean {
  return b.includes(a[0]!) || a.includes(b[0]!) || (a[1] !== undefined && a[1] === b[1]);
}

/** The address of /proc/net/tcp: hexadecimal, each 32 bits as this machine stores them (little-endian). */
function addressOf(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  for (let at = 0; at < bytes.length; at += 4) bytes.subarray(at, at + 4).reverse();
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.subarray(0, 12).equals(Buffer.from('00000000000000000000ffff', 'hex'))) return bytes.subarray(12).join('.');
  return Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16)).join(':');
}

/** What /proc/net/tcp lists: each connection that a descriptor belongs to. */
export function parseSockets(table: string): Socket[] {
  const sockets: Socket[] = [];
  for (const line of table.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    const [address, port] = fields[2]?.split(':') ?? [];
    const inode = fields[9];
    if (address === undefined || port === undefined || inode === undefined || inode === '0' || fields[3] === TCP_LISTEN) continue;
    sockets.push({ address: addressOf(address), port: parseInt(port, 16), inode });
  }
  return sockets;
}

export const NETWORK: Network = {
  async sockets() {
    const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'latin1').catch(() => '')));
    return tables.flatMap(parseSockets);
  },

  async owners(inodes) {
    const found: { inode: string; pid: number }[] = [];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
      const targets = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
      const held = new Set(targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []));
      for (const inode of inodes) if (held.has(inode)) found.push({ inode, pid: Number(pid) });
    }
    return found;
  },

  lineage: lineageOf,
  command: commandOf,
  addresses: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
  now: () => performance.now(),
};
