/** Hosts and ports of a rule: addresses, networks and names. */
import { isIP } from 'node:net';

/** Who is at the other end; what is empty asks nothing. */
export interface Remote {
  /** Addresses, networks (`10.0.0.0/8`) and names. */
  hosts: readonly string[];
  ports: readonly number[];
}

const HOST = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*\.?$/i;

/** null when a rule names neither. @throws what `fail` throws */
export function remoteOf(host: unknown, port: unknown, fail: (key: string, reason: string) => never): Remote | null {
  if (host === undefined && port === undefined) return null;
  const list = (value: unknown): unknown[] => (value === undefined ? [] : Array.isArray(value) ? value : [value]);
  const [hosts, ports] = [list(host), list(port)];
  if (hosts.length + ports.length === 0) fail(host === undefined ? 'port' : 'host', 'the list is empty');
  for (const one of hosts) if (!isHost(one)) fail('host', `${JSON.stringify(one)} is no host: a name, an address or a network like "10.0.0.0/8" was expected`);
  for (const one of ports) if (!(Number.isInteger(one) && (one as number) >= 1 && (one as number) <= 65_535)) fail('port', `${JSON.stringify(one)} is no port: a number from 1 to 65535 was expected`);
  return { hosts: hosts as string[], ports: ports as number[] };
}

function isHost(host: unknown): boolean {
  if (typeof host !== 'string') return false;
  const [address, prefix, more] = host.split('/') as [string, string | undefined, string | undefined];
  const version = isIP(address);
  if (prefix !== undefined) return more === undefined && version !== 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 6 ? 128 : 32);
  // Only digits and dots: an address that is wrong, not a name.
  return version !== 0 || (HOST.test(host) && !/^[\d.]+$/.test(host));
}
