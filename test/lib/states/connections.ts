/** Who is connected with whom, as /proc tells it. */
import test from 'ava';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import type { Writer } from '../../../lib/history/types.js';
import { Connections, NETWORK, parseSockets, type Network, type Socket } from '../../../lib/states/connections.js';
import { lineageOf } from '../../../lib/states/processes.js';
import { until } from '../../helpers/run.js';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const line = (remote: string, state: string, inode: string): string => `   0: 0100007F:1F90 ${remote} ${state} 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1 0 20 4 30 10 -1\n`;

test.serial('a table of the kernel is read: addresses of both kinds, without what listens or belongs to nobody', (t) => {
  const table = HEAD + line('077100CB:01BB', '01', '11') + line('00000000:0000', '0A', '12') + line('077100CB:01BB', '06', '0')
    + line('B80D0120000000000000000001000000:0050', '01', '13') + line('0000000000000000FFFF0000077100CB:0016', '08', '14') + 'rubbish\n';
  t.deepEqual(parseSockets(table), [
    { address: '203.0.113.7', port: 443, inode: '11' }, { address: '2001:db8:0:0:0:0:0:1', port: 80, inode: '13' }, { address: '203.0.113.7', port: 22, inode: '14' },
  ]);
  t.deepEqual(parseSockets(''), []);
});

function fake(sockets: Socket[], lineages: Record<number, string[]>): { network: Network; asked: { tables: number; owners: string[] }; pass(ms: number): void } {
  const asked = { tables: 0, owners: [] as string[] };
  let nowMs = 0;
  return {
    asked, pass: (ms) => { nowMs += ms; },
    network: {
      sockets: async () => { asked.tables++; return sockets; },
      owners: async (inodes) => { asked.owners.push(...inodes); return [...inodes].map((inode) => ({ inode, pid: Number(inode) })); },
      lineage: async (pid) => lineages[pid] ?? [], command: async () => 'curl', now: () => nowMs,
      addresses: async (host) => { if (host === 'gone.example') throw new Error('not found'); return ['198.51.100.1']; },
    },
  };
}

const writer = (pid: number, ...ancestors: string[]): Writer => ({ pid, start: 1, ancestors } as unknown as Writer);

test.serial('a family is who is above, below or beside; others are not meant', async (t) => {
  const { network } = fake([{ address: '203.0.113.7', port: 443, inode: '50' }], { 50: ['50:1', '40:1', '30:1'] });
  const connections = new Connections(network, (error) => t.fail(String(error)));
  const remote = { hosts: ['203.0.113.0/24'], ports: [443] };
  connections.setRemotes([remote]);
  await connections.poll();
  const has = (one: Writer): boolean => connections.of(remote, one, 1000) !== null;
  t.deepEqual([writer(50, '40:1', '30:1'), writer(40, '30:1'), writer(60, '50:1', '40:1'), writer(61, '40:1')].map(has), [true, true, true, true]);
  t.deepEqual([writer(70, '30:1'), writer(71), writer(50)].map(has), [false, false, true]);
  t.false(has({ ...writer(50), start: 2 }));
});

test.serial('nothing is read without a rule, a socket is searched for once, and what has ended is forgotten in time', async (t) => {
  const sockets = [{ address: '203.0.113.7', port: 443, inode: '50' }, { address: '198.51.100.1', port: 22, inode: '51' }];
  const { network, asked, pass } = fake(sockets, { 50: ['50:1'], 51: ['51:1'] });
  const failures: unknown[] = [];
  const connections = new Connections(network, (error) => failures.push(error));
  t.false(await connections.poll());
  t.deepEqual(asked, { tables: 0, owners: [] });
  const remote = { hosts: ['named.example', 'gone.example'], ports: [] };
  connections.setRemotes([remote]);
  t.true(await connections.poll());
  t.false(await connections.poll());
  t.deepEqual(asked, { tables: 2, owners: ['51'] });
  t.is(failures.length, 1);
  t.false(await connections.poll(100));
  t.is(asked.tables, 2, 'not again so soon');
  t.is(connections.of(remote, writer(51), 1000), 'curl [51] with 198.51.100.1:22');
  t.is(connections.of(remote, writer(50), 1000), null);
  sockets.length = 0;
  pass(900);
  await connections.poll();
  t.not(connections.of(remote, writer(51), 1000), null);
  pass(200);
  await connections.poll();
  t.is(connections.of(remote, writer(51), 1000), null);
});

test.serial('a real connection of a real process is found; what a look costs', async (t) => {
  const server = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const child = spawn('bash', ['-c', `exec 3<>/dev/tcp/127.0.0.1/${port}; sleep 100`], { stdio: 'ignore' });
  try {
    const connections = new Connections(NETWORK, (error) => t.fail(String(error)));
    const remote = { hosts: ['127.0.0.1'], ports: [port] };
    connections.setRemotes([remote]);
    const [self, ...ancestors] = await lineageOf(child.pid!);
    const of = { ...writer(child.pid!, ...ancestors), start: Number(self!.split(':')[1]) };
    await until('it is seen', async () => { await connections.poll(); return connections.of(remote, of, 1000) !== null; });
    t.regex(connections.of(remote, of, 1000)!, new RegExp(`\\[${child.pid}\\] with 127\\.0\\.0\\.1:${port}$`));
    const cost = async (rounds: number, work: () => Promise<unknown>): Promise<string> => {
      const began = performance.now();
      for (let i = 0; i < rounds; i++) await work();
      return `${((performance.now() - began) / rounds).toFixed(2)} ms`;
    };
    t.log(`a look with nothing new: ${await cost(200, () => connections.poll())}; finding the owner of a new socket: ${await cost(20, () => NETWORK.owners(new Set(['0'])))}`);
  } finally {
    child.kill('SIGKILL');
    server.close();
  }
});
