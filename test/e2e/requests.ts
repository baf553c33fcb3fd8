/**
 * What a call costs in round trips: the requests that the kernel sends for it, over each transport. A speed may be the
 * machine's; a count is ours: each that is not here was taken out by a flag of the protocol or by what we let the kernel keep.
 */
import path from 'node:path';
import fs from 'node:fs';
import test from 'ava';
import { MAP, O, PROT } from '../helpers/constants.js';
import type { Argument, Driver } from '../helpers/driver.js';
import { baselineDone, mountTree, type MountedTree } from '../helpers/mount.js';
import { sleep, until } from '../helpers/run.js';
import { scoped } from '../helpers/scope.js';
import { transports } from '../helpers/transport.js';

type Call = readonly [string, ...Argument[]];

interface Row {
  name: string;
  /** In a directory of its own with a file `f` of 8 KiB that was just made. */
  before?: readonly Call[];
  calls: readonly Call[];
  requests: Readonly<Record<string, number>>;
}

const create = (name: string): Call[] => [['open', 9, name, O.RDWR | O.CREAT, 0o644], ['close', 9]];
const openRead: Call[] = [['open', 1, 'f', O.RDONLY, 0], ['read', 1, 0, 8192], ['close', 1]];
const openForWriting: Call = ['open', 1, 'f', O.RDWR, 0];
const written: Call[] = [openForWriting, ['write', 1, 0, 4096, 1]];
const NAMES = 50;

/**
 * What the kernel does not let us take out: a directory's attributes are asked for again after a name in it came or went, a
 * name is looked up before it is made, and before a first write or truncation it asks whether a file has capabilities.
 */
const ROWS: readonly Row[] = [
  { name: 'stat, again', before: [['stat', 'f']], calls: [['stat', 'f']], requests: {} },
  { name: 'stat of what is not there, again', before: [['stat', 'none']], calls: [['stat', 'none']], requests: {} },
  { name: 'access', before: [['stat', 'f']], calls: [['access', 'f', 4]], requests: {} },
  { name: 'readlink, again', before: [['symlink', 'f', 'l'], ['readlink', 'l']], calls: [['readlink', 'l']], requests: {} },
  { name: 'list, again', before: [['list', '.']], calls: [['list', '.']], requests: { getattr: 1 } },
  { name: 'list and stat of each', calls: [['list', '../made'], ...Array.from({ length: NAMES }, (_, i): Call => ['stat', `../made/${i}`])], requests: { lookup: 1, readdirplus: 1, readdir: 1 } },
  { name: 'read, again', before: [openForWriting, ['read', 1, 0, 8192]], calls: [['read', 1, 0, 8192]], requests: {} },
  { name: 'read of what was written', before: written, calls: [['read', 1, 0, 4096]], requests: {} },
  { name: 'open, read and close, again', before: openRead, calls: openRead, requests: { open: 1, release: 1 } },
  { name: 'a shared mapping of what was read', before: [openForWriting, ['read', 1, 0, 8192]], calls: [['map', 1, 1, 8192, PROT.READ, MAP.SHARED], ['mapread', 1, 0, 8192], ['unmap', 1]], requests: {} },
  { name: 'write', before: written, calls: [['write', 1, 0, 4096, 2]], requests: { write: 1 } },
  { name: 'write of 1 MiB', before: written, calls: [['write', 1, 0, 1 << 20, 2]], requests: { write: 1 } },
  { name: 'the first write since attributes were asked for', before: [openForWriting, ['stat', 'f']], calls: [['write', 1, 0, 4096, 2]], requests: { write: 1, getxattr: 1 } },
  { name: 'fsync', before: written, calls: [['fsync', 1]], requests: { fsync: 1 } },
  { name: 'close of a writer', before: written, calls: [['close', 1]], requests: { release: 1 } },
  { name: 'open with O_TRUNC', before: [['stat', 'f']], calls: [['open', 1, 'f', O.RDWR | O.TRUNC, 0]], requests: { open: 1, getxattr: 1 } },
  { name: 'create and close', before: create('a'), calls: create('b'), requests: { getattr: 1, lookup: 1, create: 1, release: 1 } },
  { name: 'mkdir', before: create('a'), calls: [['mkdir', 'd', 0o755]], requests: { getattr: 1, lookup: 1, mkdir: 1 } },
  { name: 'symlink', before: create('a'), calls: [['symlink', 'f', 'l']], requests: { getattr: 1, lookup: 1, symlink: 1 } },
  { name: 'link', before: create('a'), calls: [['link', 'f', 'g']], requests: { getattr: 1, lookup: 1, link: 1 } },
  { name: 'rename', before: create('a'), calls: [['rename', 'f', 'g', 0]], requests: { getattr: 1, lookup: 1, rename: 1 } },
  { name: 'unlink', before: create('a'), calls: [['unlink', 'f']], requests: { getattr: 1, unlink: 1 } },
  { name: 'rmdir', before: [['mkdir', 'd', 0o755]], calls: [['rmdir', 'd']], requests: { getattr: 1, rmdir: 1 } },
  { name: 'chmod', before: [['stat', 'f']], calls: [['chmod', 'f', 0o600]], requests: { setattr: 1 } },
  { name: 'utimens', before: [['stat', 'f']], calls: [['utimens', 'f', '1', '2']], requests: { setattr: 1 } },
];

/** Requests so far. Forgets are the kernel's housekeeping, and come when it likes. */
async function requests(mounted: MountedTree): Promise<Record<string, number>> {
  const all = (await mounted.control('status'))['requests'] as Record<string, number>;
  return Object.fromEntries(Object.entries(all).filter(([name]) => !name.includes('forget')));
}

const since = (before: Record<string, number>, after: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(after).map(([name, count]): [string, number] => [name, count - (before[name] ?? 0)]).filter(([, count]) => count > 0));

const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((all, count) => all + count, 0);

async function all(driver: Driver, calls: readonly Call[]): Promise<void> {
  for (const [op, ...args] of calls) await driver.call(op, ...args);
}

/** Requests so far, once none comes any more: a release comes after close(2) has returned. */
async function settled(mounted: MountedTree): Promise<Record<string, number>> {
  let [before, now] = [{}, await requests(mounted)];
  while (sum(before) !== sum(now)) {
    await sleep(30);
    [before, now] = [now, await requests(mounted)];
  }
  return now;
}

/** What the calls of a row cost. */
async function cost(mounted: MountedTree, driver: Driver, { before: prepare, calls, requests: expected }: Row): Promise<Record<string, number>> {
  await all(driver, prepare ?? []);
  const before = await settled(mounted);
  await all(driver, calls);
  let seen: Record<string, number> = {};
  await until('as many came as were to come', async () => sum(seen = since(before, await requests(mounted))) >= sum(expected), 10_000).catch(() => undefined);
  return seen;
}

for (const transport of transports) {
  test.serial(`each call costs the requests that it must, over ${transport}`, (t) => scoped(async (scope) => {
    const tree = path.join(scope.temporary('memory'), 'tree');
    fs.mkdirSync(path.join(tree, 'made'), { recursive: true });
    for (let i = 0; i < NAMES; i++) fs.writeFileSync(path.join(tree, 'made', String(i)), 'x');
    const mounted = await mountTree(scope, { tree, transport, storeWhere: 'memory' });
    await baselineDone(mounted);
    const seen: Record<string, Record<string, number>> = {};
    for (const row of ROWS) {
      const directory = `for ${row.name}`;
      fs.mkdirSync(path.join(tree, directory));
      fs.writeFileSync(path.join(tree, directory, 'f'), Buffer.alloc(8192, 'f'));
      const driver = await mounted.driver(directory);
      seen[row.name] = await cost(mounted, driver, row);
      await driver.close();
    }
    t.deepEqual(seen, Object.fromEntries(ROWS.map(({ name, requests: expected }) => [name, expected])));
  }));
}
